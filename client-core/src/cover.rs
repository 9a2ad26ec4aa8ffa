//! Cover: messages that say nothing, and polls of one shape, so that who counts envelopes learns less of when something
//! is said (docs/spec/client.md §9).
//!
//! A cover message is sealed, kept, put, opened and deleted as any other. Nobody is shown it, and it raises no state: it
//! comes from a program, not from a person.

use rand_core::CryptoRng;

use crate::body::Body;
use crate::session::{CHAIN_MESSAGES_MAX, Sealed};
use crate::talk::Talk;

pub use crate::watch::{CONSTANT_ENVELOPES, CONSTANT_MAILBOXES, PollShape};

/// Messages without an answer from which on no cover is added: the rest of a chain, and of the 64 envelopes that a
/// mailbox takes, is for people.
pub const COVER_UNANSWERED_MAX: u32 = 16;

/// Why no cover can be sent.
#[derive(Clone, Copy, Debug, Eq, PartialEq, thiserror::Error)]
pub enum CoverError {
    /// The conversation is closed, stopped, or not bound yet: cover would bind it in a person's place.
    #[error("the conversation is not open in both directions")]
    NotOpen,
    /// So much waits without an answer that cover would take the place of messages.
    #[error("too much waits without an answer")]
    Unanswered,
    /// There is no such conversation.
    #[error("there is no such conversation")]
    Unknown,
}

impl Talk {
    /// Whether a message that says nothing may be sealed now.
    pub(crate) fn takes_cover(&self) -> Result<(), CoverError> {
        if !self.session.is_bound() {
            return Err(CoverError::NotOpen);
        }
        let unanswered = CHAIN_MESSAGES_MAX - self.session.messages_left();
        if unanswered < COVER_UNANSWERED_MAX { Ok(()) } else { Err(CoverError::Unanswered) }
    }

    /// Seals a message that says nothing.
    pub(crate) fn seal_cover(&mut self, rng: &mut impl CryptoRng) -> Option<Vec<Sealed>> {
        self.takes_cover().ok()?;
        self.seal(&Body::Cover, rng).ok()
    }
}
