//! What the model expects of each operation, as the [`shape`] of an answer.

use poterne_protocol::keys::KeyHash;
use poterne_protocol::mailbox::{Kind, MailboxId};
use poterne_protocol::op::{
    Answer, Claim, ClaimWhat, Close, Delete, DeleteBy, EnvelopeStatus, Extend, Fetch, LeaseToken, Open,
    Payment, Put, Request, Start, Status,
};
use poterne_protocol::time::UnixTime;

use super::mailbox::{self, Arrival, Mailbox, Opening};
use super::{Model, hex, shape};

impl Model {
    /// What a request should be answered, and what it does. `answer` is looked at for what a relay may choose.
    pub(super) fn decide(&mut self, request: &Request, answer: &Answer, now: UnixTime) -> String {
        match request {
            Request::Claim(claim) => self.claim(claim, answer, now),
            Request::Close(close) => shape(&self.close(close, now)),
            Request::Delete(delete) => shape(&self.delete(delete, now)),
            Request::Extend(extend) => shape(&self.extend(extend, now)),
            Request::Fetch(fetch) => self.fetch(fetch, answer, now),
            Request::Hello => "hello".into(),
            Request::Open(open) => shape(&self.open(open, answer, now)),
            Request::Put(put) => shape(&self.put(put, now)),
            Request::Release(token) => shape(&self.release(token, now)),
            Request::Status(status) => shape(&self.status(status, now)),
            Request::Unknown(_) => shape(&Answer::Unsupported),
        }
    }

    fn put(&mut self, put: &Put, now: UnixTime) -> Answer {
        let mailbox = self.mailboxes.entry(put.to.hashes().id()).or_default();
        let (id, today) = (put.envelope.id(), now.day());
        let known = mailbox.find(&id).map(|at| &mailbox.arrivals[at]);
        if known.is_some_and(|arrival| arrival.waits(today) || arrival.is_remembered(today)) {
            return Answer::Stored;
        }
        if let Some(refusal) = refuse_put(mailbox, put, now) {
            return refusal;
        }
        let last_day = today + u32::from(put.class.days());
        mailbox.arrivals.push(Arrival {
            id,
            envelope: put.envelope.clone(),
            day: today,
            last_day,
            deleted: None,
        });
        Answer::Stored
    }

    fn fetch(&mut self, fetch: &Fetch, answer: &Answer, now: UnixTime) -> String {
        if fetch.from.is_empty() || fetch.from.len() > 64 || fetch.max == 0 || fetch.wait_secs > 60 {
            return shape(&Answer::Malformed);
        }
        let ids: Vec<MailboxId> = fetch.from.iter().map(|from| from.mailbox.hashes().id()).collect();
        let starts: Vec<usize> =
            (0..ids.len()).map(|at| self.start(&ids[at], fetch.from[at].start, now)).collect();
        let waiting: Vec<Vec<usize>> =
            (0..ids.len()).map(|at| self.waiting_from(&ids[at], starts[at], now)).collect();
        let dealt = deal(&waiting, usize::from(fetch.max.min(64)));
        let mut text = String::new();
        for at in 0..ids.len() {
            let taken = &waiting[at][..dealt[at]];
            let more = waiting[at].len() > taken.len();
            let arrivals = self.mailboxes.get(&ids[at]).map_or(&[][..], |mailbox| &mailbox.arrivals);
            let found: Vec<String> = taken.iter().map(|arrival| hex(&arrivals[*arrival].id.0)).collect();
            text.push_str(&format!("[{} more {more}]", found.join(" ")));
            let end = match taken.last() {
                Some(last) => last + 1,
                None if more => starts[at],
                None => arrivals.len(),
            };
            if let Answer::Fetched(fetched) = answer
                && let Some(fetched) = fetched.get(at)
            {
                self.cursors.insert(fetched.cursor.0, (ids[at], end));
            }
        }
        text
    }

    /// A cursor that this relay never gave for this mailbox reads from the first envelope.
    fn start(&self, id: &MailboxId, start: Start, now: UnixTime) -> usize {
        let Some(mailbox) = self.mailboxes.get(id) else { return 0 };
        match start {
            Start::First => 0,
            Start::After(cursor) => match self.cursors.get(&cursor.0) {
                Some((of, behind)) if of == id => *behind,
                _ => 0,
            },
            Start::Last(count) => {
                let waiting = mailbox.waiting(now.day());
                let skipped = waiting.len().saturating_sub(usize::from(count));
                waiting.get(skipped).copied().unwrap_or(mailbox.arrivals.len())
            }
        }
    }

    fn waiting_from(&self, id: &MailboxId, start: usize, now: UnixTime) -> Vec<usize> {
        let waiting = self.mailboxes.get(id).map_or(Vec::new(), |mailbox| mailbox.waiting(now.day()));
        waiting.into_iter().filter(|at| *at >= start).collect()
    }

    fn claim(&mut self, claim: &Claim, answer: &Answer, now: UnixTime) -> String {
        if claim.mailbox.kind != Kind::Intake || claim.secs < 60 || claim.secs > 3600 {
            return shape(&Answer::Malformed);
        }
        let id = claim.mailbox.hashes().id();
        let Some(mailbox) = self.mailboxes.get_mut(&id).filter(|mailbox| mailbox.opening.is_some()) else {
            return shape(&Answer::Nothing);
        };
        let repeated = mailbox.claims.iter().rposition(|other| other.id == claim.claim_id);
        let Some(at) = repeated
            .filter(|at| mailbox.claims[*at].is_remembered(now))
            .or_else(|| lease(mailbox, claim, now))
        else {
            return shape(&Answer::Nothing);
        };
        let given = &mut mailbox.claims[at];
        let arrival = &mailbox.arrivals[given.arrival];
        if !given.lasts(now) || !arrival.waits(now.day()) {
            return shape(&Answer::Ended);
        }
        if let Answer::Claimed(claimed) = answer {
            given.token = Some(claimed.token);
            self.tokens.insert(claimed.token, (id, at));
        }
        format!("claimed {} number {} left {}", hex(&arrival.id.0), given.number, given.ends.since(now))
    }

    /// The mailbox and the claim of a token whose lease lasts.
    fn leased(&mut self, token: &LeaseToken, now: UnixTime) -> Option<(&mut Mailbox, usize)> {
        let (id, at) = *self.tokens.get(token)?;
        let mailbox = self.mailboxes.get_mut(&id)?;
        let claim = &mailbox.claims[at];
        let lasts = claim.lasts(now) && mailbox.arrivals[claim.arrival].waits(now.day());
        lasts.then_some((mailbox, at))
    }

    fn extend(&mut self, extend: &Extend, now: UnixTime) -> Answer {
        if extend.secs_from_claim > 3600 {
            return Answer::Malformed;
        }
        let Some((mailbox, at)) = self.leased(&extend.token, now) else { return Answer::Ended };
        let claim = &mut mailbox.claims[at];
        claim.ends = claim.ends.max(claim.at.plus(extend.secs_from_claim.into()));
        Answer::Extended { secs_left: u32::try_from(claim.ends.since(now)).expect("an hour at most") }
    }

    fn release(&mut self, token: &LeaseToken, now: UnixTime) -> Answer {
        if let Some((mailbox, at)) = self.leased(token, now) {
            mailbox.claims[at].released = true;
        }
        Answer::Done
    }

    fn delete(&mut self, delete: &Delete, now: UnixTime) -> Answer {
        if delete.ids.is_empty() || delete.ids.len() > 64 {
            return Answer::Malformed;
        }
        match &delete.by {
            DeleteBy::Key(key) => {
                let Some(mailbox) = self.mailboxes.get_mut(&key.hashes().id()) else { return Answer::Done };
                for id in &delete.ids {
                    if let Some(at) = mailbox.find(id).filter(|at| mailbox.arrivals[*at].waits(now.day())) {
                        mailbox.arrivals[at].deleted = Some(now.day());
                    }
                }
                Answer::Done
            }
            DeleteBy::Lease(token) => self.delete_leased(token, delete, now),
        }
    }

    fn delete_leased(&mut self, token: &LeaseToken, delete: &Delete, now: UnixTime) -> Answer {
        let claim = self.tokens.get(token).map(|(id, at)| &self.mailboxes[id].claims[*at]);
        if claim.is_some_and(|claim| claim.deleted && claim.is_remembered(now)) {
            return Answer::Done;
        }
        let Some((mailbox, at)) = self.leased(token, now) else { return Answer::Ended };
        let arrival = mailbox.claims[at].arrival;
        if delete.ids.iter().any(|id| *id != mailbox.arrivals[arrival].id) {
            return Answer::Malformed;
        }
        mailbox.claims[at].deleted = true;
        mailbox.arrivals[arrival].deleted = Some(now.day());
        Answer::Done
    }

    /// When a relay forgets a mailbox whose last day is over is its own affair; then it can be opened anew.
    fn open(&mut self, open: &Open, answer: &Answer, now: UnixTime) -> Answer {
        let max = match open.mailbox.kind {
            Kind::Plain => return Answer::Refused,
            Kind::Intake => 1 << 30,
            Kind::Log => 1024,
        };
        let in_time = open.last_day >= now.day() && open.last_day <= now.day() + 40;
        if open.mailbox.delete != KeyHash::NOBODY || open.quota > max || !in_time {
            return Answer::Refused;
        }
        let quota = if open.quota == 0 { max } else { open.quota };
        let opening = Opening { last_day: open.last_day, quota, gated: open.gated, steward: open.steward };
        let mailbox = self.mailboxes.entry(open.mailbox.id()).or_default();
        match &mailbox.opening {
            Some(earlier) if *earlier == opening => Answer::Opened,
            Some(earlier) if earlier.last_day >= now.day() || !matches!(answer, Answer::Opened) => {
                Answer::Refused
            }
            _ => {
                (mailbox.opening, mailbox.closed) = (Some(opening), false);
                Answer::Opened
            }
        }
    }

    fn close(&mut self, close: &Close, now: UnixTime) -> Answer {
        let mailbox = self.mailboxes.get_mut(&close.mailbox.id());
        let steward = close.steward.hash();
        let may = |opening: &Opening| opening.steward == steward && opening.last_day >= now.day();
        match mailbox.filter(|mailbox| mailbox.opening.as_ref().is_some_and(may)) {
            Some(mailbox) => {
                mailbox.closed = true;
                Answer::Closed
            }
            None => Answer::Refused,
        }
    }

    fn status(&mut self, status: &Status, now: UnixTime) -> Answer {
        if status.ids.is_empty() || status.ids.len() > 64 {
            return Answer::Malformed;
        }
        let mailbox = self.mailboxes.get(&status.mailbox.hashes().id()).cloned().unwrap_or_default();
        let of = |id| match (status.mailbox.kind, mailbox.find(id)) {
            (Kind::Intake, Some(at)) => intake_status(&mailbox, at, now),
            (Kind::Intake, None) => EnvelopeStatus::Unknown,
            (_, Some(at)) => plain_status(&mailbox.arrivals[at], now),
            (_, None) => EnvelopeStatus::Gone,
        };
        Answer::Status(status.ids.iter().map(of).collect())
    }
}

fn refuse_put(mailbox: &Mailbox, put: &Put, now: UnixTime) -> Option<Answer> {
    let today = now.day();
    if put.to.kind == Kind::Plain {
        let full = mailbox.waiting(today).len() >= 64 || mailbox.ids(today) >= 1024;
        return full.then_some(Answer::Full);
    }
    let Some(opening) = mailbox.opening.as_ref().filter(|opening| today <= opening.last_day) else {
        return Some(Answer::NotOpen);
    };
    let shown = match &put.payment {
        Payment::Steward(key) => key.hash() == opening.steward,
        _ => false,
    };
    if opening.gated && !shown {
        return Some(Answer::NotOpen);
    }
    if mailbox.closed {
        return Some(Answer::Moved);
    }
    if put.to.kind == Kind::Log {
        return (mailbox.waiting(today).len() as u64 >= opening.quota).then_some(Answer::Full);
    }
    if put.class.days() > 4 {
        return Some(Answer::Malformed);
    }
    (mailbox.used(today) + 4096 > opening.quota).then_some(Answer::Full)
}

/// Gives a lease to a new claim, if there is something for it.
fn lease(mailbox: &mut Mailbox, claim: &Claim, now: UnixTime) -> Option<usize> {
    let waiting = mailbox.waiting(now.day());
    let mut free = waiting.into_iter().filter(|at| mailbox.holder(*at, now).is_none());
    let arrival = match claim.what {
        ClaimWhat::Oldest => free.next()?,
        ClaimWhat::Id(id) => free.find(|at| mailbox.arrivals[*at].id == id)?,
    };
    let earlier = mailbox.claims.iter().filter(|claim| claim.arrival == arrival).count();
    mailbox.claims.push(mailbox::Claim {
        id: claim.claim_id,
        token: None,
        arrival,
        number: earlier as u32 + 1,
        at: now,
        ends: now.plus(claim.secs.into()),
        released: false,
        deleted: false,
    });
    Some(mailbox.claims.len() - 1)
}

/// Deals `max` out, one to each in turn that has one left.
fn deal(waiting: &[Vec<usize>], max: usize) -> Vec<usize> {
    let mut dealt = vec![0; waiting.len()];
    let all: usize = waiting.iter().map(Vec::len).sum();
    let mut at = 0;
    while dealt.iter().sum::<usize>() < max.min(all) {
        if dealt[at] < waiting[at].len() {
            dealt[at] += 1;
        }
        at = (at + 1) % waiting.len();
    }
    dealt
}

fn intake_status(mailbox: &Mailbox, at: usize, now: UnixTime) -> EnvelopeStatus {
    let arrival = &mailbox.arrivals[at];
    if arrival.waits(now.day()) {
        let leased = mailbox.holder(at, now).is_some();
        return if leased { EnvelopeStatus::Claimed } else { EnvelopeStatus::Stored };
    }
    if arrival.is_remembered(now.day()) { EnvelopeStatus::Gone } else { EnvelopeStatus::Unknown }
}

/// A deletion shows on the next day.
fn plain_status(arrival: &Arrival, now: UnixTime) -> EnvelopeStatus {
    let deleted_before_today = arrival.deleted.is_some_and(|day| day < now.day());
    let expired = arrival.deleted.is_none() && now.day() > arrival.last_day;
    if deleted_before_today || expired { EnvelopeStatus::Gone } else { EnvelopeStatus::Stored }
}
