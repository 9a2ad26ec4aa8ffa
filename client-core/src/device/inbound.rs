//! What lies in the mailboxes of a device's cases (docs/spec/client.md §8.3).
//!
//! Follow-ups are erased only after the requester's first message was opened; until then another device may need them.

use std::collections::BTreeSet;

use poterne_protocol::envelope::{EnvelopeId, SealedEnvelope};
use poterne_protocol::keys::{MailboxSecret, Pin};
use poterne_protocol::op::{Answer, Fetched};
use poterne_protocol::time::UnixTime;
use subtle::ConstantTimeEq;

use super::case::{Case, Stage};
use super::{Device, Purpose};
use crate::body::kinds::ForkReport;
use crate::records::LocalId;
use crate::session::{OpenError, Own};
use crate::thread::Asked;
use crate::vault::Batch;
use crate::watch::{self, Watched};

/// Which mailbox of which case.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum Source {
    FollowUps(LocalId),
    Messages(LocalId),
    OwnMessages(LocalId),
}

impl Source {
    fn case(self) -> LocalId {
        match self {
            Self::FollowUps(id) | Self::Messages(id) | Self::OwnMessages(id) => id,
        }
    }
}

impl Device {
    /// All mailboxes of cases that are read at a relay now.
    pub(super) fn watched(&mut self, relay: &Pin) -> Vec<Watched<Source>> {
        self.cases.values_mut().flat_map(|case| case.watched(relay)).collect()
    }

    pub(super) fn handle_poll(
        &mut self,
        relay: Pin,
        watched: Vec<Watched<Source>>,
        answer: Answer,
        now: UnixTime,
    ) {
        let Some(found) = watch::found(watched, answer) else { return };
        let polled: BTreeSet<LocalId> = found.iter().map(|(watched, _)| watched.source.case()).collect();
        let mut more = Vec::new();
        for (watched, fetched) in found {
            for request in self.take_all(relay, &watched, &fetched, now) {
                self.call(relay, request, Purpose::Erase);
            }
            more.extend(watch::go_on(watched, &fetched));
        }
        for (watched, request) in watch::in_fetches(more) {
            self.call(relay, request, Purpose::Poll { watched });
        }
        for id in polled {
            self.note_caught_up(relay, id);
        }
    }

    /// Takes in one mailbox; what to erase of it goes out after the state is kept.
    fn take_all(
        &mut self,
        relay: Pin,
        watched: &Watched<Source>,
        fetched: &Fetched,
        now: UnixTime,
    ) -> Vec<poterne_protocol::op::Request> {
        let id = watched.source.case();
        let Some(case) = self.cases.get_mut(&id) else { return Vec::new() };
        let (mut batch, mut erase) = (Batch::new(), BTreeSet::new());
        let mut changed = false;
        for envelope in &fetched.envelopes {
            changed |= case.take(watched.source, envelope, now, &mut batch, &mut erase);
        }
        let is_last = matches!(watched.source, Source::FollowUps(_)) && !case.follow_ups_done;
        if is_last && case.is_bound() && !case.reads_follow_ups() {
            case.follow_ups_done = true;
            changed = true;
        }
        if case.stage == Stage::Talking && case.has_foreign_follow_up() {
            changed |= case.stop();
        }
        let newest = self.seats.values().next_back().map(|seat| &seat.grant.notice);
        if let (Some(numbers), Some(talk), Some(notice)) = (case.peer_moves_to.take(), &mut case.talk, newest)
        {
            talk.peer_moves_to(numbers, notice);
        }
        if changed {
            // What was opened may lead to further mailboxes.
            self.poll_due.remove(&relay);
            self.save(id, batch);
        }
        watch::erase(watched, &erase)
    }

    fn note_caught_up(&mut self, relay: Pin, id: LocalId) {
        let is_polled = |pin: &Pin, purpose: &Purpose| {
            let Purpose::Poll { watched } = purpose else { return false };
            *pin == relay && watched.iter().any(|one| one.source.case() == id)
        };
        if self.calls.any(is_polled) {
            return;
        }
        if let Some(case) = self.cases.get_mut(&id) {
            case.polled.insert(relay);
        }
    }

    /// That relay can't be asked now what waits there.
    pub(super) fn note_silent(&mut self, relay: Pin, watched: &[Watched<Source>]) {
        for one in watched {
            if let Some(case) = self.cases.get_mut(&one.source.case()) {
                case.silent.insert(relay);
            }
        }
    }
}

impl Case {
    fn watched(&mut self, relay: &Pin) -> Vec<Watched<Source>> {
        if !self.reading_relays().contains(relay) {
            return Vec::new();
        }
        let is_first = !self.polled.contains(relay);
        let id = self.id();
        let mut all = Vec::new();
        let is_incomplete = self.stage == Stage::Waiting && !self.complete;
        let is_wanted = !self.follow_ups_done && (self.is_active() || is_incomplete);
        // Behind all that she has sent, only an older copy of her home puts something.
        let is_watched = self.stage == Stage::Talking && is_first;
        if is_wanted || is_watched {
            let mailbox = self.request.handshake.follow_up_mailbox();
            let watch = if self.is_bound() && is_wanted { Watched::drained } else { Watched::looked_at };
            all.push(watch(Source::FollowUps(id), &mailbox, relay));
        }
        let talk = self.talk.as_ref().filter(|_| self.stage == Stage::Talking);
        if let Some(talk) = talk {
            let read = talk.session.mailboxes_to_read();
            all.extend(read.iter().map(|mailbox| Watched::drained(Source::Messages(id), mailbox, relay)));
            if is_first {
                let own = talk.session.own_mailboxes();
                all.extend(
                    own.iter().map(|mailbox| Watched::looked_at(Source::OwnMessages(id), mailbox, relay)),
                );
                let old = talk.session.mailboxes_to_watch();
                let is_new = |old: &&MailboxSecret| !read.iter().any(|new| new.ct_eq(old).into());
                let old = old.iter().filter(is_new);
                all.extend(old.map(|mailbox| Watched::looked_at(Source::Messages(id), mailbox, relay)));
            }
        }
        all
    }

    /// Takes in one envelope. Whether the state has changed.
    fn take(
        &mut self,
        source: Source,
        envelope: &SealedEnvelope,
        now: UnixTime,
        batch: &mut Batch,
        erase: &mut BTreeSet<EnvelopeId>,
    ) -> bool {
        match source {
            Source::FollowUps(_) => {
                erase.insert(envelope.id());
                let opened = self.request.follow_ups().open(envelope);
                let is_new = opened.is_ok();
                if let Ok(follow_up) = opened {
                    self.take_follow_up(follow_up, now, batch);
                }
                is_new
            }
            Source::OwnMessages(_) => {
                let is_newer =
                    self.talk.as_ref().is_some_and(|talk| talk.session.judge_own(envelope) == Own::Newer);
                is_newer && self.stop()
            }
            Source::Messages(_) => self.take_message(envelope, now, batch, erase),
        }
    }

    fn take_message(
        &mut self,
        envelope: &SealedEnvelope,
        now: UnixTime,
        batch: &mut Batch,
        erase: &mut BTreeSet<EnvelopeId>,
    ) -> bool {
        let Some(talk) = self.talk.as_mut() else { return false };
        match talk.open(envelope, now.day()) {
            Ok(heard) => {
                erase.insert(envelope.id());
                match self.thread.hear(heard, now, batch) {
                    Some(Asked::Close) => self.stage = Stage::Closed,
                    Some(Asked::File(descriptor)) => {
                        let relays = self.reading_relays();
                        self.thread.files.announce(descriptor, relays, now.day(), false);
                    }
                    Some(Asked::Fork) => {
                        // The other copy of this home is to read it too.
                        erase.remove(&envelope.id());
                        self.stop();
                    }
                    Some(Asked::Relays(numbers)) => self.peer_moves_to = Some(numbers),
                    None => {}
                }
                true
            }
            Err(OpenError::Fork { chain, n }) => {
                self.fork = self.fork.or(Some(ForkReport { chain, n }));
                self.stop()
            }
            Err(OpenError::Decode(_) | OpenError::Spoilt { .. }) => false,
            Err(_) => {
                erase.insert(envelope.id());
                false
            }
        }
    }

    /// Full stop. Whether that is news.
    fn stop(&mut self) -> bool {
        let is_news = self.stage != Stage::Stopped;
        self.stage = Stage::Stopped;
        is_news
    }
}
