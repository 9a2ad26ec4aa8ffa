//! What people are shown of the conversations (docs/spec/client.md §7.5).

use poterne_protocol::desk::DeskId;
use poterne_protocol::time::UnixTime;
use zeroize::Zeroizing;

use super::conversation::{Standing, Stop};
use super::{Conversation, Requester};
use crate::body::Body;
use crate::clock::Verdict;
use crate::notice::NoticeError;
use crate::records::LocalId;
use crate::transcript::{Position, SentState};

/// A conversation in a list.
#[derive(Clone, Debug)]
pub struct Summary {
    /// Its id.
    pub id: LocalId,
    /// The desk that was asked.
    pub desk: DeskId,
    /// How it stands.
    pub standing: Standing,
    /// How far the newest own text has come.
    pub newest: SentState,
}

/// A text of an answer whose device is not checked yet. Nothing is sent before it is.
pub type Unchecked = Zeroizing<String>;

/// What a person should know, beyond the messages.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Warning {
    /// Another volunteer answers now.
    AnotherVolunteer,
    /// The volunteer has closed the conversation.
    Closed,
    /// The own clock is off by so many seconds, against the relays'; nothing is sealed until it is set.
    ClockOff {
        /// Positive when the own clock is behind.
        secs: i64,
    },
    /// A later message is here and an earlier one is not: it may come, or another copy of this home has fetched it.
    Missing,
    /// The desk's notice is not believed.
    Notice(NoticeError),
    /// A relay wants to be paid.
    Price,
    /// The conversation came to a full stop.
    Stopped(Stop),
    /// An answer is there and can't be checked yet.
    Unchecked,
    /// So many messages were sent without an answer that no more can be.
    Unanswered,
}

impl Requester {
    /// All conversations.
    pub fn conversations(&self) -> Vec<Summary> {
        self.conversations.values().map(Conversation::summary).collect()
    }

    /// How far each own text of a conversation has come; texts that are not sealed are in [`Requester::drafts`].
    pub fn sent(&self, id: LocalId) -> Vec<(Position, SentState)> {
        let all = self.conversations.get(&id).into_iter().flat_map(|conversation| &conversation.thread.sent);
        all.map(|(position, sent)| (*position, sent.state)).collect()
    }

    /// Own texts that wait to be sealed, oldest first.
    pub fn drafts(&self, id: LocalId) -> Vec<&str> {
        let all =
            self.conversations.get(&id).into_iter().flat_map(|conversation| &conversation.thread.drafts);
        all.map(|draft| draft.text.as_str()).collect()
    }

    /// Texts of answers that could not be checked yet.
    pub fn unchecked(&self, id: LocalId) -> Vec<&Unchecked> {
        self.conversations
            .get(&id)
            .into_iter()
            .flat_map(|conversation| conversation.run.unchecked.values())
            .collect()
    }

    /// What the person should know about a conversation at the time of `now`.
    pub fn warnings(&self, id: LocalId, now: UnixTime) -> Vec<Warning> {
        let Some(conversation) = self.conversations.get(&id) else { return Vec::new() };
        let mut warnings = conversation.warnings();
        if let Verdict::Off { secs } = self.clock.verdict(now) {
            warnings.push(Warning::ClockOff { secs });
        }
        warnings
    }
}

impl Conversation {
    fn summary(&self) -> Summary {
        let newest = self.thread.sent.values().next_back().map_or(SentState::Queued, |sent| sent.state);
        let newest = if self.thread.drafts.is_empty() { newest } else { SentState::Queued };
        Summary { id: self.thread.id, desk: *self.card.desk(), standing: self.standing, newest }
    }

    fn warnings(&self) -> Vec<Warning> {
        let of_standing = match self.standing {
            Standing::Closed => Some(Warning::Closed),
            Standing::Open => None,
            Standing::Stopped(why) => Some(Warning::Stopped(why)),
        };
        let is_full = self.talk.as_ref().is_some_and(|talk| match self.thread.drafts.front() {
            Some(draft) => !talk.has_room_for(&Body::Text(draft.text.clone())),
            None => talk.session.messages_left() == 0,
        });
        let misses = self.talk.as_ref().is_some_and(|talk| talk.session.skipped_keys() > 0);
        let conditions = [
            (misses, Warning::Missing),
            (self.replaced > 0, Warning::AnotherVolunteer),
            (self.run.price_wanted, Warning::Price),
            (!self.run.unchecked.is_empty(), Warning::Unchecked),
            (is_full, Warning::Unanswered),
        ];
        let holding = conditions.into_iter().filter(|(holds, _)| *holds).map(|(_, warning)| warning);
        let notice = self.run.notice_trouble.map(Warning::Notice);
        of_standing.into_iter().chain(notice).chain(holding).collect()
    }
}
