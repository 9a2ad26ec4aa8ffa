//! What outlives its owner: copies on the stack and in registers (docs/threat-model.md, *Memory*).
//!
//! A secret that is moved or passed through a register may leave a copy in a frame that nobody uses any more, and the
//! vector registers keep what was copied last. Secrets on the heap wipe themselves; for the rest, who runs the machines
//! calls [`wipe_stack`] when they have nothing to do, before it waits for people.

use core::hint::black_box;

use zeroize::Zeroize;

use crate::seal;

/// Bytes of the stack below the caller that are overwritten: several times what the deepest call of this crate takes.
pub const STACK_BYTES: usize = 256 * 1024;
/// Bytes that are sealed under a key of zeros: enough for the widest form of the cipher.
const WORK_BYTES: usize = 1024;

/// Overwrites the part of the stack that finished calls have used, and the vector registers with the work of a cipher.
#[inline(never)]
pub fn wipe_stack() {
    let mut below = [0u8; STACK_BYTES];
    below.zeroize();
    black_box(&below);
    black_box(seal::seal(&[0; 32], &[0; 24], &[], &[0; WORK_BYTES]));
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn wiping_leaves_the_callers_own_values_alone() {
        let mine = black_box([7u8; 64]);
        wipe_stack();
        assert_eq!(mine, [7; 64]);
    }
}
