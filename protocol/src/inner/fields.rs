//! The fields that several inner frames share: mailboxes, ids, envelopes, bounded numbers.

use crate::codec::{DecodeError, Reader, Writer};
use crate::envelope::{EnvelopeId, SealedEnvelope};
use crate::keys::{DeleteForm, KeyHash, ReadForm, WriteForm};
use crate::limits::{ENVELOPE_BYTES, IDS_PER_REQUEST};
use crate::mailbox::{DeleteAt, Kind, MailboxHashes, ReadFrom, WriteTo};
use crate::op::can_be_opened;

pub(super) fn key_hash(reader: &mut Reader<'_>) -> Result<KeyHash, DecodeError> {
    reader.array().map(KeyHash)
}

pub(super) fn write_to(reader: &mut Reader<'_>) -> Result<WriteTo, DecodeError> {
    Ok(WriteTo {
        kind: Kind::parse(reader.u8()?)?,
        write: WriteForm::from_bytes(&reader.array()?),
        read: key_hash(reader)?,
        delete: key_hash(reader)?,
    })
}

pub(super) fn put_write_to(writer: &mut Writer, to: &WriteTo) {
    writer.u8(to.kind.number()).put(to.write.expose()).put(&to.read.0).put(&to.delete.0);
}

pub(super) fn read_from(reader: &mut Reader<'_>) -> Result<ReadFrom, DecodeError> {
    Ok(ReadFrom {
        kind: Kind::parse(reader.u8()?)?,
        read: ReadForm::from_bytes(&reader.array()?),
        write: key_hash(reader)?,
        delete: key_hash(reader)?,
    })
}

pub(super) fn put_read_from(writer: &mut Writer, from: &ReadFrom) {
    writer.u8(from.kind.number()).put(from.read.expose()).put(&from.write.0).put(&from.delete.0);
}

pub(super) fn delete_at(reader: &mut Reader<'_>) -> Result<DeleteAt, DecodeError> {
    Ok(DeleteAt {
        delete: DeleteForm::from_bytes(&reader.array()?),
        write: key_hash(reader)?,
        read: key_hash(reader)?,
    })
}

pub(super) fn put_delete_at(writer: &mut Writer, at: &DeleteAt) {
    writer.put(at.delete.expose()).put(&at.write.0).put(&at.read.0);
}

/// The hashes of a mailbox that can be opened and closed: an intake or a log.
pub(super) fn opened_mailbox(reader: &mut Reader<'_>) -> Result<MailboxHashes, DecodeError> {
    let kind = Kind::parse(reader.u8()?)?;
    if !can_be_opened(kind) {
        return Err(DecodeError::Invalid { field: "kind" });
    }
    Ok(MailboxHashes { kind, write: key_hash(reader)?, read: key_hash(reader)?, delete: key_hash(reader)? })
}

pub(super) fn put_hashes(writer: &mut Writer, hashes: &MailboxHashes) {
    writer.u8(hashes.kind.number()).put(&hashes.write.0).put(&hashes.read.0).put(&hashes.delete.0);
}

pub(super) fn envelope(reader: &mut Reader<'_>) -> Result<SealedEnvelope, DecodeError> {
    reader.bytes(ENVELOPE_BYTES).and_then(SealedEnvelope::parse)
}

/// A count u8 and that many envelope ids, 1–64.
pub(super) fn ids(reader: &mut Reader<'_>) -> Result<Vec<EnvelopeId>, DecodeError> {
    let count = count(reader, 1, IDS_PER_REQUEST, "ids")?;
    (0..count).map(|_| reader.array().map(EnvelopeId)).collect()
}

pub(super) fn put_ids(writer: &mut Writer, ids: &[EnvelopeId]) {
    put_count(writer, ids.len());
    for id in ids {
        writer.put(&id.0);
    }
}

/// A count u8 between `min` and `max`.
pub(super) fn count(
    reader: &mut Reader<'_>,
    min: usize,
    max: usize,
    field: &'static str,
) -> Result<usize, DecodeError> {
    let count = usize::from(reader.u8()?);
    in_range(count, min, max, field)
}

pub(super) fn put_count(writer: &mut Writer, count: usize) {
    writer.u8(u8::try_from(count).expect("a list of an inner frame has at most 255 entries"));
}

/// `value`, if it lies between `min` and `max`, both included.
pub(super) fn in_range<T: PartialOrd>(
    value: T,
    min: T,
    max: T,
    field: &'static str,
) -> Result<T, DecodeError> {
    if value < min || value > max { Err(DecodeError::Invalid { field }) } else { Ok(value) }
}

/// Skips the TLVs behind a body; none is known yet.
pub(super) fn no_known_tlvs(reader: &mut Reader<'_>) -> Result<(), DecodeError> {
    Reader::new(reader.rest()).tlvs(|_, _| Ok(false))
}
