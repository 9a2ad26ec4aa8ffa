//! An allocator that erases each block of memory before it gives it back (docs/threat-model.md, *Memory*).
//!
//! Secrets erase themselves where they are dropped. What this adds is for copies that nobody owns: a value with a gap, as
//! the place of what an `Option` does not hold, takes along what the stack held in that place when it is moved to the heap.
//!
//! Invariant: no byte of a block can be read after its owner gave it back, and growing a block leaves none behind.
//! It is `unsafe` because the trait of an allocator is.

use std::alloc::{GlobalAlloc, Layout};
use std::hint::black_box;
use std::ptr;

/// An allocator whose blocks are erased when they are given back to it.
pub struct Erasing<A>(pub A);

#[expect(
    unsafe_code,
    reason = "the trait is unsafe; each block is the inner allocator's, from first to last"
)]
// SAFETY: each block comes from the inner allocator and goes back to it once, with the layout that it came with.
unsafe impl<A: GlobalAlloc> GlobalAlloc for Erasing<A> {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        // SAFETY: what the caller promises is what the inner allocator asks for.
        unsafe { self.0.alloc(layout) }
    }

    unsafe fn alloc_zeroed(&self, layout: Layout) -> *mut u8 {
        // SAFETY: as above.
        unsafe { self.0.alloc_zeroed(layout) }
    }

    unsafe fn dealloc(&self, block: *mut u8, layout: Layout) {
        // SAFETY: the block is that long, and nobody else's until it is given back.
        unsafe {
            ptr::write_bytes(block, 0, layout.size());
            // A write before a release is a dead one to the compiler, unless somebody may have looked.
            self.0.dealloc(black_box(block), layout);
        }
    }

    // `realloc` is the trait's: a new block, a copy, `dealloc`. An allocator's own may move a block and leave its bytes.
}

#[cfg(test)]
mod tests {
    use std::alloc::System;
    use std::cell::RefCell;
    use std::slice;

    use super::*;

    /// Keeps what the blocks held that came back to it.
    #[derive(Default)]
    struct Seen(RefCell<Vec<Vec<u8>>>);

    #[expect(unsafe_code, reason = "the trait is unsafe")]
    // SAFETY: each block comes from the system's allocator and goes back to it.
    unsafe impl GlobalAlloc for Seen {
        unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
            // SAFETY: what the caller promises is what the system's allocator asks for.
            unsafe { System.alloc(layout) }
        }

        unsafe fn dealloc(&self, block: *mut u8, layout: Layout) {
            // SAFETY: the block is that long, written to by the test, and nobody else's until it is given back.
            unsafe {
                self.0.borrow_mut().push(slice::from_raw_parts(block, layout.size()).to_vec());
                System.dealloc(block, layout);
            }
        }
    }

    #[test]
    fn a_block_is_empty_when_it_is_given_back() {
        let (erasing, layout) = (Erasing(Seen::default()), Layout::new::<[u8; 100]>());
        #[expect(unsafe_code, reason = "only so is an allocator called that is not the program's")]
        // SAFETY: one block, written to within its bounds, given back with its own layout.
        unsafe {
            let block = erasing.alloc(layout);
            block.write_bytes(7, layout.size());
            erasing.dealloc(block, layout);
        }
        assert_eq!(*erasing.0.0.borrow(), [[0; 100]]);
    }

    #[test]
    fn growing_moves_what_a_block_holds_and_leaves_nothing() {
        let (erasing, layout) = (Erasing(Seen::default()), Layout::new::<[u8; 100]>());
        #[expect(unsafe_code, reason = "only so is an allocator called that is not the program's")]
        // SAFETY: one block, written to and read within its bounds, given back with the layout that it grew to.
        let grown = unsafe {
            let block = erasing.alloc(layout);
            block.write_bytes(7, layout.size());
            let block = erasing.realloc(block, layout, 200);
            let grown = slice::from_raw_parts(block, layout.size()).to_vec();
            erasing.dealloc(block, Layout::new::<[u8; 200]>());
            grown
        };
        assert_eq!(grown, [7; 100]);
        assert_eq!(*erasing.0.0.borrow(), [vec![0; 100], vec![0; 200]]);
    }
}
