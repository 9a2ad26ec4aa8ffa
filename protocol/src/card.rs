//! The card: what a requester holds of a desk, as a `poterne:` link or QR code (docs/spec/wire.md §8).
//!
//! A card lets its holder read the desk's notices, so its link is kept like a secret: there is no `Display`.
//!
//! Invariant: a card that was parsed had its check value right, so a spoilt one is refused before anything is sent; a
//! card that was built is at most 400 letters long.

mod layout;

use core::fmt;

use base64ct::{Base64UrlUnpadded, Encoding};
use zeroize::Zeroizing;

use crate::address::HostPort;
use crate::codec::DecodeError;
use crate::desk::{CardSecret, DeskId};
use crate::keys::{KeyHash, Pin};
use crate::limits::{CARD_LETTERS, CARD_MORE_ADDRESSES, CARD_RELAYS, TICKET_BYTES};

const SCHEME: &str = "poterne:";
/// Bytes of the longest card, base64url taking four letters for three bytes.
const CARD_BYTES: usize = (CARD_LETTERS - SCHEME.len()) * 3 / 4;

/// What a requester holds of a desk. `Debug` hides all of it: no log tells whose card was read.
#[derive(Clone)]
pub struct Card {
    desk: DeskId,
    secret: CardSecret,
    relays: Vec<CardRelay>,
    extras: CardExtras,
}

/// One relay of the desk.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct CardRelay {
    /// Which relay.
    pub pin: Pin,
    /// H(write_r) of the desk's notice log there.
    pub notice_log: KeyHash,
    /// Where it is.
    pub at: HostPort,
}

/// What some cards carry beside the relays. Older clients skip all of it.
#[derive(Clone, Debug, Default)]
pub struct CardExtras {
    /// TLV 1: where behind the relays' HTTPS the channel is, from the series of the leaflet.
    pub path_secret: Option<PathSecret>,
    /// TLV 3: lets its holder into the paid lane of the intake. At most 32 bytes.
    pub ticket: Option<Ticket>,
    /// TLV 5: more addresses, each of the relay at that place of the list. At most 4.
    pub more_addresses: Vec<(u8, HostPort)>,
}

/// 16 bytes from which the path of a leaflet series is derived, day by day.
#[derive(Clone)]
pub struct PathSecret(pub Zeroizing<[u8; 16]>);

/// A printed ticket, as it is before it has a relay's form.
#[derive(Clone)]
pub struct Ticket(pub Zeroizing<Vec<u8>>);

impl fmt::Debug for Card {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Card(..)")
    }
}

impl fmt::Debug for PathSecret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("PathSecret(..)")
    }
}

impl fmt::Debug for Ticket {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Ticket(..)")
    }
}

/// Why a text is not a card, or a card cannot be made. None of them quotes the text.
#[derive(Clone, Copy, Debug, Eq, PartialEq, thiserror::Error)]
pub enum CardError {
    /// The check value is wrong: a letter was lost or changed.
    #[error("the card is damaged: its check value is wrong")]
    Check,
    /// The letters behind `poterne:` are not base64url.
    #[error("the card is damaged: it holds letters that no card has")]
    Letters,
    /// The check value is right, and yet the bytes are not of a card's form.
    #[error("the card is malformed: {0}")]
    Malformed(#[from] DecodeError),
    /// It does not begin with `poterne:`.
    #[error("a card begins with poterne:")]
    Scheme,
    /// Longer than 400 letters.
    #[error("a card has at most 400 letters, this one would have {letters}")]
    TooLong {
        /// How many there are.
        letters: usize,
    },
    /// It names a version or suite that this build does not speak.
    #[error("the card has the unknown version {version}.{suite}")]
    Version {
        /// The version that it names.
        version: u8,
        /// The suite that it names.
        suite: u8,
    },
}

impl Card {
    /// A card of a desk with 1–4 relays, each named once.
    pub fn new(
        desk: DeskId,
        secret: CardSecret,
        relays: Vec<CardRelay>,
        extras: CardExtras,
    ) -> Result<Self, CardError> {
        check_relays(&relays)?;
        check_extras(&extras, relays.len())?;
        let card = Self { desk, secret, relays, extras };
        match SCHEME.len() + Base64UrlUnpadded::encoded_len(&layout::encode(&card)) {
            letters if letters > CARD_LETTERS => Err(CardError::TooLong { letters }),
            _ => Ok(card),
        }
    }

    /// Reads a link. White space is ignored, so that a link that was broken into lines is taken.
    pub fn parse(text: &str) -> Result<Self, CardError> {
        let link = without_white_space(text)?;
        let letters = link.strip_prefix(SCHEME).ok_or(CardError::Scheme)?;
        let bytes = Base64UrlUnpadded::decode_vec(letters).map_err(|_| CardError::Letters)?;
        layout::decode(&Zeroizing::new(bytes))
    }

    /// The link, `poterne:` and base64url without padding, at most 400 letters. Whoever has it can read the notices.
    pub fn expose_link(&self) -> Zeroizing<String> {
        let mut link = Zeroizing::new(String::with_capacity(CARD_LETTERS));
        link.push_str(SCHEME);
        link.push_str(&Zeroizing::new(Base64UrlUnpadded::encode_string(&layout::encode(self))));
        link
    }

    /// Which desk.
    pub fn desk(&self) -> &DeskId {
        &self.desk
    }

    /// What opens the desk's notices.
    pub fn secret(&self) -> &CardSecret {
        &self.secret
    }

    /// The desk's relays, 1–4, in the order in which to try them.
    pub fn relays(&self) -> &[CardRelay] {
        &self.relays
    }

    /// What the card carries beside them.
    pub fn extras(&self) -> &CardExtras {
        &self.extras
    }
}

fn check_relays(relays: &[CardRelay]) -> Result<(), DecodeError> {
    let is_repeated =
        |(place, relay): (usize, &CardRelay)| relays[..place].iter().any(|other| other.pin == relay.pin);
    if !(1..=CARD_RELAYS).contains(&relays.len()) || relays.iter().enumerate().any(is_repeated) {
        return Err(DecodeError::Invalid { field: "relays" });
    }
    Ok(())
}

fn check_extras(extras: &CardExtras, relays: usize) -> Result<(), DecodeError> {
    if extras.ticket.as_ref().is_some_and(|ticket| ticket.0.len() > TICKET_BYTES) {
        return Err(DecodeError::Invalid { field: "ticket" });
    }
    let more = &extras.more_addresses;
    if more.len() > CARD_MORE_ADDRESSES || more.iter().any(|(relay, _)| usize::from(*relay) >= relays) {
        return Err(DecodeError::Invalid { field: "more addresses" });
    }
    Ok(())
}

/// The text without white space, read no further than a card is long.
fn without_white_space(text: &str) -> Result<Zeroizing<String>, CardError> {
    let mut link = Zeroizing::new(String::with_capacity(CARD_LETTERS + 4));
    for letter in text.chars().filter(|letter| !letter.is_whitespace()) {
        if link.len() >= CARD_LETTERS {
            let letters = text.chars().filter(|letter| !letter.is_whitespace()).count();
            let is_card = link.starts_with(SCHEME);
            return Err(if is_card { CardError::TooLong { letters } } else { CardError::Scheme });
        }
        link.push(letter);
    }
    Ok(link)
}

#[cfg(test)]
mod tests;
