//! What both sides of a conversation keep of it besides the keys: own texts and how far they have come, their sealed
//! envelopes, and the messages for people (docs/spec/client.md §4).

mod hearing;
mod stored;

use std::collections::{BTreeMap, VecDeque};

use poterne_protocol::envelope::{Class, SealedEnvelope};
use poterne_protocol::keys::Pin;
use poterne_protocol::op::Request;
use poterne_protocol::time::{Day, UnixTime};
use rand_core::CryptoRng;
use zeroize::Zeroizing;

pub(crate) use hearing::Asked;
pub(crate) use stored::{DraftPlain, ThreadPlain};

use crate::files::{ChunkPut, FileId, Files, Letter};
use crate::outbox::{EntryId, Outbox, Target};
use crate::reach::Reach;
use crate::records::{self, LocalId};
use crate::transcript::{self, Author, Content, Message, Position, SentState};
use crate::vault::Batch;

/// A text that is not sealed yet.
#[derive(Clone)]
pub(crate) struct Draft {
    pub(crate) text: Zeroizing<String>,
    pub(crate) written: UnixTime,
    /// What goes with it.
    pub(crate) file: Option<FileId>,
}

crate::secret::silent!(Draft);

impl Draft {
    pub(crate) fn new(text: &str, now: UnixTime) -> Self {
        Self { text: Zeroizing::new(text.to_owned()), written: now, file: None }
    }
}

/// A text or file that is sealed: how far it has come, and which entries of the outbox carry it, or its announcement.
#[derive(Debug)]
pub(crate) struct Sent {
    pub(crate) state: SentState,
    pub(crate) entries: Vec<EntryId>,
    pub(crate) file: Option<FileId>,
}

/// Own texts, their envelopes, and where messages are shown.
#[derive(Debug)]
pub(crate) struct Thread {
    pub(crate) id: LocalId,
    me: Author,
    /// Counts the conversation's new beginnings; part of each position.
    pub(crate) number: u16,
    /// Own texts that wait to be sealed, oldest first.
    pub(crate) drafts: VecDeque<Draft>,
    pub(crate) sent: BTreeMap<Position, Sent>,
    pub(crate) outbox: Outbox,
    /// When the last message was sealed or opened.
    pub(crate) last: UnixTime,
    pub(crate) files: Files,
}

impl Thread {
    pub(crate) fn new(id: LocalId, me: Author) -> Self {
        Self {
            id,
            me,
            number: 0,
            drafts: VecDeque::new(),
            sent: BTreeMap::new(),
            outbox: Outbox::default(),
            last: UnixTime(0),
            files: Files::default(),
        }
    }

    /// Keeps a text, and what goes with it, until it may be sealed.
    pub(crate) fn write_draft(
        &mut self,
        letter: Letter,
        now: UnixTime,
        rng: &mut impl CryptoRng,
        batch: &mut Batch,
    ) {
        let file = letter.file.map(|file| self.files.add(self.id, file, rng, batch));
        self.drafts.push_back(Draft { file, ..Draft::new(letter.text, now) });
    }

    /// Bytes of text that wait to be sealed.
    pub(crate) fn waiting_bytes(&self) -> usize {
        self.drafts.iter().map(|draft| draft.text.len()).sum()
    }

    /// Puts an envelope into outbox and batch.
    pub(crate) fn push(
        &mut self,
        envelope: SealedEnvelope,
        class: Class,
        targets: Vec<Target>,
        now: UnixTime,
        batch: &mut Batch,
    ) -> EntryId {
        let bytes = envelope.as_bytes().to_vec();
        self.last = self.last.max(now);
        let entry = self.outbox.push(envelope, class, targets, now);
        batch.put(&records::envelope_key(self.id, entry), bytes);
        entry
    }

    /// Takes an envelope out of outbox and vault.
    pub(crate) fn withdraw(&mut self, entry: EntryId, batch: &mut Batch) {
        self.outbox.remove(entry);
        batch.delete(&records::envelope_key(self.id, entry));
    }

    /// Gives a sealed text its place in the conversation.
    pub(crate) fn note_sent(
        &mut self,
        position: Position,
        draft: &Draft,
        entries: Vec<EntryId>,
        batch: &mut Batch,
    ) {
        let content = Content::Text(draft.text.to_string());
        transcript::write(batch, self.id, &Message { position, author: self.me, at: draft.written, content });
        self.sent.insert(position, Sent { state: SentState::Queued, entries, file: None });
    }

    /// Gives an announced file its place in the conversation.
    pub(crate) fn note_file_sent(
        &mut self,
        position: Position,
        file: FileId,
        written: UnixTime,
        entries: Vec<EntryId>,
        batch: &mut Batch,
    ) {
        let Some(descriptor) = self.files.descriptor(file) else { return };
        let content = Content::file(descriptor);
        transcript::write(batch, self.id, &Message { position, author: self.me, at: written, content });
        self.sent.insert(position, Sent { state: SentState::Queued, entries, file: Some(file) });
    }

    /// Forgets files whose text was taken back.
    pub(crate) fn drop_unnamed_files(&mut self, batch: &mut Batch) {
        let sent = self.sent.values().filter_map(|sent| sent.file);
        let named: Vec<FileId> = self.drafts.iter().filter_map(|draft| draft.file).chain(sent).collect();
        self.files.drop_unnamed(self.id, &named, batch);
    }

    /// The files that were announced in the request or a follow-up of this attempt.
    pub(crate) fn files_before_answer(&self) -> Vec<FileId> {
        let begin = Position::request(self.number);
        let before = self.sent.range(begin..Position { chain: 1, number: 0, ..begin });
        before.filter_map(|(_, sent)| sent.file).collect()
    }

    /// Marks texts and files of which all envelopes are stored.
    pub(crate) fn note_stored(&mut self) {
        for sent in self.sent.values_mut().filter(|sent| sent.state == SentState::Queued) {
            let is_file_stored = sent.file.is_none_or(|file| self.files.is_stored(file));
            if is_file_stored && sent.entries.iter().all(|entry| self.outbox.is_stored(*entry)) {
                sent.state = SentState::Stored;
            }
        }
    }

    /// Raises the state of texts that left this machine at the positions that `is` picks.
    pub(crate) fn raise(&mut self, state: SentState, is: impl Fn(&Position) -> bool) {
        for (_, sent) in self.sent.iter_mut().filter(|(position, _)| is(position)) {
            if (SentState::Stored..state).contains(&sent.state) || sent.state == SentState::Expired {
                sent.state = state;
            }
        }
    }

    /// Gives up everything that was sealed so far. What no relay has will not come.
    pub(crate) fn begin_anew(&mut self, batch: &mut Batch) {
        self.withdraw_all(batch);
        let files: Vec<FileId> = self.sent.values().filter_map(|sent| sent.file).collect();
        files.into_iter().for_each(|file| self.files.give_up(self.id, file, batch));
        for sent in self.sent.values_mut().filter(|sent| sent.state == SentState::Queued) {
            sent.state = SentState::Expired;
        }
        self.number += 1;
    }

    /// Whether nothing was sealed or opened for more than so many days.
    pub(crate) fn is_silent_for(&self, days: u32, today: Day) -> bool {
        today > self.last.day() + days
    }

    /// Takes all envelopes out of outbox and vault.
    pub(crate) fn withdraw_all(&mut self, batch: &mut Batch) {
        self.outbox.ids().collect::<Vec<_>>().into_iter().for_each(|entry| self.withdraw(entry, batch));
        self.sent.values_mut().for_each(|sent| sent.entries.clear());
    }

    /// All that was written before an answer goes out once more, in those envelopes instead of the `old` ones.
    pub(crate) fn send_anew(&mut self, old: &[EntryId], entries: &[EntryId], batch: &mut Batch) {
        old.iter().for_each(|entry| self.withdraw(*entry, batch));
        let thread = self.number;
        let is_before = |position: &Position| position.attempt == thread && position.chain == 0;
        for (_, sent) in self.sent.iter_mut().filter(|(position, _)| is_before(position)) {
            *sent = Sent { state: SentState::Queued, entries: entries.to_vec(), file: sent.file };
        }
    }

    /// Where a text stands whose first part is follow-up `n`: behind everything that was written before it.
    pub(crate) fn follow_up_position(&self, n: u16) -> Position {
        let planned = Position::follow_up(self.number, n);
        let last = self.sent.range(..Position { chain: 1, number: 0, ..planned }).next_back();
        match last {
            Some((last, _)) if *last >= planned => Position { number: last.number + 1, ..planned },
            _ => planned,
        }
    }

    /// Chunks of files that are due: none while an envelope waits to be stored.
    pub(crate) fn take_due_chunks(&mut self, now: UnixTime, reach: &Reach) -> Vec<(ChunkPut, Pin, Request)> {
        if self.outbox.is_settled() { self.files.take_due(now, reach) } else { Vec::new() }
    }

    /// Whether every envelope, those of files too, is on the disk of a relay.
    pub(crate) fn is_settled(&self) -> bool {
        self.outbox.is_settled() && self.files.is_settled()
    }

    /// When outbox or files next have work to do.
    pub(crate) fn poll_timeout(&self, reach: &Reach) -> Option<UnixTime> {
        let files = self.files.poll_timeout(self.outbox.is_settled(), reach);
        self.outbox.poll_timeout(reach).into_iter().chain(files).min()
    }

    /// Makes everything that waits for a repetition due at once.
    pub(crate) fn hurry(&mut self, now: UnixTime) {
        self.outbox.hurry(now);
        self.files.hurry(now);
    }

    /// Drops envelopes whose time is over; their texts are expired unless somebody is known to have them.
    pub(crate) fn expire(&mut self, now: UnixTime, batch: &mut Batch) -> bool {
        let gone = self.outbox.expire(now);
        gone.iter().for_each(|entry| batch.delete(&records::envelope_key(self.id, *entry)));
        for sent in
            self.sent.values_mut().filter(|sent| sent.entries.iter().any(|entry| gone.contains(entry)))
        {
            if sent.state <= SentState::Stored {
                sent.state = SentState::Expired;
            }
            sent.entries.retain(|entry| !gone.contains(entry));
        }
        let (lost, changed) = self.files.expire(self.id, now, batch);
        let is_lost = |sent: &&mut Sent| sent.file.is_some_and(|file| lost.contains(&file));
        self.sent.values_mut().filter(is_lost).for_each(|sent| sent.state = SentState::Expired);
        changed || !gone.is_empty()
    }
}
