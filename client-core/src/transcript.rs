//! A conversation as people read it: whole texts in order, and how far each own one has come
//! (docs/spec/client.md §4).
//!
//! Chains alternate strictly, so (attempt, chain, number) orders all messages of both sides alike, however they arrive.

use poterne_protocol::envelope::EnvelopeId;
use poterne_protocol::time::UnixTime;
use serde::{Deserialize, Serialize};
use zeroize::{Zeroize, ZeroizeOnDrop};

use crate::attachment::Descriptor;
use crate::files::FileId;
use crate::records::{self, LocalId, MESSAGE, Records};
use crate::stored::{self, StoredError};
use crate::vault::Batch;

const VERSION: u8 = 1;

/// Who wrote a message.
#[derive(Clone, Copy, Debug, Deserialize, Eq, PartialEq, Serialize)]
pub enum Author {
    /// The person who asks for help.
    Requester,
    /// The one who answers.
    Volunteer,
}

/// How far an own text has come (DESIGN: Receipts).
#[derive(Clone, Copy, Debug, Deserialize, Eq, Ord, PartialEq, PartialOrd, Serialize)]
pub enum SentState {
    /// In the own outbox; no relay has it yet.
    Queued,
    /// On the disk of a relay, in the relay's own word.
    Stored,
    /// A volunteer has taken the request: her sealed receipt was opened.
    Claimed,
    /// A later message of the other side was opened.
    Answered,
    /// The other side's sealed acknowledgement was opened.
    Read,
    /// Its time ran out unopened, as far as this side can tell.
    Expired,
}

impl SentState {
    /// The state that `state as u8` wrote.
    pub(crate) fn parse(number: u8) -> Option<Self> {
        let all = [Self::Queued, Self::Stored, Self::Claimed, Self::Answered, Self::Read, Self::Expired];
        all.get(usize::from(number)).copied()
    }
}

/// Where a message stands in a conversation.
#[derive(Clone, Copy, Debug, Deserialize, Eq, Hash, Ord, PartialEq, PartialOrd, Serialize)]
pub struct Position {
    /// Counts the conversation's new beginnings, from 0.
    pub attempt: u16,
    /// 0 for the request and its follow-ups, chain i of the ratchet at i + 1.
    pub chain: u32,
    /// Within the chain. The request is 0, follow-up n is n + 1; from 2^31 on, calls by the lifeline.
    pub number: u32,
}

impl Position {
    /// The request itself.
    pub fn request(attempt: u16) -> Self {
        Self { attempt, chain: 0, number: 0 }
    }

    /// Follow-up `n`.
    pub fn follow_up(attempt: u16, n: u16) -> Self {
        Self { attempt, chain: 0, number: u32::from(n) + 1 }
    }

    /// Message `n` of chain `chain` of the ratchet.
    pub fn ratchet(attempt: u16, chain: u32, n: u32) -> Self {
        Self { attempt, chain: chain + 1, number: n }
    }

    /// A call by the lifeline, behind the messages of the newest chain; `chain` is that chain's place.
    pub fn call(attempt: u16, chain: u32, id: &EnvelopeId) -> Self {
        let from_id = u32::from_be_bytes(id.0[..4].try_into().expect("an id has 16 bytes"));
        Self { attempt, chain, number: from_id | 1 << 31 }
    }

    /// `kind` id attempt chain number, big-endian.
    pub(crate) fn key(self, kind: u8, id: LocalId) -> Vec<u8> {
        let mut key = records::key(kind, id);
        key.extend_from_slice(&self.attempt.to_be_bytes());
        key.extend_from_slice(&self.chain.to_be_bytes());
        key.extend_from_slice(&self.number.to_be_bytes());
        key
    }

    pub(crate) fn of_key(key: &[u8]) -> Option<Self> {
        let rest: &[u8; 10] = key.get(9..)?.try_into().ok()?;
        Some(Self {
            attempt: u16::from_be_bytes([rest[0], rest[1]]),
            chain: u32::from_be_bytes([rest[2], rest[3], rest[4], rest[5]]),
            number: u32::from_be_bytes([rest[6], rest[7], rest[8], rest[9]]),
        })
    }
}

/// What a message is.
#[derive(Clone, Deserialize, Eq, PartialEq, Serialize, Zeroize, ZeroizeOnDrop)]
pub enum Content {
    /// A whole text.
    Text(String),
    /// A type of message that this build does not know: kept, and shown as needing a newer version.
    Newer {
        /// The type's number.
        kind: u8,
        /// The body as it came.
        body: Vec<u8>,
    },
    /// A file that goes with the text before it.
    File {
        /// Its name within the conversation.
        file: [u8; 8],
        /// Its length.
        bytes: u32,
        /// As in `image/jpeg`, in the words of whoever sent it.
        media_type: String,
    },
}

impl Content {
    pub(crate) fn file(descriptor: &Descriptor) -> Self {
        Self::File {
            file: FileId::of(descriptor).0,
            bytes: descriptor.length,
            media_type: descriptor.media_type.clone(),
        }
    }
}

impl core::fmt::Debug for Content {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.write_str("Content(..)")
    }
}

/// One message of a conversation.
#[derive(Clone, Debug)]
pub struct Message {
    /// Where it stands.
    pub position: Position,
    /// Who wrote it.
    pub author: Author,
    /// When it was written (own) or opened here (the other side's).
    pub at: UnixTime,
    /// What it says.
    pub content: Content,
}

#[derive(Deserialize, Serialize)]
struct MessagePlain {
    author: Author,
    at: u64,
    content: Content,
}

/// Puts a message into the batch.
pub(crate) fn write(batch: &mut Batch, id: LocalId, message: &Message) {
    let plain = MessagePlain { author: message.author, at: message.at.0, content: message.content.clone() };
    batch.put(&message.position.key(MESSAGE, id), stored::save(VERSION, &plain));
}

/// All messages of a conversation or case, oldest first.
pub fn read(records: &impl Records, id: LocalId) -> Result<Vec<Message>, StoredError> {
    let keys = records.keys_with(&records::key(MESSAGE, id));
    keys.iter().map(|key| read_one(records, key)).collect()
}

/// The message at one position.
pub(crate) fn read_at(
    records: &impl Records,
    id: LocalId,
    at: Position,
) -> Result<Option<Message>, StoredError> {
    let key = at.key(MESSAGE, id);
    if records.record(&key)?.is_none() {
        return Ok(None);
    }
    read_one(records, &key).map(Some)
}

fn read_one(records: &impl Records, key: &[u8]) -> Result<Message, StoredError> {
    let position = Position::of_key(key).ok_or(StoredError::Damaged)?;
    let plain: MessagePlain = stored::load(VERSION, &records::require(records, key)?)?;
    Ok(Message { position, author: plain.author, at: UnixTime(plain.at), content: plain.content })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_sort_as_positions_do() {
        let id = LocalId([1; 8]);
        let order = [
            Position::request(0),
            Position::follow_up(0, 0),
            Position::follow_up(0, 300),
            Position::ratchet(0, 0, 0),
            Position::ratchet(0, 0, 255),
            Position::ratchet(0, 1, 0),
            Position::request(1),
        ];
        let keys: Vec<_> = order.iter().map(|position| position.key(MESSAGE, id)).collect();
        assert!(keys.is_sorted());
        assert!(keys.iter().zip(order).all(|(key, position)| Position::of_key(key) == Some(position)));
    }
}
