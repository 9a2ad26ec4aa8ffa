//! What an opened message of the other side changes: it is shown, it says how far own texts have come, and it may ask
//! something of its reader (docs/spec/client.md §4).

use poterne_protocol::time::UnixTime;

use super::Thread;
use crate::attachment::Descriptor;
use crate::body::Body;
use crate::body::kinds::Ack;
use crate::outbox::EntryId;
use crate::talk::Heard;
use crate::transcript::{self, Author, Content, Message, Position, SentState};
use crate::vault::Batch;

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

impl Thread {
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
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::records::LocalId;
    use crate::thread::Draft;
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
