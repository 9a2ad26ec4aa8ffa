//! A volunteer at a device: takes requests from the queue, answers every text once, gives a request back now and then.

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::rc::Rc;

use poterne_client_core::device::{CaseSummary, Device, EpochGrant, Outcome, Stage, Ticket};
use poterne_client_core::records::LocalId;
use poterne_client_core::transcript::Author;
use poterne_protocol::time::UnixTime;
use rand_chacha::ChaCha20Rng;
use rand_chacha::rand_core::Rng;

use super::{count, shown, text};
use crate::world::resident::{Home, Living, Person};
use crate::world::talks::{Shown, Talks};

/// Seconds between two looks at the queue at most.
const PAUSE_SECS: u64 = 40;
/// Of how many requests one is given back.
const GIVEN_BACK: u64 = 12;

impl Living for Device {
    fn load(home: &Home) -> Self {
        Self::load(home).expect("what was committed can be loaded").expect("there is a desk in the vault")
    }
}

/// What the coordinator has granted to the other devices of the desk, until they fetch it.
pub type Grants = Rc<RefCell<BTreeMap<u16, Vec<EpochGrant>>>>;

/// A person at a device.
pub struct Volunteer {
    index: u16,
    /// The number of the home's commits when it was last looked at.
    seen: Option<u64>,
    cases: BTreeMap<LocalId, Shown>,
    claiming: Option<Ticket>,
    next: UnixTime,
    grants: Grants,
    talks: Rc<RefCell<Talks>>,
}

impl Volunteer {
    /// Sits at the device of that index from `begin` on.
    pub fn new(index: u16, begin: UnixTime, grants: Grants, talks: Rc<RefCell<Talks>>) -> Self {
        Self { index, seen: None, cases: BTreeMap::new(), claiming: None, next: begin, grants, talks }
    }

    fn look(&mut self, machine: &Device, home: &Home) {
        if self.seen == Some(home.generation()) {
            return;
        }
        self.seen = Some(home.generation());
        let mut talks = self.talks.borrow_mut();
        for case in machine.cases() {
            let shown = shown(home, case.id);
            talks.theirs.insert((self.index.into(), case.id.to_string()), shown.clone());
            self.cases.insert(case.id, shown);
            if case.stage == Stage::Stopped {
                talks.alarms.push(format!("case {} of device {} came to a full stop", case.id, self.index));
            }
        }
    }

    fn pass_grants(&self, machine: &mut Device) {
        let mut grants = self.grants.borrow_mut();
        while let Some((index, grant)) = machine.poll_granted() {
            grants.entry(index).or_default().push(grant);
        }
        if let Some(own) = grants.remove(&self.index) {
            machine.take_grants(own);
        }
    }

    fn claim(&mut self, machine: &mut Device, now: UnixTime, dice: &mut ChaCha20Rng) {
        if let Some(ticket) = self.claiming {
            match machine.outcome(ticket) {
                None => return,
                Some(Ok(Outcome::Claimed(id))) if dice.next_u64().is_multiple_of(GIVEN_BACK) => {
                    machine.release(id, now, dice);
                }
                Some(_) => {}
            }
        }
        self.claiming = Some(machine.claim(None, now, dice));
    }

    /// Answers each text of hers once.
    fn answer(&self, machine: &mut Device, case: &CaseSummary, now: UnixTime, dice: &mut ChaCha20Rng) {
        let Some(shown) = self.cases.get(&case.id) else { return };
        let (asked, own) = (count(shown, Author::Requester), count(shown, Author::Volunteer) + case.drafts);
        let may = matches!(case.stage, Stage::Claimed | Stage::Talking);
        if may && own < asked && dice.next_u64().is_multiple_of(2) {
            let name = format!("v{}/{}", self.index, own);
            machine.reply(case.id, &text(&name, dice), now, dice);
        }
    }
}

impl Person<Device> for Volunteer {
    fn act(&mut self, machine: &mut Device, home: &Home, now: UnixTime, dice: &mut ChaCha20Rng) {
        self.look(machine, home);
        if now < self.next {
            return;
        }
        self.next = now.plus(1 + dice.next_u64() % PAUSE_SECS);
        self.pass_grants(machine);
        for case in machine.cases() {
            self.answer(machine, &case, now, dice);
        }
        self.claim(machine, now, dice);
    }

    fn poll_timeout(&self) -> Option<UnixTime> {
        Some(self.next)
    }

    fn restarted(&mut self) {
        (self.claiming, self.seen) = (None, None);
    }
}
