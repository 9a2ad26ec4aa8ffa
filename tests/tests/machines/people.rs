//! People at the table, and what they do.

use poterne_client_core::device::{Device, DeviceError, Outcome};
use poterne_client_core::dh::DhSecret;
use poterne_client_core::effect::Machine;
use poterne_client_core::records::LocalId;
use poterne_client_core::requester::{Requester, Warning};
use poterne_client_core::stored::StoredError;
use poterne_client_core::transcript::{self, Author, Content, SentState};
use poterne_client_core::vault::Vault;
use poterne_client_core::vault::memory::MemoryDisk;
use poterne_protocol::card::Card;
use poterne_tests::table::{Seat, Table};

pub type Desk = Seat<Device>;
pub type Asker = Seat<Requester>;

/// A device out of a vault that holds one.
pub fn load_desk(vault: &Vault<MemoryDisk>) -> Result<Device, StoredError> {
    Device::load(vault).map(|device| device.expect("there is a desk in the vault"))
}

/// A desk that uses all relays, with its notices published.
pub fn desk(table: &mut Table) -> Desk {
    let relays = table.addresses();
    let machine = Device::create("desk", &relays, table.now, &mut table.rng).unwrap();
    let mut seat = Seat::new(machine, table.vault());
    seat.settle(table);
    seat.refresh(table);
    assert_eq!(seat.machine.days_published(table.now.day()), Some(5));
    seat
}

/// Another device of the desk.
pub fn join(table: &mut Table, desk: &mut Desk, index: u16) -> Desk {
    let identity = DhSecret::generate(&mut table.rng);
    let machine = Device::join(identity, index, Vec::new());
    let mut seat = Seat::new(machine, table.vault());
    let grants = desk.machine.admit(seat.machine.identity());
    desk.settle(table);
    seat.machine.take_grants(grants);
    seat.settle(table);
    seat
}

/// Hands over what the coordinator has granted since.
pub fn pass_grants(table: &mut Table, desk: &mut Desk, other: &mut Desk) {
    while let Some((_, grant)) = desk.machine.poll_granted() {
        other.machine.take_grants(vec![grant]);
    }
    other.settle(table);
}

/// Somebody with an empty home.
pub fn stranger(table: &mut Table) -> Asker {
    Seat::new(Requester::default(), table.vault())
}

/// Somebody asks the desk of that card.
pub fn ask_card(table: &mut Table, card: Card, text: &str) -> (Asker, LocalId) {
    let mut seat = stranger(table);
    let id = seat.machine.ask(card, text, *b"ru\0\0", table.now, &mut table.rng).unwrap();
    seat.settle(table);
    (seat, id)
}

/// Somebody asks the desk.
pub fn ask(table: &mut Table, desk: &Desk, text: &str) -> (Asker, LocalId) {
    ask_card(table, desk.machine.card().unwrap(), text)
}

/// Takes the oldest request of the queue, if there is one.
pub fn try_claim(
    table: &mut Table,
    desk: &mut Desk,
    wanted: Option<LocalId>,
) -> Result<LocalId, DeviceError> {
    let now = desk.now(table);
    let ticket = desk.machine.claim(wanted, now, &mut table.rng);
    desk.refresh(table);
    match desk.machine.outcome(ticket) {
        Some(Ok(Outcome::Claimed(case))) => Ok(case),
        Some(Err(error)) => Err(error),
        other => panic!("a claim came to {other:?}"),
    }
}

/// Takes the oldest request of the queue.
pub fn claim(table: &mut Table, desk: &mut Desk) -> LocalId {
    try_claim(table, desk, None).unwrap()
}

/// Writes to a requester.
pub fn try_reply(
    table: &mut Table,
    desk: &mut Desk,
    case: LocalId,
    text: &str,
) -> Option<Result<Outcome, DeviceError>> {
    let now = desk.now(table);
    let ticket = desk.machine.reply(case, text, now, &mut table.rng);
    desk.refresh(table);
    desk.machine.outcome(ticket)
}

/// Writes to a requester; a relay must take it.
pub fn reply(table: &mut Table, desk: &mut Desk, case: LocalId, text: &str) {
    let outcome = try_reply(table, desk, case, text);
    assert_eq!(outcome, Some(Ok(Outcome::Replied(SentState::Stored))));
}

/// Writes in a conversation; it must be sealed at once.
pub fn say(table: &mut Table, asker: &mut Asker, conversation: LocalId, text: &str) {
    let now = asker.now(table);
    asker.machine.say(conversation, text, now, &mut table.rng).unwrap();
    asker.refresh(table);
    assert!(asker.machine.drafts(conversation).is_empty(), "{text} was not sealed");
}

/// How far each text has come.
pub fn states(asker: &Asker, conversation: LocalId) -> Vec<SentState> {
    asker.machine.sent(conversation).into_iter().map(|(_, state)| state).collect()
}

/// What the person is warned of.
pub fn warnings(table: &Table, asker: &Asker, conversation: LocalId) -> Vec<Warning> {
    asker.machine.warnings(conversation, asker.now(table))
}

/// The texts of the queue.
pub fn queue(desk: &Desk) -> Vec<String> {
    desk.machine.queue(desk.records()).unwrap().into_iter().map(|item| item.text.to_string()).collect()
}

/// A conversation as it is shown, oldest first.
pub fn messages<M: Machine>(seat: &Seat<M>, id: LocalId) -> Vec<String> {
    let messages = transcript::read(seat.records(), id).unwrap();
    let line = |message: &transcript::Message| {
        let author = match message.author {
            Author::Requester => "requester",
            Author::Volunteer => "volunteer",
        };
        match &message.content {
            Content::Text(text) => format!("{author}: {text}"),
            Content::Newer { kind, .. } => format!("{author}: type {kind}"),
            Content::File { bytes, .. } => format!("{author}: a file of {bytes} bytes"),
        }
    };
    messages.iter().map(line).collect()
}

/// A request, claimed and answered: both sides, the conversation, the case.
pub fn conversation(table: &mut Table) -> (Desk, Asker, LocalId, LocalId) {
    let mut desk = desk(table);
    let (mut asker, conversation) = ask(table, &desk, "Help me");
    let case = claim(table, &mut desk);
    reply(table, &mut desk, case, "I am here");
    asker.refresh(table);
    assert_eq!(messages(&asker, conversation), ["requester: Help me", "volunteer: I am here"]);
    (desk, asker, conversation, case)
}
