//! The bytes of a card.

use zeroize::Zeroizing;

use super::{
    CARD_BYTES, Card, CardError, CardExtras, CardRelay, PathSecret, Ticket, check_extras, check_relays,
};
use crate::address::HostPort;
use crate::codec::{DecodeError, Reader, Writer};
use crate::desk::{CardSecret, DeskId};
use crate::kdf;
use crate::keys::{KeyHash, Pin};

const VERSION: u8 = 1;
const SUITE: u8 = 1;
/// Sent as zero, ignored by the reader.
const FLAGS: u8 = 0;
const CHECK_BYTES: usize = 4;
const TLV_PATH_SECRET: u8 = 1;
const TLV_TICKET: u8 = 3;
const TLV_MORE_ADDRESS: u8 = 5;

pub(super) fn encode(card: &Card) -> Zeroizing<Vec<u8>> {
    // Twice the longest card: one that is too long is measured before it is refused.
    let mut writer = Writer::with_capacity(2 * CARD_BYTES);
    writer.u8(VERSION).u8(SUITE).u8(FLAGS).put(&card.desk.0).put(card.secret.expose());
    writer.u8(u8::try_from(card.relays.len()).expect("a card has at most 4 relays"));
    for CardRelay { pin, notice_log, at } in &card.relays {
        let at = at.to_string();
        writer.put(&pin.0).put(&notice_log.0);
        writer.u8(u8::try_from(at.len()).expect("host and port have at most 255 bytes")).put(at.as_bytes());
    }
    put_extras(&mut writer, &card.extras);
    let check = check_value(writer.as_slice());
    writer.put(&check);
    writer.into_secret()
}

pub(super) fn decode(bytes: &[u8]) -> Result<Card, CardError> {
    let missing = CHECK_BYTES.saturating_sub(bytes.len());
    let (front, check) = bytes.split_last_chunk::<CHECK_BYTES>().ok_or(DecodeError::TooShort { missing })?;
    if check_value(front) != *check {
        return Err(CardError::Check);
    }
    let mut reader = Reader::new(front);
    match (reader.u8()?, reader.u8()?) {
        (VERSION, SUITE) => Ok(read_body(reader)?),
        (version, suite) => Err(CardError::Version { version, suite }),
    }
}

/// H(all before)\[..4\].
fn check_value(front: &[u8]) -> [u8; CHECK_BYTES] {
    kdf::hash(&[front])[..CHECK_BYTES].try_into().expect("a hash has 32 bytes")
}

fn read_body(mut reader: Reader<'_>) -> Result<Card, DecodeError> {
    let _flags = reader.u8()?;
    let desk = DeskId(reader.array()?);
    let secret = CardSecret::from_bytes(&reader.array()?);
    let count = usize::from(reader.u8()?);
    // Each relay takes at least 49 bytes of the input, so a false count ends at its end.
    let relays = (0..count).map(|_| relay(&mut reader)).collect::<Result<Vec<_>, _>>()?;
    check_relays(&relays)?;
    let extras = extras(reader)?;
    check_extras(&extras, relays.len())?;
    Ok(Card { desk, secret, relays, extras })
}

fn relay(reader: &mut Reader<'_>) -> Result<CardRelay, DecodeError> {
    let pin = Pin(reader.array()?);
    let notice_log = KeyHash(reader.array()?);
    let length = usize::from(reader.u8()?);
    Ok(CardRelay { pin, notice_log, at: host_port(reader.bytes(length)?)? })
}

fn host_port(bytes: &[u8]) -> Result<HostPort, DecodeError> {
    let text = core::str::from_utf8(bytes).ok();
    text.and_then(|text| text.parse().ok()).ok_or(DecodeError::Invalid { field: "address" })
}

fn put_extras(writer: &mut Writer, extras: &CardExtras) {
    if let Some(PathSecret(secret)) = &extras.path_secret {
        writer.tlv(TLV_PATH_SECRET, &secret[..]);
    }
    if let Some(Ticket(ticket)) = &extras.ticket {
        writer.tlv(TLV_TICKET, ticket);
    }
    for (relay, at) in &extras.more_addresses {
        writer.tlv(TLV_MORE_ADDRESS, &[&[*relay], at.to_string().as_bytes()].concat());
    }
}

fn extras(reader: Reader<'_>) -> Result<CardExtras, DecodeError> {
    let mut extras = CardExtras::default();
    reader.tlvs(|kind, value| {
        match kind {
            TLV_PATH_SECRET => extras.path_secret = Some(path_secret(value)?),
            TLV_TICKET => extras.ticket = Some(Ticket(Zeroizing::new(value.to_vec()))),
            TLV_MORE_ADDRESS => extras.more_addresses.push(more_address(value)?),
            _ => return Ok(false),
        }
        Ok(true)
    })?;
    Ok(extras)
}

fn path_secret(value: &[u8]) -> Result<PathSecret, DecodeError> {
    let secret = value.try_into().map_err(|_| DecodeError::Invalid { field: "path secret" })?;
    Ok(PathSecret(Zeroizing::new(secret)))
}

fn more_address(value: &[u8]) -> Result<(u8, HostPort), DecodeError> {
    let (relay, at) = value.split_first().ok_or(DecodeError::TooShort { missing: 1 })?;
    Ok((*relay, host_port(at)?))
}
