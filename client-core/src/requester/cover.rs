//! Cover on her side (docs/spec/client.md §9).

use poterne_protocol::time::UnixTime;
use rand_core::CryptoRng;

use super::Requester;
use super::conversation::{Conversation, Standing};
use crate::cover::{CoverError, PollShape};
use crate::records::LocalId;
use crate::vault::Batch;

impl Requester {
    /// From now on polls have this shape, until the end of the run.
    pub fn set_poll_shape(&mut self, shape: PollShape) {
        self.shape = shape;
    }

    /// Sends a message that says nothing, as soon as one may be sealed. A text that is sealed before takes its place.
    pub fn cover(&mut self, id: LocalId, now: UnixTime, rng: &mut impl CryptoRng) -> Result<(), CoverError> {
        let now = self.clock.time(now);
        let conversation = self.conversations.get_mut(&id).ok_or(CoverError::Unknown)?;
        if conversation.standing != Standing::Open {
            return Err(CoverError::NotOpen);
        }
        conversation.talk.as_ref().ok_or(CoverError::NotOpen)?.takes_cover()?;
        conversation.run.cover_wanted = true;
        self.step(id, now, rng);
        Ok(())
    }

    /// Whether all that was sealed in a conversation is on the disk of a relay, and no cover waits to be sealed.
    pub fn is_settled(&self, id: LocalId) -> bool {
        let conversation = self.conversations.get(&id);
        conversation.is_none_or(|one| !one.run.cover_wanted && one.thread.outbox.is_settled())
    }
}

impl Conversation {
    /// Seals a cover message if one is wanted. Whether anything was sealed.
    pub(super) fn seal_cover(&mut self, now: UnixTime, rng: &mut impl CryptoRng, batch: &mut Batch) -> bool {
        if !self.run.cover_wanted || !self.may_go_on() {
            return false;
        }
        self.run.cover_wanted = false;
        let sealed = self.talk.as_mut().and_then(|talk| talk.seal_cover(rng));
        sealed.is_some_and(|sealed| !self.push_sealed(sealed, now, batch).is_empty())
    }
}
