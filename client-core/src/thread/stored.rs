//! A thread and drafts at rest (docs/spec/client.md §6).

use poterne_protocol::time::UnixTime;
use serde::{Deserialize, Serialize};
use zeroize::{Zeroize, ZeroizeOnDrop};

use super::{Draft, Sent, Thread};
use crate::outbox::{EntryId, Outbox, OutboxPlain};
use crate::records::{self, LocalId, Records};
use crate::stored::StoredError;
use crate::transcript::{Author, Position, SentState};

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

    /// The drafts: they lie beside the thread in its record.
    pub(crate) fn drafts_to_plain(&self) -> Vec<DraftPlain> {
        self.drafts.iter().map(DraftPlain::from).collect()
    }

    pub(crate) fn from_plain(
        plain: &ThreadPlain,
        drafts: &[DraftPlain],
        records: &impl Records,
        id: LocalId,
        me: Author,
    ) -> Result<Self, StoredError> {
        let sent = plain.sent.iter().map(SentPlain::parse).collect::<Result<_, _>>()?;
        let outbox = Outbox::from_plain(&plain.outbox, |entry| records::envelope(records, id, entry))?;
        let last = UnixTime(plain.last);
        let drafts = drafts.iter().map(Draft::from).collect();
        Ok(Self { number: plain.number, drafts, sent, outbox, last, ..Self::new(id, me) })
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
