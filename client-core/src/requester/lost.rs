//! First contacts that got lost: noticed by their relay's word, or its silence, and sealed anew (docs/spec/client.md §7.2).
//!
//! Invariant: the old first contact and the new one are never both live, because her first message binds one of them.

use poterne_protocol::keys::Pin;
use poterne_protocol::op::{Request, Status};
use poterne_protocol::time::UnixTime;
use rand_core::CryptoRng;

use super::conversation::{ATTEMPTS_MAX, Attempt, Conversation, Standing};
use crate::outbox::EntryId;
use crate::vault::Batch;

/// Seconds without a sign of a request after which it is sealed anew.
pub(super) const LOST_AFTER_SECS: u64 = 3600;

impl Conversation {
    /// Whether nobody knows of the newest first contact any more, for an hour.
    pub(super) fn is_lost(&self, now: UnixTime) -> bool {
        self.lost_at().is_some_and(|at| at <= now)
    }

    /// When the newest first contact will count as lost, if nothing is heard of it.
    pub(super) fn lost_at(&self) -> Option<UnixTime> {
        let may_be_sealed_anew =
            self.standing == Standing::Open && self.talk.is_none() && self.attempts.len() < ATTEMPTS_MAX;
        let since = self.attempts.last().and_then(|attempt| attempt.trouble_since);
        since.filter(|_| may_be_sealed_anew).map(|since| since.plus(LOST_AFTER_SECS))
    }

    /// Seals the newest first contact once more, with all that was written since. What was sealed for it and may still
    /// lie somewhere is put nowhere else.
    pub(super) fn seal_anew(&mut self, now: UnixTime, rng: &mut impl CryptoRng, batch: &mut Batch) {
        let Some(text) = self.attempts.last().map(|attempt| attempt.text.clone()) else { return };
        let old: Vec<EntryId> = self.thread.outbox.ids().collect();
        let files = self.thread.files_before_answer();
        match self.contact_entries(&text, &files, now, rng, batch) {
            Ok(entries) => self.thread.send_anew(&old, &entries.all(), batch),
            Err(_) => self.attempts.last_mut().into_iter().for_each(|attempt| attempt.trouble_since = None),
        }
    }

    /// The question what became of each first contact that waits at that relay.
    pub(super) fn status_requests(&self, relay: &Pin) -> Vec<(EntryId, Request)> {
        let request = |entry: EntryId| {
            let (target, envelope) = self.thread.outbox.location(entry)?;
            let is_asked = target.relay == *relay && self.thread.outbox.is_stored(entry);
            let status = Status { mailbox: target.to.clone(), ids: vec![envelope] };
            is_asked.then_some((entry, Request::Status(status)))
        };
        self.attempts.iter().filter_map(|attempt| request(attempt.entry)).collect()
    }

    /// The relay of a first contact says whether it is there, or says nothing. Whether that is news.
    pub(super) fn note_status(&mut self, entry: EntryId, is_there: bool, now: UnixTime) -> bool {
        let Some(attempt) = self.attempt_of(entry) else { return false };
        let before = attempt.trouble_since;
        attempt.trouble_since = match before {
            _ if is_there => None,
            None if now < attempt.last_day.end() => Some(now),
            since => since,
        };
        attempt.trouble_since != before
    }

    /// The intake of a first contact is closed. Where no relay has it, waiting makes nothing better.
    pub(super) fn note_not_taken(&mut self, entry: EntryId, now: UnixTime) {
        let is_stored = self.thread.outbox.is_stored(entry);
        if let Some(attempt) = self.attempt_of(entry) {
            let since = if is_stored { now } else { UnixTime(0) };
            attempt.trouble_since.get_or_insert(since);
        }
    }

    fn attempt_of(&mut self, entry: EntryId) -> Option<&mut Attempt> {
        self.attempts.iter_mut().find(|attempt| attempt.entry == entry)
    }
}
