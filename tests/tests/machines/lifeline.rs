//! Calls by the lifeline: this version can't follow them, and loses none.

use poterne_client_core::body::kinds::{HandOver, Reason, Successor};
use poterne_client_core::desk::certificate::DeviceCertificate;
use poterne_client_core::desk::epoch::{Epoch, EpochSeed};
use poterne_client_core::dh::DhSecret;
use poterne_client_core::intake::OpenedRequest;
use poterne_client_core::requester::{CALLS_MAX, Requester};
use poterne_client_core::session::DeviceKeys;
use poterne_client_core::sign::SignSecret;
use poterne_protocol::envelope::{Class, SealedEnvelope};
use poterne_protocol::kem::KemSecret;
use poterne_protocol::mailbox::Kind;
use poterne_protocol::op::{Answer, Payment, Put, Request};
use poterne_tests::table::Table;

use crate::hand::{self, Hand, today};
use crate::people::{Asker, Desk, ask_card, claim, messages, reply, say};
use poterne_client_core::records::LocalId;

/// A request that a device has answered, and its secrets as the whole desk has them.
fn answered(table: &mut Table) -> (Desk, Asker, LocalId, LocalId, OpenedRequest) {
    let (mut hand, seed) = (Hand::new(table), EpochSeed::generate(&mut table.rng));
    let epoch = today(table);
    let published = hand.notice(table, epoch, &seed, &[]);
    hand.publish(table, &published);
    let mut device = hand::device(table, 1);
    let grant = hand.grant(&published, &seed, device.machine.identity());
    hand::seat(table, &mut device, grant);
    let (mut asker, id) = ask_card(table, hand.card(table), "Help me");
    let m0 = table.asked.iter().find_map(|(_, request)| contact(request)).unwrap();
    let opened = seed.intake_key(published.notice.desk(), epoch).open(&m0).unwrap();
    let case = claim(table, &mut device);
    reply(table, &mut device, case, "I am here");
    asker.refresh(table);
    (device, asker, id, case, opened)
}

fn contact(request: &Request) -> Option<SealedEnvelope> {
    match request {
        Request::Put(put) if put.to.kind == Kind::Intake => Some(put.envelope.clone()),
        _ => None,
    }
}

/// A call that some device of the desk has sealed.
fn call(table: &mut Table, opened: &OpenedRequest) -> SealedEnvelope {
    let identity = DhSecret::generate(&mut table.rng);
    let signer = SignSecret::generate(&mut table.rng);
    let (public, last) = (identity.public(), Epoch { day: table.now.day() + 7, generation: 0 });
    let desk = poterne_protocol::desk::DeskId([1; 32]);
    let certificate = DeviceCertificate::sign(&signer, &desk, 1, 2, public, last);
    let key = KemSecret::generate(&mut table.rng).public();
    let to = Successor::Device { certificate: Box::new(certificate.clone()), key: key.clone() };
    let hand_over = HandOver { reason: Reason::Gone, to };
    let device = DeviceKeys { identity, certificate };
    opened.lifeline().seal_call(&device, key, &hand_over, &mut table.rng).unwrap()
}

/// Puts an envelope into her answer box.
fn put(table: &mut Table, opened: &OpenedRequest, envelope: SealedEnvelope) {
    let pin = table.relay(1);
    let boxed = opened.answer_box();
    let to = boxed.write_to(&boxed.relays()[0], &pin);
    let put = Put { to, class: Class::THIRTY, payment: Payment::None, envelope };
    assert!(matches!(table.ask(pin, Request::Put(put)), Ok(Answer::Stored)));
}

fn deletes(table: &Table) -> usize {
    table.asked.iter().filter(|(_, request)| matches!(request, Request::Delete(_))).count()
}

#[test]
fn a_call_is_kept_and_shown_as_needing_a_newer_version() {
    let mut table = Table::new(1101, 1);
    let (_, mut asker, id, _, opened) = answered(&mut table);
    say(&mut table, &mut asker, id, "Thank you");
    let envelope = call(&mut table, &opened);
    put(&mut table, &opened, envelope);
    asker.refresh(&mut table);
    let asker = asker.restart(&table, Requester::load);
    let shown = ["requester: Help me", "volunteer: I am here", "requester: Thank you", "volunteer: type 2"];
    assert_eq!(messages(&asker, id), shown);
}

#[test]
fn a_call_that_comes_twice_is_shown_once_and_the_conversation_goes_on() {
    let mut table = Table::new(1102, 1);
    let (mut device, mut asker, id, case, opened) = answered(&mut table);
    let envelope = call(&mut table, &opened);
    for _ in 0..2 {
        put(&mut table, &opened, envelope.clone());
        asker.refresh(&mut table);
    }
    say(&mut table, &mut asker, id, "Thank you");
    device.refresh(&mut table);
    reply(&mut table, &mut device, case, "You are welcome");
    asker.refresh(&mut table);
    let shown = messages(&asker, id);
    assert_eq!(shown.iter().filter(|line| *line == "volunteer: type 2").count(), 1);
    assert_eq!(shown.last().unwrap(), "volunteer: You are welcome");
}

#[test]
fn calls_for_which_there_is_no_room_stay_at_the_relay() {
    let mut table = Table::new(1103, 1);
    let (_, mut asker, id, _, opened) = answered(&mut table);
    table.asked.clear();
    for _ in 0..=CALLS_MAX {
        let envelope = call(&mut table, &opened);
        put(&mut table, &opened, envelope);
    }
    asker.refresh(&mut table);
    asker.refresh(&mut table);
    let shown = messages(&asker, id);
    assert_eq!(shown.iter().filter(|line| *line == "volunteer: type 2").count(), CALLS_MAX);
    assert_eq!(deletes(&table), 1, "what was kept is deleted in one request, and nothing else");
}
