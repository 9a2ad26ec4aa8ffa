//! The allocator of this test's process: as in the programs a block is erased when it is given back, but it is looked at
//! before. A secret that stands in it there was left by its owner, whatever would have come to lie over it.

use std::alloc::{GlobalAlloc, Layout, System};
use std::backtrace::Backtrace;
use std::cell::Cell;
use std::collections::BTreeMap;
use std::slice;
use std::sync::{Mutex, OnceLock};

use poterne_erasing::Erasing;

use super::core_image::{Windows, scan};

/// Bytes in a row that only a whole value leaves behind: a key. Less may be what a gap in another value took along from the
/// stack: that is the allocator's to erase.
const IN_A_ROW: usize = 32;
/// Lines of our own code that say where a block was given back.
const LINES: usize = 6;

#[global_allocator]
static ALLOCATOR: Watching = Watching(Erasing(System));

static SOUGHT: OnceLock<Windows> = OnceLock::new();
static LEFT: Mutex<BTreeMap<usize, Left>> = Mutex::new(BTreeMap::new());

thread_local! {
    /// Whether the blocks that this thread gives back are looked at.
    static LOOKS: Cell<bool> = const { Cell::new(false) };
}

/// The first block that a secret was left in.
#[derive(Debug)]
pub struct Left {
    /// The size of the block in bytes.
    pub block_bytes: usize,
    /// Where in our own code it was given back, innermost first.
    #[expect(dead_code, reason = "said when the test fails")]
    pub at: Vec<String>,
}

/// Which of the secrets `work` leaves in blocks that it gives back, by number. Once in a process.
pub fn left_by(secrets: &[Vec<u8>], work: impl FnOnce()) -> BTreeMap<usize, Left> {
    assert!(SOUGHT.set(Windows::of(secrets)).is_ok(), "one thing is sought in a process");
    LOOKS.set(true);
    work();
    LOOKS.set(false);
    std::mem::take(&mut LEFT.lock().unwrap())
}

fn look(block: &[u8]) {
    let (true, Some(sought)) = (LOOKS.get(), SOUGHT.get()) else { return };
    LOOKS.set(false);
    let found = scan(block, sought, IN_A_ROW);
    if !found.is_empty() {
        let mut left = LEFT.lock().unwrap();
        for number in found {
            left.entry(number).or_insert_with(|| Left { block_bytes: block.len(), at: lines() });
        }
    }
    LOOKS.set(true);
}

/// Lines of a backtrace that stand in the machines.
fn lines() -> Vec<String> {
    let trace = Backtrace::force_capture().to_string();
    let ours = |line: &&str| line.contains("client-core/src") || line.contains("protocol/src");
    trace.lines().map(str::trim).filter(ours).take(LINES).map(str::to_owned).collect()
}

struct Watching(Erasing<System>);

#[expect(unsafe_code, reason = "the trait is unsafe; all that this adds is a look")]
// SAFETY: each block comes from the inner allocator and goes back to it once, with the layout that it came with.
unsafe impl GlobalAlloc for Watching {
    /// Zeros, so that what is found in a block was written there by its owner.
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        // SAFETY: what the caller promises is what the inner allocator asks for.
        unsafe { self.0.alloc_zeroed(layout) }
    }

    unsafe fn dealloc(&self, block: *mut u8, layout: Layout) {
        // SAFETY: the block is that long, was zeros from the beginning, and is nobody else's until it is given back.
        unsafe {
            look(slice::from_raw_parts(block, layout.size()));
            self.0.dealloc(block, layout);
        }
    }
}
