//! The power goes at any write of any commit: after a restart everything completes, each message once and in order.

use poterne_client_core::effect::Machine;
use poterne_client_core::records::LocalId;
use poterne_client_core::requester::Requester;
use poterne_client_core::stored::StoredError;
use poterne_client_core::transcript::{self, Author, Content};
use poterne_client_core::vault::Vault;
use poterne_client_core::vault::memory::MemoryDisk;
use poterne_protocol::card::Card;
use poterne_tests::table::{Seat, Table};

use crate::people::{Asker, Desk, desk, load_desk, messages, stranger};

/// Looks that a person takes before something is wrong.
const LOOKS: usize = 40;
const QUESTIONS: [&str; 3] = ["Help me", "question 1", "question 2"];
const ANSWERS: [&str; 3] = ["answer 0", "answer 1", "answer 2"];

/// How the power goes: before a write, or in the middle of it.
#[derive(Clone, Copy)]
enum Cut {
    Before,
    Within,
}

fn plan(disk: &mut MemoryDisk, cut: Cut, writes: u64) {
    match cut {
        Cut::Before => disk.fail_after(writes),
        Cut::Within => disk.tear_after(writes),
    }
}

/// The own texts that a home shows, sealed or not.
fn written(seat: &Seat<impl Machine>, id: LocalId, me: Author, drafts: usize) -> usize {
    let shown = transcript::read(seat.records(), id).unwrap();
    let own = shown.iter().filter(|one| one.author == me && matches!(one.content, Content::Text(_))).count();
    own + drafts
}

/// She writes her next text once the last one is answered; what a crash took back she writes again.
fn she_acts(table: &mut Table, asker: &mut Asker, card: &Card) -> Result<(), ()> {
    let now = table.now;
    match asker.machine.conversations().first().map(|one| one.id) {
        None => drop(asker.machine.ask(card.clone(), QUESTIONS[0], *b"en\0\0", now, &mut table.rng)),
        Some(id) => {
            let hers = written(asker, id, Author::Requester, asker.machine.drafts(id).len());
            let his = written(asker, id, Author::Volunteer, 0);
            if his == hers && hers < QUESTIONS.len() {
                let _ = asker.machine.say(id, QUESTIONS[hers], now, &mut table.rng);
            }
        }
    }
    asker.try_refresh(table).map_err(|_| ())
}

/// The volunteer answers each text once.
fn he_acts(table: &mut Table, desk: &mut Desk) -> Result<(), ()> {
    let now = table.now;
    match desk.machine.cases().first().map(|case| case.id) {
        None => drop(desk.machine.claim(None, now, &mut table.rng)),
        Some(id) => {
            let his = written(desk, id, Author::Volunteer, desk.machine.drafts(id).len());
            let hers = written(desk, id, Author::Requester, 0);
            if his < hers {
                desk.machine.reply(id, ANSWERS[his], now, &mut table.rng);
            }
        }
    }
    desk.try_refresh(table).map_err(|_| ())
}

fn is_complete(asker: &Asker, desk: &Desk) -> bool {
    let hers = asker.machine.conversations().first().map(|one| one.id);
    let his = desk.machine.cases().first().map(|one| one.id);
    let (Some(hers), Some(his)) = (hers, his) else { return false };
    messages(asker, hers).len() == 6 && messages(desk, his).len() == 6
}

fn assert_complete(asker: &Asker, desk: &Desk) {
    let (hers, his) = (asker.machine.conversations()[0].id, desk.machine.cases()[0].id);
    let mut expected = Vec::new();
    for (question, answer) in QUESTIONS.iter().zip(ANSWERS) {
        expected.push(format!("requester: {question}"));
        expected.push(format!("volunteer: {answer}"));
    }
    assert_eq!(messages(asker, hers), expected);
    assert_eq!(messages(desk, his), expected);
}

/// Goes through the whole story with a cut on one side. Whether the cut came before the end.
fn story(seed: u64, cut: Cut, writes: u64, is_hers: bool) -> bool {
    let mut table = Table::new(seed, 1);
    let mut desk = desk(&mut table);
    let card = desk.machine.card().unwrap();
    let mut asker = stranger(&mut table);
    if is_hers {
        asker = planned(&table, asker, cut, writes, Requester::load);
    } else {
        desk = planned(&table, desk, cut, writes, load_desk);
    }
    let mut was_cut = false;
    for _ in 0..LOOKS {
        if he_acts(&mut table, &mut desk).is_err() {
            was_cut = true;
            desk = after_the_cut(&mut table, desk, load_desk);
        }
        if she_acts(&mut table, &mut asker, &card).is_err() {
            was_cut = true;
            asker = after_the_cut(&mut table, asker, Requester::load);
        }
        if is_complete(&asker, &desk) {
            break;
        }
        table.wait(60);
    }
    assert_complete(&asker, &desk);
    was_cut
}

fn planned<M: Machine>(
    table: &Table,
    seat: Seat<M>,
    cut: Cut,
    writes: u64,
    load: impl Fn(&Vault<MemoryDisk>) -> Result<M, StoredError>,
) -> Seat<M> {
    let mut disk = seat.vault.into_disk();
    plan(&mut disk, cut, writes);
    Seat::of_disk(disk, table, load)
}

fn after_the_cut<M: Machine>(
    table: &mut Table,
    seat: Seat<M>,
    load: impl Fn(&Vault<MemoryDisk>) -> Result<M, StoredError>,
) -> Seat<M> {
    let mut disk = seat.vault.into_disk();
    disk.crash_randomly(&mut table.rng);
    Seat::of_disk(disk, table, load)
}

/// Both ways of going at every write; in a short run one way after the other, each at every second write.
fn cuts() -> Box<dyn Iterator<Item = (Cut, u64)>> {
    let both = [Cut::Before, Cut::Within];
    match std::env::var("POTERNE_CUTS").as_deref() {
        Ok("all") => Box::new((0..).flat_map(move |writes| both.map(|cut| (cut, writes)))),
        _ => Box::new(both.into_iter().cycle().zip(0..)),
    }
}

/// Tells the story with one cut after the other, until one would come behind its end.
fn every_story(seed: u64, is_hers: bool) {
    for (round, (cut, writes)) in cuts().enumerate() {
        if !story(seed + writes, cut, writes, is_hers) {
            assert!(round > 5, "the cut was never met");
            return;
        }
    }
}

#[test]
fn her_home_survives_a_cut_at_any_write() {
    every_story(10_000, true);
}

#[test]
fn a_desks_home_survives_a_cut_at_any_write() {
    every_story(20_000, false);
}
