//! The bytes of answers. Statuses below 0x40 say that it was done, the others why not.

use super::fields::{count, envelope, no_known_tlvs, put_count};
use crate::codec::{DecodeError, Reader, Writer};
use crate::limits::{ENVELOPE_BYTES, FETCH_ENVELOPES, FETCH_MAILBOXES, IDS_PER_REQUEST};
use crate::op::{Answer, Claimed, Cursor, EnvelopeStatus, Fetched, HelloAnswer, LeaseToken};
use crate::secret_bytes::SecretBytes;
use crate::time::UnixTime;

const MORE: u8 = 1;
const PERMITS: u8 = 1;
/// More bytes than any fields of fixed size in an answer together, the numbers of operations included.
const FIXED_BYTES: usize = 320;
/// Bytes of one mailbox of an answered fetch beside its envelopes.
const FETCHED_BYTES: usize = 18;

pub(super) fn encode(number: u32, answer: &Answer) -> SecretBytes {
    let mut writer = Writer::with_capacity(capacity(answer));
    writer.u32(number).u8(status_number(answer));
    match answer {
        Answer::Busy { retry_after_secs } => {
            writer.u16(*retry_after_secs);
        }
        Answer::Claimed(claimed) => put_claimed(&mut writer, claimed),
        Answer::Extended { secs_left } => {
            writer.u32(*secs_left);
        }
        Answer::Fetched(mailboxes) => put_fetched(&mut writer, mailboxes),
        Answer::Hello(hello) => put_hello(&mut writer, hello),
        Answer::Price { effort } => {
            writer.u32(*effort);
        }
        Answer::Status(statuses) => put_statuses(&mut writer, statuses),
        _ => {}
    }
    SecretBytes::new(writer.into_vec())
}

/// Bytes that suffice, so that no copy of a lease token is left behind by growth.
pub(super) fn capacity(answer: &Answer) -> usize {
    FIXED_BYTES
        + match answer {
            Answer::Claimed(_) => ENVELOPE_BYTES,
            Answer::Fetched(mailboxes) => {
                mailboxes.iter().map(|fetched| FETCHED_BYTES + fetched.envelopes.len() * ENVELOPE_BYTES).sum()
            }
            _ => 0,
        }
}

fn status_number(answer: &Answer) -> u8 {
    match answer {
        Answer::Done => 0x01,
        Answer::Stored => 0x02,
        Answer::Fetched(_) => 0x03,
        Answer::Claimed(_) => 0x04,
        Answer::Extended { .. } => 0x05,
        Answer::Opened => 0x06,
        Answer::Closed => 0x07,
        Answer::Status(_) => 0x08,
        Answer::Hello(_) => 0x09,
        Answer::Unsupported => 0x40,
        Answer::Malformed => 0x41,
        Answer::Busy { .. } => 0x42,
        Answer::ReadOnly => 0x43,
        Answer::Full => 0x44,
        Answer::Price { .. } => 0x45,
        Answer::Moved => 0x46,
        Answer::NotOpen => 0x47,
        Answer::Nothing => 0x48,
        Answer::Ended => 0x49,
        Answer::Refused => 0x4a,
    }
}

pub(super) fn decode(reader: &mut Reader<'_>) -> Result<Answer, DecodeError> {
    let answer = match reader.u8()? {
        0x01 => Answer::Done,
        0x02 => Answer::Stored,
        0x03 => Answer::Fetched(fetched(reader)?),
        0x04 => Answer::Claimed(claimed(reader)?),
        0x05 => Answer::Extended { secs_left: reader.u32()? },
        0x06 => Answer::Opened,
        0x07 => Answer::Closed,
        0x08 => Answer::Status(statuses(reader)?),
        0x09 => Answer::Hello(hello(reader)?),
        0x40 => Answer::Unsupported,
        0x41 => Answer::Malformed,
        0x42 => Answer::Busy { retry_after_secs: reader.u16()? },
        0x43 => Answer::ReadOnly,
        0x44 => Answer::Full,
        0x45 => Answer::Price { effort: reader.u32()? },
        0x46 => Answer::Moved,
        0x47 => Answer::NotOpen,
        0x48 => Answer::Nothing,
        0x49 => Answer::Ended,
        0x4a => Answer::Refused,
        value => return Err(DecodeError::UnknownType { value }),
    };
    no_known_tlvs(reader)?;
    Ok(answer)
}

fn put_fetched(writer: &mut Writer, mailboxes: &[Fetched]) {
    put_count(writer, mailboxes.len());
    for Fetched { envelopes, cursor, more } in mailboxes {
        writer.put(&cursor.0).u8(if *more { MORE } else { 0 });
        put_count(writer, envelopes.len());
        for envelope in envelopes {
            writer.put(envelope.as_bytes());
        }
    }
}

fn fetched(reader: &mut Reader<'_>) -> Result<Vec<Fetched>, DecodeError> {
    let mailboxes = count(reader, 1, FETCH_MAILBOXES, "mailboxes")?;
    let mut room = usize::from(FETCH_ENVELOPES);
    (0..mailboxes).map(|_| fetched_mailbox(reader, &mut room)).collect()
}

fn fetched_mailbox(reader: &mut Reader<'_>, room: &mut usize) -> Result<Fetched, DecodeError> {
    let cursor = Cursor(reader.array()?);
    let more = reader.u8()? & MORE != 0;
    let count = count(reader, 0, *room, "envelopes")?;
    *room -= count;
    let envelopes = (0..count).map(|_| envelope(reader)).collect::<Result<_, _>>()?;
    Ok(Fetched { envelopes, cursor, more })
}

fn put_claimed(writer: &mut Writer, claimed: &Claimed) {
    writer.put(&claimed.token.0).u32(claimed.number).u32(claimed.secs_left);
    writer.put(claimed.envelope.as_bytes());
}

fn claimed(reader: &mut Reader<'_>) -> Result<Claimed, DecodeError> {
    Ok(Claimed {
        token: LeaseToken(reader.array()?),
        number: reader.u32()?,
        secs_left: reader.u32()?,
        envelope: envelope(reader)?,
    })
}

fn put_statuses(writer: &mut Writer, statuses: &[EnvelopeStatus]) {
    put_count(writer, statuses.len());
    for status in statuses {
        writer.u8(match status {
            EnvelopeStatus::Stored => 0,
            EnvelopeStatus::Gone => 1,
            EnvelopeStatus::Claimed => 2,
            EnvelopeStatus::Unknown => 3,
        });
    }
}

fn statuses(reader: &mut Reader<'_>) -> Result<Vec<EnvelopeStatus>, DecodeError> {
    let count = count(reader, 1, IDS_PER_REQUEST, "statuses")?;
    (0..count).map(|_| status(reader.u8()?)).collect()
}

fn status(number: u8) -> Result<EnvelopeStatus, DecodeError> {
    match number {
        0 => Ok(EnvelopeStatus::Stored),
        1 => Ok(EnvelopeStatus::Gone),
        2 => Ok(EnvelopeStatus::Claimed),
        3 => Ok(EnvelopeStatus::Unknown),
        _ => Err(DecodeError::Invalid { field: "status" }),
    }
}

fn put_hello(writer: &mut Writer, hello: &HelloAnswer) {
    writer.u8(hello.version);
    put_count(writer, hello.ops.len());
    writer.put(&hello.ops).u64(hello.time.0).u32(hello.base_effort);
    writer.u16(hello.fetch_envelopes).u16(hello.fetch_wait_secs).u8(if hello.permits { PERMITS } else { 0 });
}

fn hello(reader: &mut Reader<'_>) -> Result<HelloAnswer, DecodeError> {
    let version = reader.u8()?;
    let count = usize::from(reader.u8()?);
    Ok(HelloAnswer {
        version,
        ops: reader.bytes(count)?.to_vec(),
        time: UnixTime(reader.u64()?),
        base_effort: reader.u32()?,
        fetch_envelopes: reader.u16()?,
        fetch_wait_secs: reader.u16()?,
        permits: reader.u8()? & PERMITS != 0,
    })
}
