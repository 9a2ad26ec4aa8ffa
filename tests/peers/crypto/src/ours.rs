//! What the set-up of a conversation and a turn cost, against the sum of the primitives that they are made of, timed in
//! the same rounds.

use chacha20poly1305::aead::AeadInOut as _;
use chacha20poly1305::{KeyInit as _, XChaCha20Poly1305};
use poterne_client_core::probe::{SetUp, TODAY, part, talk};
use poterne_client_core::session::Session;
use poterne_protocol::kdf;
use rand_chacha::ChaCha20Rng;
use rand_core::{Rng as _, SeedableRng as _};
use x_wing::{DecapsulationKeyRejectNonContrib, Decapsulator as _, Encapsulate as _, EncapsulationKey};
use x_wing::{KeyExport as _, TryDecapsulate as _};
use x25519_dalek::{PublicKey, StaticSecret};

use crate::times::{ROUNDS, Times, WARM_UP};

/// Times everything and prints a table.
pub fn run() {
    let mut times = Times::default();
    let mut rng = ChaCha20Rng::seed_from_u64(1);
    let set_up = SetUp::new(1);
    let mut ends = talk(2);
    ends.requester
        .seal(&part("turn"), &mut rng)
        .map(|sealed| {
            ends.volunteer.open(&sealed.envelope, TODAY).expect("a true message opens");
        })
        .expect("she has been answered");
    for _ in 0..ROUNDS + WARM_UP {
        primitives(&mut times, &mut rng);
        contact(&mut times, &set_up, &mut rng);
        turn(&mut times, &mut ends.volunteer, &mut ends.requester, &mut rng);
        turn(&mut times, &mut ends.requester, &mut ends.volunteer, &mut rng);
    }
    report(&times);
}

fn primitives(times: &mut Times, rng: &mut ChaCha20Rng) {
    let mut seed = [0; 32];
    rng.fill_bytes(&mut seed);
    let secret = times.time("X-Wing keygen", || DecapsulationKeyRejectNonContrib::from(seed));
    let public = secret.encapsulation_key().to_bytes();
    let (ciphertext, _) = times.time("X-Wing encaps", || {
        let key = EncapsulationKey::try_from(&public[..]).expect("a true key");
        key.encapsulate_with_rng(rng)
    });
    times.time("X-Wing decaps", || secret.try_decapsulate(&ciphertext).expect("a true ciphertext"));
    let own = StaticSecret::from(seed);
    let public = times.time("X25519 keygen", || PublicKey::from(&own));
    times.time("X25519", || own.diffie_hellman(&public));
    let cipher = XChaCha20Poly1305::new(&seed.into());
    let mut page = vec![7; 4056];
    times.time("AEAD 4 KiB", || {
        cipher.encrypt_inout_detached(&[1; 24].into(), &[], page.as_mut_slice().into()).expect("a short text")
    });
    times.time("HKDF", || kdf::kdf::<64>(&[], &seed, "bench", &[]));
    times.time("SHA-256 4 KiB", || kdf::hash(&[&page]));
}

fn contact(times: &mut Times, set_up: &SetUp, rng: &mut ChaCha20Rng) {
    let intake = set_up.intake();
    // The key of the day is expanded once for all requests.
    let (envelope, _) = set_up.ask(rng);
    let _ = set_up.open(&intake, &envelope);
    let (envelope, pending) = times.time("first contact, sealed", || set_up.ask(rng));
    let opened = times.time("first contact, opened", || set_up.open(&intake, &envelope).expect("a true M0"));
    let (_, first) = times.time("first answer, sealed", || set_up.answer(&opened, rng));
    times.time("first answer, opened", || pending.open_answer(&first, TODAY).expect("a true A1"));
}

/// One end turns, with two messages.
fn turn(times: &mut Times, from: &mut Session, to: &mut Session, rng: &mut ChaCha20Rng) {
    let text = part("a message of some length, as people write it");
    for (seal, open) in [("turn, sealed", "turn, opened"), ("same chain, sealed", "same chain, opened")] {
        let sealed = times.time(seal, || from.seal(&text, rng).expect("answers come"));
        times.time(open, || to.open(&sealed.envelope, TODAY).expect("a true message"));
    }
}

fn report(times: &Times) {
    times.print("Poterne and its primitives");
    let set_up =
        ["first contact, sealed", "first contact, opened", "first answer, sealed", "first answer, opened"];
    let contact = [
        ("X-Wing keygen", 2.0),
        ("X-Wing encaps", 2.0),
        ("X-Wing decaps", 2.0),
        ("X25519 keygen", 1.0),
        ("X25519", 2.0),
        ("AEAD 4 KiB", 4.0),
        ("SHA-256 4 KiB", 2.0),
        // 8 of HPKE and its exports on each side, 32 follow-up keys, 4 of each side's A1, 3 mailboxes.
        ("HKDF", 59.0),
    ];
    compare("set-up", set_up.iter().map(|name| times.of(name)).sum(), times.sum(&contact));
    let sealed = [("X-Wing keygen", 1.0), ("X-Wing encaps", 1.0), ("AEAD 4 KiB", 1.0), ("HKDF", 3.0)];
    compare("turn, sealed", times.of("turn, sealed"), times.sum(&sealed));
    let opened = [("X-Wing decaps", 1.0), ("AEAD 4 KiB", 1.0), ("HKDF", 3.0)];
    compare("turn, opened", times.of("turn, opened"), times.sum(&opened));
    let both = times.of("turn, sealed") + times.of("turn, opened");
    compare("a turn, both sides", both, times.sum(&sealed) + times.sum(&opened));
}

fn compare(name: &str, whole: f64, sum: f64) {
    println!("{name}: {whole:.0} µs, its primitives {sum:.0} µs, ratio {:.2}", whole / sum);
}
