//! The bytes of requests.

use zeroize::Zeroizing;

use super::fields::{
    count, delete_at, envelope, ids, in_range, key_hash, no_known_tlvs, opened_mailbox, put_count,
    put_delete_at, put_hashes, put_ids, put_read_from, put_write_to, read_from, write_to,
};
use crate::codec::{DecodeError, Reader, Writer};
use crate::envelope::{Class, EnvelopeId};
use crate::keys::{Permit, StewardKey};
use crate::limits::{
    ENVELOPE_BYTES, FETCH_MAILBOXES, FETCH_WAIT_SECS, LEASE_MAX_SECS, LEASE_MIN_SECS, PAYMENT_BYTES,
};
use crate::op::{
    Claim, ClaimId, ClaimWhat, Close, Cursor, Delete, DeleteBy, Extend, Fetch, FetchFrom, LeaseToken, Open,
    Payment, Put, Request, Start, Status,
};
use crate::secret_bytes::SecretBytes;
use crate::time::Day;

const GATED: u8 = 1;
/// More bytes than any field of fixed size in a request together, beside envelope, payment and lists.
const FIXED_BYTES: usize = 256;
/// Bytes of one mailbox of a fetch at most: 97 for the mailbox, 17 for the start.
const FETCH_FROM_BYTES: usize = 114;
const ID_BYTES: usize = 16;

pub(super) fn encode(number: u32, request: &Request) -> SecretBytes {
    let mut writer = Writer::with_capacity(capacity(request));
    writer.u32(number).u8(request.op());
    match request {
        Request::Close(close) => put_close(&mut writer, close),
        Request::Claim(claim) => put_claim(&mut writer, claim),
        Request::Delete(delete) => put_delete(&mut writer, delete),
        Request::Extend(extend) => put_extend(&mut writer, extend),
        Request::Fetch(fetch) => put_fetch(&mut writer, fetch),
        Request::Hello | Request::Unknown(_) => {}
        Request::Open(open) => put_open(&mut writer, open),
        Request::Put(put) => put_put(&mut writer, put),
        Request::Release(token) => {
            writer.put(&token.0);
        }
        Request::Status(status) => put_status(&mut writer, status),
    }
    SecretBytes::new(writer.into_vec())
}

/// Bytes that suffice, so that no copy of a key is left behind by growth.
pub(super) fn capacity(request: &Request) -> usize {
    FIXED_BYTES
        + match request {
            Request::Put(put) => ENVELOPE_BYTES + payment_value(&put.payment).len(),
            Request::Fetch(fetch) => fetch.from.len() * FETCH_FROM_BYTES,
            Request::Delete(delete) => delete.ids.len() * ID_BYTES,
            Request::Status(status) => status.ids.len() * ID_BYTES,
            _ => 0,
        }
}

pub(super) fn decode(reader: &mut Reader<'_>) -> Result<Request, DecodeError> {
    let request = match reader.u8()? {
        1 => Request::Hello,
        2 => Request::Put(put(reader)?),
        3 => Request::Fetch(fetch(reader)?),
        4 => Request::Claim(claim(reader)?),
        5 => Request::Extend(extend(reader)?),
        6 => Request::Release(lease_token(reader)?),
        7 => Request::Delete(delete(reader)?),
        8 => Request::Open(open(reader)?),
        9 => Request::Close(close(reader)?),
        10 => Request::Status(status(reader)?),
        op => return Ok(Request::Unknown(op)),
    };
    no_known_tlvs(reader)?;
    Ok(request)
}

fn put_put(writer: &mut Writer, put: &Put) {
    put_write_to(writer, &put.to);
    writer.u8(put.class.days());
    writer.u8(payment_kind(&put.payment)).var(payment_value(&put.payment));
    writer.put(put.envelope.as_bytes());
}

fn put(reader: &mut Reader<'_>) -> Result<Put, DecodeError> {
    Ok(Put {
        to: write_to(reader)?,
        class: Class::parse(reader.u8()?)?,
        payment: payment(reader)?,
        envelope: envelope(reader)?,
    })
}

fn payment_kind(payment: &Payment) -> u8 {
    match payment {
        Payment::None => 0,
        Payment::Credit(_) => 1,
        Payment::Work(_) => 2,
        Payment::Ticket(_) => 3,
        Payment::Steward(_) => 5,
        Payment::Other(kind, _) => *kind,
    }
}

fn payment_value(payment: &Payment) -> &[u8] {
    match payment {
        Payment::None => &[],
        Payment::Credit(value) | Payment::Work(value) | Payment::Ticket(value) | Payment::Other(_, value) => {
            value
        }
        Payment::Steward(key) => key.expose(),
    }
}

fn payment(reader: &mut Reader<'_>) -> Result<Payment, DecodeError> {
    const FIELD: &str = "payment";
    let kind = reader.u8()?;
    let value = reader.var(PAYMENT_BYTES, FIELD)?;
    let owned = || Zeroizing::new(value.to_vec());
    match kind {
        0 if value.is_empty() => Ok(Payment::None),
        0 => Err(DecodeError::Invalid { field: FIELD }),
        1 => Ok(Payment::Credit(owned())),
        2 => Ok(Payment::Work(owned())),
        3 => Ok(Payment::Ticket(owned())),
        5 => {
            let key = value.try_into().map_err(|_| DecodeError::Invalid { field: FIELD })?;
            Ok(Payment::Steward(StewardKey::from_bytes(key)))
        }
        other => Ok(Payment::Other(other, owned())),
    }
}

fn put_fetch(writer: &mut Writer, fetch: &Fetch) {
    put_count(writer, fetch.from.len());
    for FetchFrom { mailbox, start } in &fetch.from {
        put_read_from(writer, mailbox);
        put_start(writer, *start);
    }
    writer.u16(fetch.max).u16(fetch.wait_secs);
}

fn fetch(reader: &mut Reader<'_>) -> Result<Fetch, DecodeError> {
    let count = count(reader, 1, FETCH_MAILBOXES, "mailboxes")?;
    let from = (0..count).map(|_| fetch_from(reader)).collect::<Result<_, _>>()?;
    let max = in_range(reader.u16()?, 1, u16::MAX, "max")?;
    let wait_secs = in_range(reader.u16()?, 0, FETCH_WAIT_SECS, "wait")?;
    Ok(Fetch { from, max, wait_secs })
}

fn fetch_from(reader: &mut Reader<'_>) -> Result<FetchFrom, DecodeError> {
    Ok(FetchFrom { mailbox: read_from(reader)?, start: start(reader)? })
}

fn put_start(writer: &mut Writer, start: Start) {
    match start {
        Start::First => writer.u8(0),
        Start::After(cursor) => writer.u8(1).put(&cursor.0),
        Start::Last(count) => writer.u8(2).u16(count),
    };
}

fn start(reader: &mut Reader<'_>) -> Result<Start, DecodeError> {
    match reader.u8()? {
        0 => Ok(Start::First),
        1 => reader.array().map(|bytes| Start::After(Cursor(bytes))),
        2 => in_range(reader.u16()?, 1, u16::MAX, "last").map(Start::Last),
        _ => Err(DecodeError::Invalid { field: "from" }),
    }
}

fn put_claim(writer: &mut Writer, claim: &Claim) {
    put_read_from(writer, &claim.mailbox);
    writer.put(&claim.claim_id.0);
    match claim.what {
        ClaimWhat::Oldest => writer.u8(0),
        ClaimWhat::Id(id) => writer.u8(1).put(&id.0),
    };
    writer.u32(claim.secs);
}

fn claim(reader: &mut Reader<'_>) -> Result<Claim, DecodeError> {
    Ok(Claim {
        mailbox: read_from(reader)?,
        claim_id: ClaimId(reader.array()?),
        what: claim_what(reader)?,
        secs: in_range(reader.u32()?, LEASE_MIN_SECS, LEASE_MAX_SECS, "seconds")?,
    })
}

fn claim_what(reader: &mut Reader<'_>) -> Result<ClaimWhat, DecodeError> {
    match reader.u8()? {
        0 => Ok(ClaimWhat::Oldest),
        1 => reader.array().map(|id| ClaimWhat::Id(EnvelopeId(id))),
        _ => Err(DecodeError::Invalid { field: "what" }),
    }
}

fn lease_token(reader: &mut Reader<'_>) -> Result<LeaseToken, DecodeError> {
    reader.array().map(LeaseToken)
}

fn put_extend(writer: &mut Writer, extend: &Extend) {
    writer.put(&extend.token.0).u32(extend.secs_from_claim);
}

fn extend(reader: &mut Reader<'_>) -> Result<Extend, DecodeError> {
    let token = lease_token(reader)?;
    Ok(Extend { token, secs_from_claim: in_range(reader.u32()?, 0, LEASE_MAX_SECS, "seconds")? })
}

fn put_delete(writer: &mut Writer, delete: &Delete) {
    match &delete.by {
        DeleteBy::Key(at) => put_delete_at(writer.u8(0), at),
        DeleteBy::Lease(token) => {
            writer.u8(1).put(&token.0);
        }
    }
    put_ids(writer, &delete.ids);
}

fn delete(reader: &mut Reader<'_>) -> Result<Delete, DecodeError> {
    let by = match reader.u8()? {
        0 => DeleteBy::Key(delete_at(reader)?),
        1 => DeleteBy::Lease(lease_token(reader)?),
        _ => return Err(DecodeError::Invalid { field: "by" }),
    };
    Ok(Delete { by, ids: ids(reader)? })
}

fn put_open(writer: &mut Writer, open: &Open) {
    writer.put(open.permit.expose());
    put_hashes(writer, &open.mailbox);
    writer.u32(open.last_day.0).u64(open.quota);
    writer.u8(if open.gated { GATED } else { 0 }).put(&open.steward.0);
}

fn open(reader: &mut Reader<'_>) -> Result<Open, DecodeError> {
    Ok(Open {
        permit: Permit::from_bytes(&reader.array()?),
        mailbox: opened_mailbox(reader)?,
        last_day: Day(reader.u32()?),
        quota: reader.u64()?,
        gated: reader.u8()? & GATED != 0,
        steward: key_hash(reader)?,
    })
}

fn put_close(writer: &mut Writer, close: &Close) {
    writer.put(close.steward.expose());
    put_hashes(writer, &close.mailbox);
}

fn close(reader: &mut Reader<'_>) -> Result<Close, DecodeError> {
    Ok(Close { steward: StewardKey::from_bytes(&reader.array()?), mailbox: opened_mailbox(reader)? })
}

fn put_status(writer: &mut Writer, status: &Status) {
    put_write_to(writer, &status.mailbox);
    put_ids(writer, &status.ids);
}

fn status(reader: &mut Reader<'_>) -> Result<Status, DecodeError> {
    Ok(Status { mailbox: write_to(reader)?, ids: ids(reader)? })
}
