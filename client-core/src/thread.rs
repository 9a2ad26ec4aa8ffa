//! What both sides of a conversation keep of it besides the keys: own texts and how far they have come, their sealed
//! envelopes, and the messages for people (docs/spec/client.md §4).

use std::collections::{BTreeMap, VecDeque};

use poterne_protocol::envelope::{Class, SealedEnvelope};
use poterne_protocol::keys::Pin;
use poterne_protocol::op::Request;
use poterne_protocol::time::{Day, UnixTime};
use serde::{Deserialize, Serialize};
use zeroize::{Zeroize, ZeroizeOnDrop, Zeroizing};

use crate::attachment::Descriptor;
use crate::body::Body;
use crate::body::kinds::Ack;
use crate::files::{ChunkPut, FileId, Files};
use crate::outbox::{EntryId, Outbox, OutboxPlain, Target};
use crate::reach::Reach;
use crate::records::{self, LocalId, Records};
use crate::stored::StoredError;
use crate::talk::Heard;
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

/// What a message asks of its reader beyond being shown.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(crate) enum Asked {
    /// The conversation is over.
    Close,
    /// A file is to be fetched.
    File(Descriptor),
    /// The other side has seen two copies of this one.
    Fork,
    /// Their next chain lies at these relays.
    Relays([u8; 2]),
}

/// Own texts, their envelopes, and where messages are shown.
#[derive(Debug)]
pub(crate) struct Thread {
    pub(crate) id: LocalId,
    me: Author,
    /// Counts the conversation's new beginnings; part of each position.
    pub(crate) number: u16,
    pub(crate) sent: BTreeMap<Position, Sent>,
    pub(crate) outbox: Outbox,
    /// When the last message was sealed or opened.
    pub(crate) last: UnixTime,
    pub(crate) files: Files,
}

impl Thread {
    pub(crate) fn new(id: LocalId, me: Author) -> Self {
        let (sent, outbox, files) = (BTreeMap::new(), Outbox::default(), Files::default());
        Self { id, me, number: 0, sent, outbox, last: UnixTime(0), files }
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
    pub(crate) fn drop_unnamed_files(&mut self, drafts: &VecDeque<Draft>, batch: &mut Batch) {
        let sent = self.sent.values().filter_map(|sent| sent.file);
        let named: Vec<FileId> = drafts.iter().filter_map(|draft| draft.file).chain(sent).collect();
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

    /// Gives up the envelopes of texts that somebody has opened, at the positions that `is` picks.
    fn give_up_opened(&mut self, batch: &mut Batch, is: impl Fn(&Position) -> bool) {
        let opened =
            self.sent.iter_mut().filter(|(position, sent)| is(position) && sent.state > SentState::Stored);
        let (mut entries, mut files) = (Vec::new(), Vec::new());
        for (_, sent) in opened {
            entries.append(&mut sent.entries);
            files.extend(sent.file);
        }
        entries.into_iter().for_each(|entry| self.withdraw(entry, batch));
        files.into_iter().for_each(|file| self.files.give_up(self.id, file, batch));
    }

    /// Gives up envelopes that carry no text, when the other side has answered: receipts have done their work.
    fn give_up_receipts(&mut self, batch: &mut Batch) {
        let is_text = |entry: &EntryId| self.sent.values().any(|sent| sent.entries.contains(entry));
        let receipts: Vec<EntryId> = self.outbox.ids().filter(|entry| !is_text(entry)).collect();
        receipts.into_iter().for_each(|entry| self.withdraw(entry, batch));
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

    /// Takes in an opened message of the other side: what it acknowledges, and what it says.
    pub(crate) fn hear(&mut self, heard: Heard, now: UnixTime, batch: &mut Batch) -> Option<Asked> {
        self.last = self.last.max(now);
        if matches!(heard.whole, Some((_, Body::Cover))) {
            return None;
        }
        let (thread, chain) = (self.number, heard.chain);
        let is_earlier = move |position: &Position| position.attempt == thread && position.chain <= chain;
        self.raise(SentState::Answered, is_earlier);
        self.give_up_opened(batch, move |position| {
            is_earlier(position) && (chain > 0 || position.number == 0)
        });
        if chain > 0 {
            self.give_up_receipts(batch);
        }
        let (first, body) = heard.whole?;
        self.hear_body(Position::ratchet(thread, chain, first), body, now, batch)
    }

    fn hear_body(
        &mut self,
        position: Position,
        body: Body,
        now: UnixTime,
        batch: &mut Batch,
    ) -> Option<Asked> {
        match body {
            Body::Text(text) => self.show(position, Content::Text(text.to_string()), now, batch),
            Body::Attachment(descriptor) => {
                self.show(position, Content::file(&descriptor), now, batch);
                return Some(Asked::File(descriptor));
            }
            Body::Close(close) => {
                if !close.text.is_empty() {
                    self.show(position, Content::Text(close.text), now, batch);
                }
                return Some(Asked::Close);
            }
            Body::Cover => {}
            Body::Ack(acks) => acks.iter().for_each(|ack| self.hear_ack(ack, batch)),
            Body::Fork(_) => return Some(Asked::Fork),
            Body::Relays(numbers) => return Some(Asked::Relays(numbers)),
            other => {
                let content = Content::Newer { kind: other.kind(), body: other.encode().to_vec() };
                self.show(position, content, now, batch);
            }
        }
        None
    }

    /// Shows a message of the other side to people.
    pub(crate) fn show(&self, position: Position, content: Content, now: UnixTime, batch: &mut Batch) {
        let author = match self.me {
            Author::Requester => Author::Volunteer,
            Author::Volunteer => Author::Requester,
        };
        transcript::write(batch, self.id, &Message { position, author, at: now, content });
    }

    fn hear_ack(&mut self, ack: &Ack, batch: &mut Batch) {
        let at = |n: u16| match ack.chain {
            Ack::FOLLOW_UPS => Position::follow_up(self.number, n),
            chain => Position::ratchet(self.number, chain, n.into()),
        };
        let acked = at(ack.first)..=at(ack.last);
        let state = if ack.is_read { SentState::Read } else { SentState::Answered };
        self.raise(state, |position| acked.contains(position));
        self.give_up_opened(batch, |position| acked.contains(position));
    }
}

/// A thread at rest, without its envelopes and messages, which lie in records of their own.
#[derive(Deserialize, Serialize, Zeroize, ZeroizeOnDrop)]
pub(crate) struct ThreadPlain {
    number: u16,
    sent: Vec<SentPlain>,
    outbox: OutboxPlain,
    last: u64,
}

#[derive(Deserialize, Serialize, Zeroize, ZeroizeOnDrop)]
struct SentPlain {
    position: (u16, u32, u32),
    state: u8,
    entries: Vec<EntryId>,
}

impl Thread {
    pub(crate) fn to_plain(&self) -> ThreadPlain {
        let sent = self.sent.iter().map(|(position, sent)| SentPlain::of(*position, sent)).collect();
        ThreadPlain { number: self.number, sent, outbox: self.outbox.to_plain(), last: self.last.0 }
    }

    pub(crate) fn from_plain(
        plain: &ThreadPlain,
        records: &impl Records,
        id: LocalId,
        me: Author,
    ) -> Result<Self, StoredError> {
        let sent = plain.sent.iter().map(SentPlain::parse).collect::<Result<_, _>>()?;
        let outbox = Outbox::from_plain(&plain.outbox, |entry| records::envelope(records, id, entry))?;
        let last = UnixTime(plain.last);
        Ok(Self { id, me, number: plain.number, sent, outbox, last, files: Files::default() })
    }
}

impl SentPlain {
    fn of(position: Position, sent: &Sent) -> Self {
        let Position { attempt, chain, number } = position;
        Self { position: (attempt, chain, number), state: sent.state as u8, entries: sent.entries.clone() }
    }

    fn parse(&self) -> Result<(Position, Sent), StoredError> {
        let (attempt, chain, number) = self.position;
        let state = SentState::parse(self.state).ok_or(StoredError::Damaged)?;
        Ok((Position { attempt, chain, number }, Sent { state, entries: self.entries.clone(), file: None }))
    }
}

/// A draft at rest.
#[derive(Deserialize, Serialize, Zeroize, ZeroizeOnDrop)]
pub(crate) struct DraftPlain {
    text: String,
    written: u64,
}

impl From<&Draft> for DraftPlain {
    fn from(draft: &Draft) -> Self {
        Self { text: draft.text.to_string(), written: draft.written.0 }
    }
}

impl From<&DraftPlain> for Draft {
    fn from(plain: &DraftPlain) -> Self {
        Self::new(&plain.text, UnixTime(plain.written))
    }
}

#[cfg(test)]
mod tests {

    use super::*;
    use crate::vault::memory::MemoryDisk;
    use crate::vault::{Params, Vault};

    #[test]
    fn a_body_of_an_unknown_type_is_kept_and_shown_as_needing_a_newer_version() {
        let (mut rng, now) = (crate::fixture::rng(1), crate::fixture::now());
        let mut thread = Thread::new(LocalId([1; 8]), Author::Requester);
        let mut batch = Batch::new();
        let body = Body::parse(200, b"from a later version");
        assert_eq!(thread.hear(Heard { chain: 0, whole: Some((0, body)) }, now, &mut batch), None);
        let disk = MemoryDisk::new(Params::smallest().file_bytes());
        let mut vault = Vault::format(disk, Params::smallest(), b"words", &mut rng).unwrap();
        vault.commit(batch, &mut rng).unwrap();
        let shown = transcript::read(&vault, thread.id).unwrap();
        let expected = Content::Newer { kind: 200, body: b"from a later version".to_vec() };
        assert!(shown.len() == 1 && shown[0].content == expected);
    }

    #[test]
    fn an_acknowledged_text_is_read() {
        let now = crate::fixture::now();
        let mut thread = Thread::new(LocalId([1; 8]), Author::Requester);
        let (mut batch, at) = (Batch::new(), Position::ratchet(0, 1, 3));
        thread.note_sent(at, &Draft::new("hello", now), vec![], &mut batch);
        thread.note_stored();
        let ack = Ack { is_read: true, chain: 1, first: 2, last: 4 };
        thread.hear(Heard { chain: 2, whole: Some((0, Body::Ack(vec![ack]))) }, now, &mut batch);
        assert_eq!(thread.sent[&at].state, SentState::Read);
    }
}
