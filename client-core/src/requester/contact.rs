//! Sealing first contacts and follow-ups (docs/spec/client.md §7.2).
//!
//! A long request is M0 and some follow-ups; these are put first, so that whoever sees the request can read the whole.
//! Where an M0 got lost, a new one is sealed with fresh keys and the reveal of the last.

use poterne_protocol::envelope::{Class, SealedEnvelope};
use poterne_protocol::keys::Pin;
use poterne_protocol::mailbox::WriteTo;
use poterne_protocol::time::UnixTime;
use rand_core::CryptoRng;
use zeroize::Zeroizing;

use super::conversation::{Attempt, Conversation};
use crate::body::{self, Body, Part, PartMark};
use crate::files::FileId;
use crate::follow_up::{FOLLOW_UP_TEXT_BYTES, FOLLOW_UPS_MAX};
use crate::notice::Notice;
use crate::outbox::{EntryId, Target, Turn};
use crate::request::{ChosenRelay, PendingRequest, REQUEST_TEXT_BYTES, RequestDraft, seal_request};
use crate::thread::Draft;
use crate::transcript::Position;
use crate::vault::Batch;

/// Bytes of the longest text that a first contact with its follow-ups carries, whatever its characters.
pub const REQUEST_BYTES_MAX: usize = 31 * (FOLLOW_UP_TEXT_BYTES - 3);

/// Bytes of all that is written before an answer at most, so that it fits into one first contact if it must be sealed
/// anew.
const JOINED_BYTES_MAX: usize = REQUEST_TEXT_BYTES - 3 + 32 * (FOLLOW_UP_TEXT_BYTES - 3);
/// What stands between texts that are sealed anew in one.
pub(super) const BETWEEN: &str = "\n\n";

/// There is no notice with a relay to seal a first contact under.
pub(super) struct NoContact;

/// The entries of the outbox that carry a first contact.
pub(super) struct Entries {
    text: Vec<EntryId>,
    announced: Vec<Announced>,
}

impl Entries {
    /// All of them.
    pub(super) fn all(self) -> Vec<EntryId> {
        let announced = self.announced.into_iter().flat_map(|one| one.entries);
        let mut all: Vec<EntryId> = self.text.into_iter().chain(announced).collect();
        all.sort_unstable();
        all.dedup();
        all
    }
}

/// A file that was announced in follow-up `n`.
struct Announced {
    file: FileId,
    n: u16,
    entries: Vec<EntryId>,
}

impl Conversation {
    /// Seals a draft as a first contact under the newest notice. On failure the draft comes back.
    pub(super) fn seal_contact(
        &mut self,
        draft: Draft,
        now: UnixTime,
        rng: &mut impl CryptoRng,
        batch: &mut Batch,
    ) -> Result<(), Draft> {
        let files: Vec<FileId> = draft.file.into_iter().collect();
        let Ok(sealed) = self.contact_entries(&draft.text, &files, now, rng, batch) else {
            return Err(draft);
        };
        let Entries { text, announced } = sealed;
        self.thread.note_sent(Position::request(self.thread.number), &draft, text, batch);
        self.note_announced(announced, draft.written, batch);
        Ok(())
    }

    /// The envelopes of a first contact with that text and those files, in the outbox.
    pub(super) fn contact_entries(
        &mut self,
        text: &str,
        files: &[FileId],
        now: UnixTime,
        rng: &mut impl CryptoRng,
        batch: &mut Batch,
    ) -> Result<Entries, NoContact> {
        let notice = self.notice.clone().ok_or(NoContact)?;
        let mut parts = body::split(Body::TEXT, text.as_bytes(), REQUEST_TEXT_BYTES, FOLLOW_UP_TEXT_BYTES);
        let most = usize::from(FOLLOW_UPS_MAX) + 1 - files.len();
        let parts = parts.as_mut().filter(|parts| parts.len() <= most).ok_or(NoContact)?;
        let head = parts.remove(0);
        let sealing = RequestDraft {
            text: core::str::from_utf8(&head.bytes).map_err(|_| NoContact)?,
            goes_on: !parts.is_empty(),
            language: self.language,
            sent_at: now,
            answer_relays: answer_relays(&notice),
            reveal: self.reveal.clone(),
        };
        let (envelope, pending) = seal_request(&notice, &sealing, rng).map_err(|_| NoContact)?;
        self.reveal = Some(pending.next_reveal().clone());
        let last_day = Class::FOUR.last_day(now.day());
        let text = Zeroizing::new(text.to_owned());
        self.attempts.push(Attempt { pending, text, notice, entry: 0, last_day, trouble_since: None });
        let mut entries = self.seal_parts(parts, now, rng, batch);
        let mut announced = self.announce_before_answer(files, now, rng, batch);
        let entry = self.put_contact(envelope, now, batch);
        self.newest_attempt().entry = entry;
        entries.push(entry);
        announced.iter_mut().for_each(|one| one.entries.push(entry));
        Ok(Entries { text: entries, announced })
    }

    /// Announces files in follow-ups, and lets their chunks go to the relays of the newest first contact.
    fn announce_before_answer(
        &mut self,
        files: &[FileId],
        now: UnixTime,
        rng: &mut impl CryptoRng,
        batch: &mut Batch,
    ) -> Vec<Announced> {
        let relays: Vec<Pin> =
            self.newest_attempt().pending.relays().iter().flatten().map(|relay| relay.pin).collect();
        let mut announced = Vec::new();
        for file in files {
            let Some(descriptor) = self.thread.files.descriptor(*file).cloned() else { continue };
            let body = Body::Attachment(descriptor);
            let part = Part { kind: body.kind(), mark: PartMark::WHOLE, bytes: body.encode() };
            let n = self.newest_attempt().pending.follow_ups_sealed();
            let entries = self.seal_parts(&[part], now, rng, batch);
            self.thread.files.begin(*file, Class::THIRTY, &relays, now);
            announced.push(Announced { file: *file, n, entries });
        }
        announced
    }

    fn note_announced(&mut self, announced: Vec<Announced>, written: UnixTime, batch: &mut Batch) {
        for Announced { file, n, entries } in announced {
            let position = self.thread.follow_up_position(n);
            self.thread.note_file_sent(position, file, written, entries, batch);
        }
    }

    /// Seals a draft as follow-ups of the newest first contact. On failure the draft comes back.
    pub(super) fn seal_follow_up(
        &mut self,
        draft: Draft,
        now: UnixTime,
        rng: &mut impl CryptoRng,
        batch: &mut Batch,
    ) -> Result<(), Draft> {
        let size = FOLLOW_UP_TEXT_BYTES;
        let parts = body::split(Body::TEXT, draft.text.as_bytes(), size, size);
        let files: Vec<FileId> = draft.file.into_iter().collect();
        let has_room =
            parts.as_ref().is_some_and(|parts| parts.len() + files.len() <= self.follow_ups_left());
        let joined = self.newest_attempt().text.len() + BETWEEN.len() + draft.text.len();
        let all_files = self.thread.files_before_answer().len() + files.len();
        let most = JOINED_BYTES_MAX.saturating_sub(all_files * FOLLOW_UP_TEXT_BYTES);
        let Some(parts) = parts.filter(|_| has_room && joined <= most) else {
            return Err(draft);
        };
        let sealed = self.newest_attempt().pending.follow_ups_sealed();
        let position = self.thread.follow_up_position(sealed);
        let attempt = self.newest_attempt();
        attempt.text.push_str(BETWEEN);
        attempt.text.push_str(&draft.text);
        let entries = self.seal_parts(&parts, now, rng, batch);
        self.thread.note_sent(position, &draft, entries, batch);
        let announced = self.announce_before_answer(&files, now, rng, batch);
        self.note_announced(announced, draft.written, batch);
        Ok(())
    }

    /// How many follow-ups the newest first contact still has room for.
    fn follow_ups_left(&mut self) -> usize {
        usize::from(FOLLOW_UPS_MAX - self.newest_attempt().pending.follow_ups_sealed())
    }

    /// Follow-ups of the newest first contact with those parts, for which it has room.
    fn seal_parts(
        &mut self,
        parts: &[Part],
        now: UnixTime,
        rng: &mut impl CryptoRng,
        batch: &mut Batch,
    ) -> Vec<EntryId> {
        let mut entries = Vec::new();
        for part in parts {
            let attempt = self.newest_attempt();
            let targets = follow_up_targets(&attempt.pending);
            let envelope = attempt.pending.follow_ups().seal_kind(part.kind, &part.bytes, part.mark, rng);
            let envelope = envelope.expect("the text was split to fit, and there is room for it");
            entries.push(self.thread.push(envelope, Class::FOURTEEN, targets, now, batch));
        }
        entries
    }

    fn put_contact(&mut self, envelope: SealedEnvelope, now: UnixTime, batch: &mut Batch) -> EntryId {
        let attempt = self.newest_attempt();
        let intake = |relay: &ChosenRelay| Target {
            relay: relay.pin,
            to: attempt
                .notice
                .intake_at(attempt.notice.relay(relay.number).expect("chosen from this notice")),
        };
        let targets = attempt.pending.relays().iter().flatten().map(intake).collect();
        let entry = self.thread.push(envelope, Class::FOUR, targets, now, batch);
        self.thread.outbox.set_turn(entry, Turn::AfterAll);
        entry
    }

    fn newest_attempt(&mut self) -> &mut Attempt {
        self.attempts.last_mut().expect("follow-ups belong to a first contact")
    }
}

/// The first relay, and the first one after it of another operator.
fn answer_relays(notice: &Notice) -> [Option<ChosenRelay>; 2] {
    let mut relays = notice.relays().iter();
    let Some(first) = relays.next() else { return [None, None] };
    let second = relays.find(|relay| relay.operator != first.operator);
    [Some(first.into()), second.map(Into::into)]
}

/// The follow-up mailbox at the relays of a request.
fn follow_up_targets(pending: &PendingRequest) -> Vec<Target> {
    let keys = pending.handshake.follow_up_mailbox().keys();
    let target = |pin: Pin| Target { relay: pin, to: WriteTo::plain(&keys, &pin) };
    pending.relays().iter().flatten().map(|relay| target(relay.pin)).collect()
}
