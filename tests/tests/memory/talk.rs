//! The child: a request, its answer and some turns, each side with its vault, and then nothing of it.

use std::cell::RefCell;
use std::fs::{self, File};
use std::io::{Read as _, Write as _};
use std::path::Path;
use std::rc::Rc;

use poterne_client_core::device::{Device, Outcome};
use poterne_client_core::effect::Machine;
use poterne_client_core::hygiene::wipe_stack;
use poterne_client_core::records::LocalId;
use poterne_client_core::requester::Requester;
use poterne_client_core::transcript::{self, Content};
use poterne_client_core::vault::memory::MemoryDisk;
use poterne_client_core::vault::{Params, Vault};
use poterne_protocol::witness;
use poterne_tests::table::{Seat, Table};
use rand_core::Rng as _;
use zeroize::Zeroizing;

use super::{MASK, READY, SECRETS};

/// Letters of a text: random ones, so that each text is a secret of its own.
const TEXT_LETTERS: usize = 120;

/// Where secrets are written down, masked, without a copy that looks like them.
pub type Ledger = Rc<RefCell<File>>;

/// Talks, leaves a secret of its own in memory, and waits.
pub fn run(folder: &Path) {
    let ledger = talk(folder);
    wipe_stack();
    let mut planted = vec![0; 32];
    File::open("/dev/urandom").unwrap().read_exact(&mut planted).unwrap();
    write_down(&ledger, &planted);
    drop(ledger);
    fs::write(folder.join(READY), "").unwrap();
    std::io::stdin().read_exact(&mut [0]).unwrap();
    drop(planted);
}

/// The whole conversation, every secret of it written down in `folder`.
pub fn talk(folder: &Path) -> Ledger {
    let ledger = Rc::new(RefCell::new(File::create(folder.join(SECRETS)).unwrap()));
    let told = ledger.clone();
    witness::install(Some(Box::new(move |secret| write_down(&told, secret))));
    converse(&ledger);
    witness::install(None);
    ledger
}

fn write_down(ledger: &Ledger, secret: &[u8]) {
    let mut file = ledger.borrow_mut();
    let length = u16::try_from(secret.len()).unwrap().to_le_bytes();
    file.write_all(&length.map(|byte| byte ^ MASK)).unwrap();
    for byte in secret {
        file.write_all(&[byte ^ MASK]).unwrap();
    }
}

/// Everything that two people do, in frames of its own, so that what it leaves behind lies below the caller's.
#[inline(never)]
fn converse(ledger: &Ledger) {
    let mut table = Table::new(7, 2);
    let passphrase = text(&mut table, ledger);
    let mut desk = desk(&mut table, &passphrase);
    let vault = vault(&mut table, &passphrase);
    let mut asker = Seat::new(Requester::default(), vault);
    let text = text(&mut table, ledger);
    let card = desk.machine.card().unwrap();
    let conversation = asker.machine.ask(card, text.as_str(), *b"uk\0\0", table.now, &mut table.rng).unwrap();
    asker.settle(&mut table);
    let case = claim(&mut table, &mut desk);
    for turn in 0..3 {
        reply(&mut table, &mut desk, case, ledger);
        asker.refresh(&mut table);
        if turn == 1 {
            asker = restarted(asker, &passphrase, |vault| Requester::load(vault).unwrap());
            desk = restarted(desk, &passphrase, |vault| Device::load(vault).unwrap().unwrap());
        }
        say(&mut table, &mut asker, conversation, ledger);
        desk.refresh(&mut table);
    }
    assert_eq!(texts(&asker.vault, conversation), 7);
    assert_eq!(texts(&desk.vault, case), 7);
    table.asked.clear();
    // The generator holds what it made last; a program asks the system instead.
    table.rng.fill_bytes(&mut [0; 4096]);
}

/// An empty vault.
fn vault(table: &mut Table, passphrase: &str) -> Vault<MemoryDisk> {
    let params = Params::new(64, 1, 2, 1024).unwrap();
    let disk = MemoryDisk::new(params.file_bytes());
    Vault::format(disk, params, passphrase.as_bytes(), &mut table.rng).unwrap()
}

/// The machine is dropped and comes out of its vault again.
fn restarted<M: Machine>(seat: Seat<M>, passphrase: &str, load: impl Fn(&Vault<MemoryDisk>) -> M) -> Seat<M> {
    let vault = Vault::open(seat.vault.into_disk(), passphrase.as_bytes()).unwrap();
    Seat::new(load(&vault), vault)
}

fn desk(table: &mut Table, passphrase: &str) -> Seat<Device> {
    let relays = table.addresses();
    let machine = Device::create("desk", &relays, table.now, &mut table.rng).unwrap();
    let mut seat = Seat::new(machine, vault(table, passphrase));
    seat.settle(table);
    seat.refresh(table);
    seat
}

fn claim(table: &mut Table, desk: &mut Seat<Device>) -> LocalId {
    let ticket = desk.machine.claim(None, table.now, &mut table.rng);
    desk.refresh(table);
    match desk.machine.outcome(ticket) {
        Some(Ok(Outcome::Claimed(case))) => case,
        other => panic!("a claim came to {other:?}"),
    }
}

fn reply(table: &mut Table, desk: &mut Seat<Device>, case: LocalId, ledger: &Ledger) {
    let text = text(table, ledger);
    let ticket = desk.machine.reply(case, text.as_str(), table.now, &mut table.rng);
    desk.refresh(table);
    assert!(matches!(desk.machine.outcome(ticket), Some(Ok(Outcome::Replied(_)))));
}

fn say(table: &mut Table, asker: &mut Seat<Requester>, conversation: LocalId, ledger: &Ledger) {
    let text = text(table, ledger);
    asker.machine.say(conversation, text.as_str(), table.now, &mut table.rng).unwrap();
    asker.settle(table);
}

/// How many texts a side can read.
fn texts(vault: &Vault<MemoryDisk>, id: LocalId) -> usize {
    let messages = transcript::read(vault, id).unwrap();
    messages.iter().filter(|message| matches!(&message.content, Content::Text(_))).count()
}

/// A text that nobody else writes, written down.
fn text(table: &mut Table, ledger: &Ledger) -> Zeroizing<String> {
    let mut text = Zeroizing::new(String::with_capacity(TEXT_LETTERS));
    for _ in 0..TEXT_LETTERS {
        text.push(char::from(b'a' + (table.rng.next_u32() % 26) as u8));
    }
    write_down(ledger, text.as_bytes());
    text
}
