//! What volunteers are shown: the queue and the cases (docs/spec/client.md §8.5).

use poterne_protocol::keys::Pin;
use poterne_protocol::time::{Day, UnixTime};
use zeroize::Zeroizing;

use super::case::{Case, Stage};
use super::lookout::Alarm;
use super::{Device, WARNING_DAYS};
use crate::clock::Verdict;
use crate::desk::epoch::Epoch;
use crate::records::{LocalId, Records};
use crate::stored::StoredError;
use crate::transcript::{self, Content, Position, SentState};

/// A request that waits.
#[derive(Clone, Debug)]
pub struct QueueItem {
    /// Its id, the same on every device.
    pub id: LocalId,
    /// Its text; the beginning of it while parts are missing.
    pub text: Zeroizing<String>,
    /// Whether the whole text is here.
    pub complete: bool,
    /// The language that its writer's program names, ASCII, padded with zeros.
    pub language: [u8; 4],
    /// When this device first saw it.
    pub arrived: UnixTime,
    /// An earlier request of the same person, as she has proved.
    pub follows: Option<LocalId>,
    /// Its writer's program marks it with something that this build does not know.
    pub wants_newer: bool,
}

/// A case in a list.
#[derive(Clone, Debug)]
pub struct CaseSummary {
    /// Its id.
    pub id: LocalId,
    /// How far it has come.
    pub stage: Stage,
    /// When the lease ends, while there is one.
    pub lease_ends: Option<UnixTime>,
    /// How far the newest own text has come.
    pub newest: Option<SentState>,
    /// Own texts that are not sealed yet.
    pub drafts: usize,
}

/// What the people of the desk should know.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum DeskWarning {
    /// The own clock is off by so many seconds, against the relays'; nothing is published until it is set.
    ClockOff {
        /// Positive when the own clock is behind.
        secs: i64,
    },
    /// Notices are published for so few days ahead; requesters will soon find none.
    FewNotices {
        /// Days, today among them.
        days: u32,
    },
    /// In a notice log stands something that this device did not expect: somebody else publishes for this desk, or the
    /// coordinator has not told this device yet.
    ForeignNotice,
    /// A relay refuses to open the notice log of a day: somebody else, with the card, may have opened it first.
    LogTaken,
    /// A relay does not show a notice that was published there.
    MissingNotice,
    /// A relay refuses to open this desk's intakes or logs: it may want a permit.
    Refused,
}

impl Device {
    /// The requests that wait and that nobody has, oldest first.
    pub fn queue(&self, records: &impl Records) -> Result<Vec<QueueItem>, StoredError> {
        let is_free = |case: &&Case| {
            case.stage == Stage::Waiting && !case.leased_elsewhere && self.seats.contains_key(&case.epoch)
        };
        let mut waiting: Vec<&Case> = self.cases.values().filter(is_free).collect();
        waiting.sort_by_key(|case| case.place);
        waiting.into_iter().map(|case| case.queue_item(self.followed_by(case), records)).collect()
    }

    /// The case whose request committed to what this one reveals.
    fn followed_by(&self, case: &Case) -> Option<LocalId> {
        let mut earlier = self.cases.values().filter(|other| other.id() != case.id());
        earlier.find(|other| case.request.follows(&other.request)).map(Case::id)
    }

    /// The text of a request: the whole of it, or its beginning while parts are missing.
    pub fn request_text(
        &self,
        id: LocalId,
        records: &impl Records,
    ) -> Result<Option<Zeroizing<String>>, StoredError> {
        self.cases.get(&id).map(|case| case.request_text(records)).transpose()
    }

    /// Whether a later message of a case is here and an earlier one is not: it may come, or another copy of this home
    /// has fetched it.
    pub fn misses_messages(&self, id: LocalId) -> bool {
        let talk = self.cases.get(&id).and_then(|case| case.talk.as_ref());
        talk.is_some_and(|talk| talk.session.skipped_keys() > 0)
    }

    /// All cases that were ever claimed here.
    pub fn cases(&self) -> Vec<CaseSummary> {
        let is_case = |case: &&Case| !matches!(case.stage, Stage::Waiting | Stage::Gone);
        self.cases.values().filter(is_case).map(Case::summary).collect()
    }

    /// One case.
    pub fn case(&self, id: LocalId) -> Option<CaseSummary> {
        self.cases.get(&id).map(Case::summary)
    }

    /// How far each own text of a case has come.
    pub fn sent(&self, id: LocalId) -> Vec<(Position, SentState)> {
        let all = self.cases.get(&id).into_iter().flat_map(|case| &case.thread.sent);
        all.map(|(position, sent)| (*position, sent.state)).collect()
    }

    /// Own texts of a case that wait to be sealed.
    pub fn drafts(&self, id: LocalId) -> Vec<&str> {
        let all = self.cases.get(&id).into_iter().flat_map(|case| &case.thread.drafts);
        all.map(|draft| draft.text.as_str()).collect()
    }

    /// What the people of the desk should know at the time of `now`.
    pub fn warnings(&self, now: UnixTime) -> Vec<DeskWarning> {
        let mut warnings = Vec::new();
        if let Verdict::Off { secs } = self.clock.verdict(now) {
            warnings.push(DeskWarning::ClockOff { secs });
        }
        if let Some(days) = self.days_published(now.day()).filter(|days| *days < WARNING_DAYS) {
            warnings.push(DeskWarning::FewNotices { days });
        }
        let has = |alarm| self.alarms.values().any(|alarms| alarms.contains(&alarm));
        let is_current = |(_, epoch): &(Pin, Epoch)| epoch.day >= now.day();
        let refused = || self.refused.iter().filter(|(place, _)| is_current(place)).map(|(_, step)| step);
        let conditions = [
            (has(Alarm::Foreign), DeskWarning::ForeignNotice),
            (refused().any(|step| step.opens_log()), DeskWarning::LogTaken),
            (has(Alarm::Missing), DeskWarning::MissingNotice),
            (refused().any(|step| !step.opens_log()), DeskWarning::Refused),
        ];
        warnings.extend(conditions.into_iter().filter(|(holds, _)| *holds).map(|(_, warning)| warning));
        warnings
    }

    /// For how many days, today among them, a notice stands at a relay; `None` on a device that publishes none.
    pub fn days_published(&self, today: Day) -> Option<u32> {
        self.coordinator.as_ref().map(|coordinator| coordinator.days_ahead(today))
    }
}

impl Case {
    fn queue_item(&self, follows: Option<LocalId>, records: &impl Records) -> Result<QueueItem, StoredError> {
        Ok(QueueItem {
            id: self.id(),
            text: self.request_text(records)?,
            complete: self.complete,
            language: self.request.language(),
            arrived: self.arrived,
            follows,
            wants_newer: self.request.flags().needs_newer(),
        })
    }

    fn request_text(&self, records: &impl Records) -> Result<Zeroizing<String>, StoredError> {
        if !self.complete {
            return Ok(Zeroizing::new(String::from_utf8_lossy(self.request.text()).into_owned()));
        }
        let first = transcript::read_at(records, self.id(), Position::request(0))?;
        Ok(match first.map(|message| message.content.clone()) {
            Some(Content::Text(ref text)) => Zeroizing::new(text.clone()),
            _ => Zeroizing::default(),
        })
    }

    fn summary(&self) -> CaseSummary {
        CaseSummary {
            id: self.id(),
            stage: self.stage,
            lease_ends: self.lease.map(|lease| lease.ends),
            newest: self.thread.sent.values().next_back().map(|sent| sent.state),
            drafts: self.thread.drafts.len(),
        }
    }
}
