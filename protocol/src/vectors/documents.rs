//! Descriptor, relay address, card.

use zeroize::Zeroizing;

use super::Vector;
use crate::address::{HostPort, RelayAddress};
use crate::card::{Card, CardExtras, CardRelay, PathSecret, Ticket};
use crate::descriptor::{Descriptor, Operator, RelayIdentity, RelayLimits};
use crate::desk::{CardSecret, DeskId};
use crate::kem::KemSecret;
use crate::keys::{KeyHash, Pin};
use crate::time::Day;

pub(super) fn all() -> Vec<Vector> {
    let two = vec![card_relay(3, "relay.example.org:443"), card_relay(5, "[2001:db8::1]:4433")];
    let extras = CardExtras {
        path_secret: Some(PathSecret(Zeroizing::new([9; 16]))),
        ticket: Some(Ticket(Zeroizing::new(vec![8; 16]))),
        more_addresses: vec![(0, at("192.0.2.1:443"))],
    };
    vec![
        descriptor(),
        address(),
        card("card of two relays", two, CardExtras::default()),
        card("card with everything", vec![card_relay(3, "relay.example.org:443")], extras),
    ]
}

fn at(text: &str) -> HostPort {
    text.parse().expect("the vectors' addresses are well formed")
}

/// The relay of the vectors: its identity, and what it says of itself on day 20,000.
pub(super) fn relay() -> (RelayIdentity, KemSecret, Descriptor) {
    let secret = KemSecret::from_seed(&[2; 32]);
    let limits =
        RelayLimits { fetch_envelopes: 64, fetch_wait_secs: 60, continued_idle_secs: 3600, permits: false };
    let descriptor = Descriptor {
        day: Day(20_000),
        request_key: secret.public(),
        operator: Operator::new(0x0304, "Example").expect("a short name"),
        addresses: vec![at("relay.example.org:443"), at("[2001:db8::1]:4433")],
        limits,
    };
    (RelayIdentity::from_seed(&[1; 32]), secret, descriptor)
}

fn descriptor() -> Vector {
    let (identity, secret, descriptor) = relay();
    let bytes = descriptor.sign(&identity);
    let verified = Descriptor::parse_verified(&bytes, &identity.pin()).expect("our own signature holds");
    assert_eq!(verified.descriptor(), &descriptor, "what was signed is read");
    let (front, signature) = bytes.split_at(bytes.len() - 64);
    Vector::new("descriptor")
        .bytes("identity seed", identity.expose_seed())
        .bytes("identity key", &identity.public_key())
        .bytes("pin", &identity.pin().0)
        .text("day", descriptor.day)
        .bytes("request key seed", secret.expose_seed())
        .text("operator id", descriptor.operator.id())
        .text("operator name", descriptor.operator.name())
        .bytes("all before the signature", front)
        .bytes("behind the request key", &front[6 + 32 + 1216..])
        .bytes("signature", signature)
}

fn address() -> Vector {
    let pin = Pin(core::array::from_fn(|index| index as u8));
    let address = RelayAddress { at: at("relay.example.org:443"), pin };
    Vector::new("relay address").bytes("pin", &pin.0).text("text", address)
}

fn card_relay(number: u8, text: &str) -> CardRelay {
    CardRelay { pin: Pin([number; 16]), notice_log: KeyHash([number + 1; 32]), at: at(text) }
}

fn card(name: &str, relays: Vec<CardRelay>, extras: CardExtras) -> Vector {
    let card = Card::new(DeskId([1; 32]), CardSecret::from_bytes(&[2; 16]), relays, extras)
        .expect("the vectors' cards are short enough");
    let link = card.expose_link();
    let parsed = Card::parse(&link).expect("a card of ours is read");
    assert_eq!(parsed.expose_link(), link, "what was read is written again");
    Vector::new(name).text("link", &*link)
}
