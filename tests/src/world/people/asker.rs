//! A requester: writes her texts one after another, each at its time, whether somebody has answered or not.

use std::cell::RefCell;
use std::rc::Rc;

use poterne_client_core::records::LocalId;
use poterne_client_core::requester::{Requester, Standing};
use poterne_client_core::transcript::Author;
use poterne_protocol::card::Card;
use poterne_protocol::time::UnixTime;
use rand_chacha::ChaCha20Rng;

use super::{count, shown};
use crate::world::resident::{Home, Living, Person};
use crate::world::talks::Talks;

impl Living for Requester {
    fn load(home: &Home) -> Self {
        Self::load(home).expect("what was committed can be loaded")
    }
}

/// A person with something to say.
pub struct Asker {
    name: String,
    card: Card,
    texts: Vec<(UnixTime, String)>,
    /// The number of the home's commits when it was last looked at.
    seen: Option<u64>,
    /// How many of her texts it showed then.
    sealed: usize,
    next: Option<UnixTime>,
    talks: Rc<RefCell<Talks>>,
}

impl Asker {
    /// Writes these texts at these times; all of them begin with her name and a colon.
    pub fn new(name: String, card: Card, texts: Vec<(UnixTime, String)>, talks: Rc<RefCell<Talks>>) -> Self {
        let wanted = texts.iter().map(|(_, text)| text.clone()).collect();
        talks.borrow_mut().wanted.insert(name.clone(), wanted);
        let next = texts.first().map(|(at, _)| *at);
        Self { name, card, texts, seen: None, sealed: 0, next, talks }
    }

    fn look(&mut self, machine: &Requester, home: &Home) {
        if self.seen == Some(home.generation()) {
            return;
        }
        self.seen = Some(home.generation());
        let Some(summary) = machine.conversations().into_iter().next() else { return };
        let shown = shown(home, summary.id);
        self.sealed = count(&shown, Author::Requester);
        let mut talks = self.talks.borrow_mut();
        talks.hers.insert(self.name.clone(), shown);
        if let Standing::Stopped(why) = summary.standing {
            talks.alarms.push(format!("{} came to a full stop: {why:?}", self.name));
        }
    }

    fn write(&self, machine: &mut Requester, text: &str, now: UnixTime, dice: &mut ChaCha20Rng) {
        let written = match conversation(machine) {
            Some(id) => machine.say(id, text, now, dice),
            None => machine.ask(self.card.clone(), text, *b"en\0\0", now, dice).map(drop),
        };
        if let Err(error) = written {
            self.talks.borrow_mut().alarms.push(format!("{} can't write: {error}", self.name));
        }
    }
}

impl Person<Requester> for Asker {
    fn act(&mut self, machine: &mut Requester, home: &Home, now: UnixTime, dice: &mut ChaCha20Rng) {
        self.look(machine, home);
        let drafts = conversation(machine).map_or(0, |id| machine.drafts(id).len());
        let written = self.sealed + drafts;
        self.next = self.texts.get(written).map(|(at, _)| *at);
        if self.next.is_some_and(|at| at <= now) {
            let text = self.texts[written].1.clone();
            self.write(machine, &text, now, dice);
            self.next = self.texts.get(written + 1).map(|(at, _)| *at);
        }
    }

    fn poll_timeout(&self) -> Option<UnixTime> {
        self.next
    }
}

fn conversation(machine: &Requester) -> Option<LocalId> {
    machine.conversations().first().map(|summary| summary.id)
}
