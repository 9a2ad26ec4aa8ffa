//! The public notices as requesters see them (docs/spec/client.md §8.6).
//!
//! Whoever holds a coordinator's key, or a relay that keeps a notice back, shows requesters another desk than its devices
//! know. So each device fetches the notice logs of today and the next days from each relay, with no more than the card
//! gives, and tells its people of whatever it did not expect.

use std::collections::{BTreeMap, BTreeSet};

use poterne_protocol::keys::Pin;
use poterne_protocol::op::{Answer, Fetch, FetchFrom, Fetched, Request, Start};
use poterne_protocol::time::{Day, UnixTime};

use super::seat::Seat;
use super::{Device, Purpose};
use crate::desk::epoch::Epoch;
use crate::notice::{self, Notice, NoticeTrust};

/// Seconds between two looks at a relay's notice logs.
pub const LOOK_SECS: u64 = 3600;
/// Seconds before a look that failed is repeated.
const AGAIN_SECS: u64 = 60;
/// Envelopes that one look reads at most; a log of a day holds one or two.
const LOOK_ENVELOPES: u16 = 64;

/// What is wrong with a relay's notice logs.
#[derive(Clone, Copy, Debug, Eq, Ord, PartialEq, PartialOrd)]
pub(super) enum Alarm {
    /// Something stands there that this device did not expect.
    Foreign,
    /// A notice that was published is not there.
    Missing,
}

/// A day's log that was asked for, and the epochs whose notices must be in it.
#[derive(Clone, Debug)]
pub(super) struct Expected {
    day: Day,
    published: Vec<Epoch>,
}

impl Device {
    /// Looks at the notice logs of each relay that is due.
    pub(super) fn look_out(&mut self, now: UnixTime) {
        for relay in self.relays() {
            if self.look_due.get(&relay).is_some_and(|due| now < *due) {
                continue;
            }
            let Some((expected, request)) = self.look_at(&relay, now.day()) else { continue };
            self.look_due.insert(relay, now.plus(LOOK_SECS));
            self.call(relay, request, Purpose::Look { expected });
        }
    }

    fn look_at(&self, relay: &Pin, today: Day) -> Option<(Vec<Expected>, Request)> {
        let (mut days, mut from) = (BTreeMap::<Day, Expected>::new(), Vec::new());
        for (epoch, seat) in self.seats.range(Epoch { day: today, generation: 0 }..) {
            let Some(entry) = seat.grant.relay(relay) else { continue };
            let expected = days.entry(epoch.day).or_insert_with(|| {
                let grant = &seat.grant;
                let (desk, day) = (grant.notice.desk(), epoch.day);
                let mailbox = notice::notice_log_at(&grant.card, &desk, day, relay, entry.log_write);
                from.push(FetchFrom { mailbox, start: Start::First });
                Expected { day, published: Vec::new() }
            });
            if self.must_be_published(relay, *epoch, today) {
                expected.published.push(*epoch);
            }
        }
        let fetch = Fetch { from, max: LOOK_ENVELOPES, wait_secs: 0 };
        (!days.is_empty()).then(|| (days.into_values().collect(), Request::Fetch(fetch)))
    }

    /// A coordinator knows what it has put where; another device knows that today's notice is out.
    fn must_be_published(&self, relay: &Pin, epoch: Epoch, today: Day) -> bool {
        match &self.coordinator {
            Some(coordinator) => coordinator.is_out_at(epoch, relay),
            None => epoch.day == today,
        }
    }

    pub(super) fn handle_look(&mut self, relay: Pin, expected: &[Expected], answer: Answer) {
        let Answer::Fetched(logs) = answer else { return };
        let mut alarms = BTreeSet::new();
        for (expected, log) in expected.iter().zip(&logs) {
            alarms.extend(self.is_foreign(expected.day, log).then_some(Alarm::Foreign));
            // A log that goes on may hold the notice further on; that it does is alarm enough.
            let missing = expected.published.iter().filter(|epoch| !log.more && !self.holds(**epoch, log));
            for epoch in missing.copied().collect::<Vec<_>>() {
                alarms.insert(Alarm::Missing);
                self.publish_again(relay, epoch);
            }
        }
        self.alarms.insert(relay, alarms);
    }

    pub(super) fn note_not_looked(&mut self, relay: Pin, now: UnixTime) {
        self.look_due.insert(relay, now.plus(AGAIN_SECS));
    }

    /// Whether the notice of an epoch is in the log, with its annex.
    fn holds(&self, epoch: Epoch, log: &Fetched) -> bool {
        let Some(seat) = self.seats.get(&epoch) else { return true };
        let trust = trust(seat);
        let is_head = |envelope| trust.peek_hash(envelope, epoch.day) == Some(seat.grant.notice.hash());
        log.envelopes.iter().any(is_head) && trust.annex(&seat.grant.notice, &log.envelopes).is_some()
    }

    /// Whether there is more in the log than the notices that this device knows.
    fn is_foreign(&self, day: Day, log: &Fetched) -> bool {
        let all = Epoch { day, generation: 0 }..=Epoch { day, generation: u16::MAX };
        let known = self.seats.range(all).filter(|(epoch, _)| self.holds(**epoch, log));
        let envelopes = |notice: &Notice| 1 + usize::from(notice.head().annex_parts);
        let expected: usize = known.map(|(_, seat)| envelopes(&seat.grant.notice)).sum();
        log.more || log.envelopes.len() > expected
    }

    /// A relay has lost what was put there: the coordinator puts it once more.
    fn publish_again(&mut self, relay: Pin, epoch: Epoch) {
        if let Some(coordinator) = &mut self.coordinator {
            coordinator.begin_anew_at(epoch, &relay);
            self.save_seat(epoch);
        }
    }
}

fn trust(seat: &Seat) -> NoticeTrust {
    NoticeTrust::new(seat.grant.notice.desk(), seat.grant.card.clone())
}
