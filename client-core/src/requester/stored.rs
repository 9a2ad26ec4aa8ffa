//! A requester's conversations at rest (docs/spec/client.md §6).

use std::collections::BTreeMap;

use poterne_protocol::card::Card;
use poterne_protocol::envelope::EnvelopeId;
use poterne_protocol::time::{Day, UnixTime};
use serde::{Deserialize, Serialize};
use zeroize::{Zeroize, ZeroizeOnDrop, Zeroizing};

use super::contact::BETWEEN;
use super::conversation::{Attempt, Conversation, Run, Standing, Stop};
use crate::body::kinds::ForkReport;
use crate::files;
use crate::notice::{Notice, NoticeTrust};
use crate::records::{self, CONVERSATION, LocalId, Records};
use crate::request::{PendingRequest, Reveal};
use crate::stored::{self, StoredError};
use crate::talk::{Talk, TalkPlain};
use crate::thread::{DraftPlain, Thread, ThreadPlain};
use crate::transcript::{self, Author, Content};
use crate::vault::Batch;

const VERSION: u8 = 1;

#[derive(Deserialize, Serialize, Zeroize, ZeroizeOnDrop)]
struct Plain {
    card: String,
    trust: Vec<u8>,
    notice: Option<Vec<u8>>,
    language: [u8; 4],
    drafts: Vec<DraftPlain>,
    attempts: Vec<AttemptPlain>,
    reveal: Option<[u8; 16]>,
    talk: Option<TalkPlain>,
    replaced: u8,
    standing: u8,
    thread: ThreadPlain,
    calls: Vec<[u8; 16]>,
    unchecked_since: Option<u64>,
    fork: Option<(u32, u32)>,
}

#[derive(Deserialize, Serialize, Zeroize, ZeroizeOnDrop)]
struct AttemptPlain {
    pending: Vec<u8>,
    notice: Vec<u8>,
    entry: u64,
    last_day: u32,
    trouble_since: Option<u64>,
}

/// Puts a conversation into the batch.
pub(super) fn write(batch: &mut Batch, conversation: &Conversation) {
    let plain = Plain::from(conversation);
    records::write(batch, &records::key(CONVERSATION, conversation.thread.id), stored::save(VERSION, &plain));
    files::write(batch, &conversation.thread);
}

/// All conversations of a vault.
pub(super) fn load_all(records: &impl Records) -> Result<BTreeMap<LocalId, Conversation>, StoredError> {
    let ids = records::ids(records, CONVERSATION).into_iter();
    ids.map(|id| Ok((id, load(records, id)?))).collect()
}

fn load(records: &impl Records, id: LocalId) -> Result<Conversation, StoredError> {
    let record = records::read(records, &records::key(CONVERSATION, id))?;
    let mut conversation = stored::load::<Plain>(VERSION, &record)?.into_conversation(records, id)?;
    if conversation.talk.is_none() && !conversation.attempts.is_empty() {
        let text = request_text(records, id, conversation.thread.number)?;
        conversation.attempts.iter_mut().for_each(|attempt| attempt.text = text.clone());
    }
    files::load(records, &mut conversation.thread)?;
    Ok(conversation)
}

/// All that she has written before an answer came.
fn request_text(records: &impl Records, id: LocalId, thread: u16) -> Result<Zeroizing<String>, StoredError> {
    let mut texts = Vec::new();
    for message in transcript::read(records, id)? {
        let is_request = message.position.attempt == thread && message.author == Author::Requester;
        if let (true, Content::Text(text)) = (is_request, &message.content) {
            texts.push(text.clone());
        }
    }
    let joined = Zeroizing::new(texts.join(BETWEEN));
    texts.zeroize();
    Ok(joined)
}

impl From<&Conversation> for Plain {
    fn from(from: &Conversation) -> Self {
        Self {
            card: from.card.expose_link().to_string(),
            trust: from.trust.to_stored().to_vec(),
            notice: from.notice.as_ref().map(|notice| notice.to_stored().to_vec()),
            language: from.language,
            drafts: from.thread.drafts_to_plain(),
            attempts: from.attempts.iter().map(AttemptPlain::from).collect(),
            reveal: from.reveal.as_ref().map(|reveal| *reveal.expose()),
            talk: from.talk.as_ref().map(Talk::to_plain),
            replaced: from.replaced,
            standing: standing_number(from.standing),
            thread: from.thread.to_plain(),
            calls: from.calls.iter().map(|id| id.0).collect(),
            unchecked_since: from.unchecked_since.map(|time| time.0),
            fork: from.fork.map(|fork| (fork.chain, fork.n)),
        }
    }
}

impl Plain {
    fn into_conversation(self, records: &impl Records, id: LocalId) -> Result<Conversation, StoredError> {
        let notice = self.notice.as_deref().map(Notice::from_stored).transpose()?;
        Ok(Conversation {
            card: Card::parse(&self.card).map_err(|_| StoredError::Damaged)?,
            trust: NoticeTrust::from_stored(&self.trust)?,
            notice,
            language: self.language,
            attempts: self.attempts.iter().map(Attempt::try_from).collect::<Result<_, _>>()?,
            reveal: self.reveal.as_ref().map(Reveal::from_bytes),
            talk: self.talk.as_ref().map(Talk::from_plain).transpose()?,
            replaced: self.replaced,
            standing: standing(self.standing)?,
            thread: Thread::from_plain(&self.thread, &self.drafts, records, id, Author::Requester)?,
            calls: self.calls.iter().copied().map(EnvelopeId).collect(),
            unchecked_since: self.unchecked_since.map(UnixTime),
            fork: self.fork.map(|(chain, n)| ForkReport { chain, n }),
            run: Run::default(),
        })
    }
}

impl From<&Attempt> for AttemptPlain {
    fn from(from: &Attempt) -> Self {
        Self {
            pending: from.pending.to_stored().to_vec(),
            notice: from.notice.to_stored().to_vec(),
            entry: from.entry,
            last_day: from.last_day.0,
            trouble_since: from.trouble_since.map(|time| time.0),
        }
    }
}

impl TryFrom<&AttemptPlain> for Attempt {
    type Error = StoredError;

    fn try_from(plain: &AttemptPlain) -> Result<Self, StoredError> {
        Ok(Self {
            pending: PendingRequest::from_stored(&plain.pending)?,
            text: Zeroizing::default(),
            notice: Notice::from_stored(&plain.notice)?,
            entry: plain.entry,
            last_day: Day(plain.last_day),
            trouble_since: plain.trouble_since.map(UnixTime),
        })
    }
}

fn standing_number(standing: Standing) -> u8 {
    match standing {
        Standing::Open => 0,
        Standing::Closed => 1,
        Standing::Stopped(Stop::Fork) => 2,
        Standing::Stopped(Stop::Rollback) => 3,
    }
}

fn standing(number: u8) -> Result<Standing, StoredError> {
    match number {
        0 => Ok(Standing::Open),
        1 => Ok(Standing::Closed),
        2 => Ok(Standing::Stopped(Stop::Fork)),
        3 => Ok(Standing::Stopped(Stop::Rollback)),
        _ => Err(StoredError::Damaged),
    }
}
