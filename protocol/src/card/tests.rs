//! A card with its bytes written out, and what is refused.

use proptest::prelude::*;

use super::*;
use crate::kdf;

fn relay(number: u8, at: &str) -> CardRelay {
    CardRelay { pin: Pin([number; 16]), notice_log: KeyHash([number + 1; 32]), at: at.parse().unwrap() }
}

fn card(relays: Vec<CardRelay>, extras: CardExtras) -> Result<Card, CardError> {
    Card::new(DeskId([1; 32]), CardSecret::from_bytes(&[2; 16]), relays, extras)
}

fn path_secret() -> Option<PathSecret> {
    Some(PathSecret(Zeroizing::new([9; 16])))
}

/// `host:port` of that many bytes.
fn at(bytes: usize) -> String {
    format!("{}:443", "a".repeat(bytes - 4))
}

/// A link with those bytes and a right check value.
fn link(front: &[u8]) -> String {
    let bytes = [front, &kdf::hash(&[front])[..4]].concat();
    format!("poterne:{}", Base64UrlUnpadded::encode_string(&bytes))
}

fn front(relays: &[CardRelay]) -> Vec<u8> {
    let mut front = [&[1, 1, 0][..], &[1; 32], &[2; 16], &[u8::try_from(relays.len()).unwrap()]].concat();
    for relay in relays {
        let at = relay.at.to_string();
        let length = u8::try_from(at.len()).unwrap();
        front.extend([&relay.pin.0[..], &relay.notice_log.0, &[length], at.as_bytes()].concat());
    }
    front
}

#[test]
fn a_card_has_its_bytes() {
    let relays = vec![relay(3, "a.example:443"), relay(5, "[::1]:4433")];
    let expected = [
        &[1, 1, 0][..],
        &[1; 32],
        &[2; 16],
        &[2],
        &[3; 16],
        &[4; 32],
        &[13],
        b"a.example:443",
        &[5; 16],
        &[6; 32],
        &[10],
        b"[::1]:4433",
    ]
    .concat();
    let card = card(relays.clone(), CardExtras::default()).unwrap();
    assert_eq!(*card.expose_link(), link(&expected));
    let parsed = Card::parse(&card.expose_link()).unwrap();
    assert_eq!((parsed.desk(), parsed.relays()), (&DeskId([1; 32]), &relays[..]));
    assert_eq!(parsed.secret().expose(), &[2; 16]);
}

#[test]
fn extras_stand_behind_the_relays() {
    let extras = CardExtras {
        path_secret: path_secret(),
        ticket: Some(Ticket(Zeroizing::new(vec![8; 2]))),
        more_addresses: vec![(0, "b:1".parse().unwrap())],
    };
    let relays = vec![relay(3, "a:1")];
    let tlvs = [&[1, 16, 0][..], &[9; 16], &[3, 2, 0, 8, 8], &[5, 4, 0, 0], b"b:1"].concat();
    let card = card(relays.clone(), extras).unwrap();
    assert_eq!(*card.expose_link(), link(&[front(&relays), tlvs].concat()));
    let extras = Card::parse(&card.expose_link()).unwrap().extras().clone();
    assert_eq!(*extras.path_secret.unwrap().0, [9; 16]);
    assert_eq!(*extras.ticket.unwrap().0, [8; 2]);
    assert_eq!(extras.more_addresses, [(0, "b:1".parse().unwrap())]);
}

#[test]
fn two_relays_fit_into_320_letters() {
    let two = |bytes| vec![relay(3, &at(bytes)), relay(5, &at(bytes))];
    let letters = |card: Result<Card, CardError>| card.unwrap().expose_link().len();
    assert_eq!(letters(card(two(40), CardExtras::default())), 320);
    let extras = CardExtras { path_secret: path_secret(), ..CardExtras::default() };
    assert!(letters(card(two(30), extras)) <= 320);
}

#[test]
fn no_card_is_longer_than_400_letters() {
    let three = |bytes| vec![relay(3, &at(bytes)), relay(5, &at(bytes)), relay(7, &at(bytes))];
    let longest = card(three(30), CardExtras::default()).unwrap();
    assert!(longest.expose_link().len() <= CARD_LETTERS);
    let too_long = card(three(40), CardExtras::default()).unwrap_err();
    assert_eq!(too_long, CardError::TooLong { letters: 439 });
    let link = format!("poterne:{}", "A".repeat(393));
    assert_eq!(Card::parse(&link).unwrap_err(), CardError::TooLong { letters: 401 });
}

#[test]
fn a_spoilt_card_is_refused() {
    let card = card(vec![relay(3, "a.example:443")], CardExtras::default()).unwrap();
    let link = card.expose_link();
    for place in 8..link.len() {
        let mut letters = link.as_bytes().to_vec();
        letters[place] = if letters[place] == b'A' { b'B' } else { b'A' };
        let error = Card::parse(core::str::from_utf8(&letters).unwrap()).unwrap_err();
        assert!(matches!(error, CardError::Check | CardError::Letters), "{place}: {error}");
    }
    for length in 8..link.len() {
        assert!(Card::parse(&link[..length]).is_err(), "{length}");
    }
}

#[test]
fn white_space_is_ignored_and_other_letters_are_not() {
    let card = card(vec![relay(3, "a.example:443")], CardExtras::default()).unwrap();
    let link = card.expose_link();
    let broken = format!("  {}\r\n{} ", &link[..50], &link[50..]);
    assert!(Card::parse(&broken).is_ok());
    assert_eq!(Card::parse(&link.replacen("poterne:", "poterne:ж", 1)).unwrap_err(), CardError::Letters);
    assert_eq!(Card::parse(&format!("{}=", &**link)).unwrap_err(), CardError::Letters);
    for text in ["", "poterne", "https://a/#poterne:AA", &"ж".repeat(1000)] {
        assert_eq!(Card::parse(text).unwrap_err(), CardError::Scheme);
    }
}

#[test]
fn unknown_versions_are_told_apart_from_damage() {
    let mut front = front(&[relay(3, "a:1")]);
    front[1] = 2;
    assert_eq!(Card::parse(&link(&front)).unwrap_err(), CardError::Version { version: 1, suite: 2 });
    front[0] = 3;
    assert_eq!(Card::parse(&link(&front)).unwrap_err(), CardError::Version { version: 3, suite: 2 });
}

#[test]
fn flags_and_odd_types_are_ignored_and_even_types_refused() {
    let mut front = front(&[relay(3, "a:1")]);
    front[2] = 0xff;
    assert!(Card::parse(&link(&front)).is_ok());
    assert!(Card::parse(&link(&[&front[..], &[7, 1, 0, 0]].concat())).is_ok());
    let error = Card::parse(&link(&[&front[..], &[8, 0, 0]].concat())).unwrap_err();
    assert_eq!(error, DecodeError::UnknownType { value: 8 }.into());
}

#[test]
fn a_card_names_one_to_four_relays_each_once() {
    let refused = Err(DecodeError::Invalid { field: "relays" }.into());
    let check = |relays: Vec<CardRelay>| {
        let parsed = Card::parse(&link(&front(&relays))).map(|_| ());
        assert_eq!(parsed, card(relays, CardExtras::default()).map(|_| ()));
        parsed
    };
    assert_eq!(check(vec![]), refused);
    assert_eq!(check(vec![relay(3, "a:1"), relay(3, "b:1")]), refused);
    assert_eq!(check((0..4).map(|number| relay(number, "a:1")).collect()), Ok(()));
    assert_eq!(
        card((0..5).map(|number| relay(number, "a:1")).collect(), CardExtras::default()).map(|_| ()),
        refused
    );
}

#[test]
fn extras_are_bounded() {
    let with = |tlv: &[u8]| Card::parse(&link(&[&front(&[relay(3, "a:1")]), tlv].concat())).unwrap_err();
    let invalid = |field| CardError::Malformed(DecodeError::Invalid { field });
    assert_eq!(with(&[1, 1, 0, 0]), invalid("path secret"));
    assert_eq!(with(&[&[3, 33, 0][..], &[0; 33]].concat()), invalid("ticket"));
    assert_eq!(with(&[5, 4, 0, 1, b'b', b':', b'1']), invalid("more addresses"));
    assert_eq!(with(&[5, 4, 0, 0, b'b', b':', b'1'].repeat(5)), invalid("more addresses"));
    assert_eq!(with(&[5, 2, 0, 0, b'b']), invalid("address"));
}

#[test]
fn a_card_does_not_show_in_debug() {
    let extras = CardExtras { path_secret: path_secret(), ..CardExtras::default() };
    let card = card(vec![relay(3, "a:1")], extras).unwrap();
    assert_eq!(format!("{card:?}"), "Card(..)");
    assert!(format!("{:?}", card.extras()).contains("PathSecret(..)"));
}

proptest! {
    #[test]
    fn a_parser_survives_any_input(text in "(poterne:)?[A-Za-z0-9_-]{0,420}|\\PC{0,80}", tail in proptest::collection::vec(any::<u8>(), 0..200)) {
        let _ = Card::parse(&text);
        let _ = Card::parse(&link(&tail));
        if let Ok(card) = Card::parse(&link(&[front(&[relay(3, "a:1")]), tail].concat())) {
            prop_assert!(Card::parse(&card.expose_link()).is_ok());
        }
    }
}
