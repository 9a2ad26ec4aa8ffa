//! How a requester comes by the newest notice (docs/spec/client.md §7.1).
//!
//! The logs of today, yesterday and tomorrow are asked for in one fetch; today's counts if there is one. Before an answer
//! is believed the newest notice is asked for from relays of two operators where there are two, so that one that holds
//! back a revocation is not enough.

use poterne_protocol::envelope::SealedEnvelope;
use poterne_protocol::keys::{KeyHash, Pin};
use poterne_protocol::mailbox::ReadFrom;
use poterne_protocol::op::{Answer, Fetch, FetchFrom, Request, Start};
use poterne_protocol::time::{Day, UnixTime};

use super::conversation::Conversation;
use super::{Purpose, Requester};
use crate::notice::{self, Notice, NoticeError};
use crate::records::LocalId;
use crate::vault::Batch;

/// Seconds between attempts to get a notice.
const AGAIN_SECS: u64 = 60;
/// Seconds for which a notice counts as the newest within one run.
const FRESH_SECS: u64 = 3600;
/// Seconds after which one relay's word is enough, where the second can't be reached.
const ONE_IS_ENOUGH_AFTER_SECS: u64 = 3600;
/// Envelopes that are read when the last of a log is not enough.
const WHOLE_LOG_ENVELOPES: u16 = 64;

/// What an answer to a notice fetch was worth.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum NoticeOutcome {
    /// A notice was believed.
    Believed,
    /// Nothing usable.
    Nothing,
    /// The roots have changed: the annex is needed.
    WholeLogWanted,
}

/// The days of a notice fetch, in the order in which they are preferred.
pub(super) fn days(today: Day) -> [Day; 3] {
    [today, today - 1, today + 1]
}

impl Requester {
    pub(super) fn ask_for_notices(&mut self, id: LocalId, now: UnixTime) {
        let Some(conversation) = self.conversations.get_mut(&id) else { return };
        if !conversation.wants_notice(now) {
            return;
        }
        let today = now.day();
        for relay in conversation.notice_wanted_from(now) {
            if !self.clock.has_heard(&relay) {
                self.effects.push(self.calls.begin(relay, Request::Hello, Purpose::Hello { id }));
                continue;
            }
            // By a clock that is off, notices of wrong days would be believed.
            let is_off = self.clock.is_off();
            if let Some(request) = conversation.notice_fetch(&relay, today, false).filter(|_| !is_off) {
                let purpose = Purpose::Notice { id, today, whole: false };
                self.effects.push(self.calls.begin(relay, request, purpose));
            }
        }
    }

    /// The relay's time is known: its notices can be asked for. `own` is what the own clock shows.
    pub(super) fn handle_hello(&mut self, id: LocalId, relay: Pin, its_time: UnixTime, own: UnixTime) {
        self.clock.handle_hello(relay, its_time, own);
        if let Some(conversation) = self.conversations.get_mut(&id) {
            conversation.run.notice_due.remove(&relay);
        }
    }

    pub(super) fn handle_notice(
        &mut self,
        id: LocalId,
        relay: Pin,
        today: Day,
        whole: bool,
        answer: Answer,
        now: UnixTime,
    ) {
        let Some(conversation) = self.conversations.get_mut(&id) else { return };
        let outcome = conversation.handle_notices(relay, today, answer, now);
        if conversation.has_newest_notice(now) && !conversation.run.unchecked.is_empty() {
            // They are fetched once more, to be judged; nothing is sealed before.
            conversation.run.unchecked.clear();
            conversation.run.look_again();
        }
        match outcome {
            NoticeOutcome::Believed => self.save(id, Batch::new()),
            NoticeOutcome::WholeLogWanted if !whole => {
                if let Some(request) = conversation.notice_fetch(&relay, today, true) {
                    let purpose = Purpose::Notice { id, today, whole: true };
                    self.effects.push(self.calls.begin(relay, request, purpose));
                }
            }
            NoticeOutcome::Nothing | NoticeOutcome::WholeLogWanted => {}
        }
    }
}

impl Conversation {
    /// The fetch of the last notice of each day at one relay, or of whole logs.
    pub(super) fn notice_fetch(&self, relay: &Pin, today: Day, whole: bool) -> Option<Request> {
        let log_write = self.log_write(relay)?;
        let start = if whole { Start::First } else { Start::Last(1) };
        let from = days(today).map(|day| FetchFrom { mailbox: self.log_at(relay, log_write, day), start });
        let max = if whole { WHOLE_LOG_ENVELOPES } else { 3 };
        Some(Request::Fetch(Fetch { from: from.to_vec(), max, wait_secs: 0 }))
    }

    fn log_at(&self, relay: &Pin, log_write: KeyHash, day: Day) -> ReadFrom {
        notice::notice_log_at(self.trust.card(), &self.trust.desk(), day, relay, log_write)
    }

    fn log_write(&self, relay: &Pin) -> Option<KeyHash> {
        let by_notice = self.notice.iter().flat_map(Notice::relays).find(|entry| entry.pin == *relay);
        let by_card = self.card.relays().iter().find(|entry| entry.pin == *relay);
        by_notice.map(|entry| entry.log_write).or(by_card.map(|entry| entry.notice_log))
    }

    /// Takes what a relay showed of the three logs.
    pub(super) fn handle_notices(
        &mut self,
        relay: Pin,
        today: Day,
        answer: Answer,
        now: UnixTime,
    ) -> NoticeOutcome {
        let Answer::Fetched(logs) = answer else { return NoticeOutcome::Nothing };
        let (mut outcome, mut trouble) = (NoticeOutcome::Nothing, None);
        for (day, log) in days(today).into_iter().zip(logs) {
            match self.believe(&log.envelopes, day, now) {
                Some(Ok(notice)) => {
                    self.notice = Some(notice);
                    self.note_shown(relay, now);
                    self.run.notice_trouble = None;
                    return NoticeOutcome::Believed;
                }
                Some(Err(NoticeError::AnnexWanted)) => outcome = NoticeOutcome::WholeLogWanted,
                Some(Err(error)) => trouble = Some(error),
                None => {}
            }
        }
        // One that is only older is the desk's too: this relay was asked, and has nothing newer.
        if trouble == Some(NoticeError::Older) {
            self.note_shown(relay, now);
        }
        self.run.notice_trouble = trouble.or(self.run.notice_trouble).or(self.nothing_shown());
        outcome
    }

    fn note_shown(&mut self, relay: Pin, now: UnixTime) {
        self.run.notice_from.insert(relay, now);
        self.run.notice_due.insert(relay, now.plus(FRESH_SECS));
    }

    /// No relay that was asked has a notice of these days: the last one is over.
    fn nothing_shown(&self) -> Option<NoticeError> {
        self.run.notice_from.is_empty().then_some(NoticeError::Expired)
    }

    /// The highest notice of one log; `None` where the log is empty.
    fn believe(
        &mut self,
        log: &[SealedEnvelope],
        day: Day,
        now: UnixTime,
    ) -> Option<Result<Notice, NoticeError>> {
        let heads = log.iter().filter_map(|envelope| Some((self.trust.peek(envelope, day)?.0, envelope)));
        match heads.max_by_key(|(version, _)| *version) {
            Some((_, head)) => Some(self.trust.verify(head, log, day, now)),
            None => log.first().map(|_| Err(NoticeError::NotOpened)),
        }
    }

    /// The relays to ask now.
    pub(super) fn notice_wanted_from(&mut self, now: UnixTime) -> Vec<Pin> {
        let is_due = |relay: &Pin| self.run.notice_due.get(relay).is_none_or(|due| *due <= now);
        let relays: Vec<Pin> = self.notice_relays().into_iter().filter(is_due).collect();
        self.run.notice_due.extend(relays.iter().map(|relay| (*relay, now.plus(AGAIN_SECS))));
        relays
    }

    /// Whether a notice under which something may be sealed is there, fetched in this run.
    pub(super) fn has_notice(&self, now: UnixTime) -> bool {
        self.fresh_notices(now) > 0 && self.notice.as_ref().is_some_and(|notice| now < notice.expiry())
    }

    /// How many relays have shown what notice they have within the last hour of this run.
    fn fresh_notices(&self, now: UnixTime) -> usize {
        self.run.notice_from.values().filter(|shown| now.since(**shown) < FRESH_SECS).count()
    }

    /// Whether answers may be judged: the newest notice came from two operators where there are two.
    pub(super) fn has_newest_notice(&self, now: UnixTime) -> bool {
        let wanted = self.notice_relays().len().clamp(1, 2);
        let waited = self.unchecked_since.is_some_and(|since| now.since(since) >= ONE_IS_ENOUGH_AFTER_SECS);
        self.has_notice(now) && (self.fresh_notices(now) >= wanted || waited)
    }
}
