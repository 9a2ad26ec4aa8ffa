//! Calls by the lifeline (docs/spec/client.md §7.4, handshake.md §7).
//!
//! This build can't follow a call. So it keeps the whole envelope, for one that can, and shows that a newer version is
//! needed; what opens as a call is never dropped.

use poterne_protocol::envelope::SealedEnvelope;
use poterne_protocol::time::UnixTime;

use super::conversation::Conversation;
use super::inbound::Fate;
use crate::body::Body;
use crate::lifeline::CallError;
use crate::transcript::{Content, Position};
use crate::vault::Batch;

/// Calls of one conversation that are kept at most, 4 KiB each. Further ones stay at the relay.
pub const CALLS_MAX: usize = 16;

impl Conversation {
    /// Takes an envelope out of the answer box that is no answer.
    pub(super) fn take_call(
        &mut self,
        contact: [u8; 32],
        envelope: &SealedEnvelope,
        now: UnixTime,
        batch: &mut Batch,
    ) -> Fate {
        let Some(attempt) =
            self.attempts.iter().find(|attempt| attempt.pending.handshake.contact_hash == contact)
        else {
            return Fate::Left;
        };
        match attempt.pending.open_call(envelope) {
            Ok(_) | Err(CallError::Decode(_)) => self.keep_call(envelope, now, batch),
            Err(CallError::Spoilt) => Fate::Left,
            Err(CallError::NotOpened | CallError::Refused) => Fate::Useless,
        }
    }

    fn keep_call(&mut self, envelope: &SealedEnvelope, now: UnixTime, batch: &mut Batch) -> Fate {
        let id = envelope.id();
        if self.calls.contains(&id) {
            return Fate::Useless;
        }
        if self.calls.len() >= CALLS_MAX {
            return Fate::Left;
        }
        self.calls.push(id);
        let chain = self.talk.as_ref().map_or(0, |talk| talk.session.newest_chain() + 1);
        let position = Position::call(self.thread.number, chain, &id);
        let content = Content::Newer { kind: Body::HAND_OVER, body: envelope.as_bytes().to_vec() };
        self.thread.show(position, content, now, batch);
        Fate::Taken
    }
}
