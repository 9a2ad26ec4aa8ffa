//! Tells a test of every secret that is made, so that it can look for what is left of them in memory afterwards
//! (docs/threat-model.md, *Memory*).
//!
//! Only with the feature `witness`, which no program has: without it [`note`] is nothing.

#[cfg(feature = "witness")]
use std::cell::RefCell;

/// Who is told of a secret's bytes. It must keep no copy that looks like them.
#[cfg(feature = "witness")]
pub type Visitor = Box<dyn FnMut(&[u8])>;

#[cfg(feature = "witness")]
thread_local! {
    static VISITOR: RefCell<Option<Visitor>> = const { RefCell::new(None) };
}

/// From now on `visitor` is told of the secrets that this thread makes; `None` ends it.
#[cfg(feature = "witness")]
pub fn install(visitor: Option<Visitor>) {
    VISITOR.with(|held| *held.borrow_mut() = visitor);
}

/// A secret was made.
#[cfg(feature = "witness")]
pub fn note(secret: &[u8]) {
    VISITOR.with(|held| {
        if let Some(visitor) = &mut *held.borrow_mut() {
            visitor(secret);
        }
    });
}

/// A secret was made, and nobody is told.
#[cfg(not(feature = "witness"))]
#[inline(always)]
pub fn note(_: &[u8]) {}
