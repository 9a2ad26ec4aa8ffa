//! A relay that nobody answers for: nothing is lost, and every command ends by itself.

use std::net::UdpSocket;

use poterne_protocol::card::{Card, CardExtras, CardRelay};
use poterne_protocol::desk::{CardSecret, DeskId};
use poterne_protocol::keys::{KeyHash, Pin};

use crate::place::Place;

/// A port that is bound, so that nobody else takes it, and that never answers.
pub struct Silence(UdpSocket);

impl Silence {
    pub fn new() -> Self {
        Self(UdpSocket::bind("127.0.0.1:0").unwrap())
    }

    pub fn address(&self) -> String {
        format!("poterne-relay://{}#AAECAwQFBgcICQoLDA0ODw", self.0.local_addr().unwrap())
    }

    fn card(&self) -> String {
        let at = self.0.local_addr().unwrap().to_string().parse().unwrap();
        let relay = CardRelay { pin: Pin([7; 16]), notice_log: KeyHash([8; 32]), at };
        let secret = CardSecret::from_bytes(&[9; 16]);
        let card = Card::new(DeskId([6; 32]), secret, vec![relay], CardExtras::default()).unwrap();
        card.expose_link().to_string()
    }
}

#[test]
fn a_request_waits_in_the_vault_until_a_relay_is_there() {
    let (place, silence) = (Place::new(), Silence::new());
    let asked = place.run("home", &["ask", &silence.card(), "Мені потрібна допомога", "--json"]).json();
    assert_eq!(asked["state"], "queued");
    let inbox = place.run("home", &["inbox", "--json"]).json();
    assert_eq!(inbox["sent"][0]["text"], "Мені потрібна допомога");
    assert_eq!(inbox["sent"][0]["state"], "queued");
    assert_eq!(inbox["messages"][0]["from"], "requester");
    assert_eq!(inbox["warnings"][0], "unreached");
    assert_eq!(inbox["conversation"], asked["conversation"]);
}

#[test]
fn a_desk_is_made_also_when_its_relay_is_down() {
    let (place, silence) = (Place::new(), Silence::new());
    let words = ["desk", "create", "--name", "Way out", "--relay", &silence.address(), "--json"];
    let created = place.run("desk", &words).json();
    assert_eq!(created["state"], "queued");
    let shown = place.run("desk", &["desk", "card", "--json"]).json();
    assert_eq!(shown["card"], created["card"]);
    assert_eq!(place.run("desk", &words).error_code(), "desk_exists");
    assert_eq!(place.run("desk", &["ask", &silence.card(), "x", "--json"]).error_code(), "home_is_desk");
}
