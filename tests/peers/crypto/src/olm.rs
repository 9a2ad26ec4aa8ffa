//! The same steps with vodozemac: Olm, without a post-quantum part.

use vodozemac::olm::{Account, OlmMessage, Session, SessionConfig};

use crate::times::{ROUNDS, Times, WARM_UP};

/// Times everything and prints a table.
pub fn run() {
    let mut times = Times::default();
    for _ in 0..ROUNDS + WARM_UP {
        let (mut ours, mut theirs) = set_up(&mut times);
        turn(&mut times, &mut theirs, &mut ours);
        turn(&mut times, &mut ours, &mut theirs);
    }
    times.print("vodozemac (no post-quantum part)");
}

/// Olm's keys are published ahead: making them is timed too, as a first contact makes its own.
fn set_up(times: &mut Times) -> (Session, Session) {
    let (alice, mut bob) = times.time("accounts with a one-time key", || {
        let (alice, mut bob) = (Account::new(), Account::new());
        bob.generate_one_time_keys(1);
        (alice, bob)
    });
    let one_time = *bob.one_time_keys().values().next().expect("one was made");
    let bob_key = bob.curve25519_key();
    let (ours, message) = times.time("set-up, sealed", || {
        let session = alice.create_outbound_session(SessionConfig::version_1(), bob_key, one_time);
        let mut session = session.expect("a true key");
        let message = session.encrypt("first").expect("a new session encrypts");
        (session, message)
    });
    let OlmMessage::PreKey(message) = message else { unreachable!("the first message carries the keys") };
    let alice_key = alice.curve25519_key();
    let created = times.time("set-up, opened", || {
        bob.create_inbound_session(SessionConfig::version_1(), alice_key, &message).expect("a true message")
    });
    (ours, created.session)
}

fn turn(times: &mut Times, from: &mut Session, to: &mut Session) {
    let text = "a message of some length, as people write it";
    let message = times.time("turn, sealed", || from.encrypt(text).expect("a session encrypts"));
    times.time("turn, opened", || to.decrypt(&message).expect("a true message"));
}
