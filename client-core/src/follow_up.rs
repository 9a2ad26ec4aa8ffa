//! Follow-ups: what a requester adds before she has opened an answer (docs/spec/handshake.md §5).
//!
//! nonce 24 | X(4056) + 16 under KDF(nonce, secret n of the chain from ck_pre, "follow-up"); at most 32. The reader tries
//! the positions that it has not used. Invariant: a position is used once by the writer and accepted once by the reader.

use std::collections::BTreeMap;

use poterne_protocol::codec::{DecodeError, Reader, Writer};
use poterne_protocol::envelope::SealedEnvelope;
use poterne_protocol::kdf;
use rand_core::CryptoRng;
use serde::{Deserialize, Serialize};
use zeroize::{Zeroize, ZeroizeOnDrop, Zeroizing};

use crate::body::{Body, PartMark};
use crate::chain::ChainKey;
use crate::labels;
use crate::seal::{self, NotOpened, WHOLE_BYTES, nonce, open_whole, seal_whole, split_nonce};
use crate::secret::Secret;
use crate::session::Own;

/// Follow-ups of one request at most.
pub const FOLLOW_UPS_MAX: u16 = 32;
/// Bytes of text in one follow-up at most.
pub const FOLLOW_UP_TEXT_BYTES: usize = WHOLE_BYTES - 8;
const VERSION: u8 = 1;

/// The requester's end of the chain.
#[derive(Clone, Debug)]
pub struct FollowUpWriter {
    chain: ChainKey,
    next: u16,
}

/// The desk's end: the secrets of the positions that were not opened yet.
#[derive(Clone, Debug)]
pub struct FollowUpReader {
    unused: BTreeMap<u16, Secret>,
}

/// A follow-up that was opened.
#[derive(Clone, Eq, PartialEq)]
pub struct FollowUp {
    /// Its place, from 0.
    pub n: u16,
    /// Where it stands in a text of several parts.
    pub mark: PartMark,
    /// What it is: 1 text, as in the ratchet's bodies.
    pub kind: u8,
    /// Its text.
    pub text: Zeroizing<Vec<u8>>,
}

impl core::fmt::Debug for FollowUp {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.debug_struct("FollowUp").field("n", &self.n).finish_non_exhaustive()
    }
}

/// Why a follow-up was not sealed.
#[derive(Clone, Copy, Debug, Eq, PartialEq, thiserror::Error)]
pub enum FollowUpError {
    /// The part is longer than one follow-up holds.
    #[error("a follow-up has at most {FOLLOW_UP_TEXT_BYTES} bytes of text")]
    TextTooLong,
    /// All 32 are used: she must wait for an answer.
    #[error("a request has at most {FOLLOW_UPS_MAX} follow-ups")]
    TooMany,
}

/// Why an envelope was not opened as a follow-up.
#[derive(Clone, Copy, Debug, Eq, PartialEq, thiserror::Error)]
pub enum FollowUpOpenError {
    /// It opened and holds no follow-up of this version.
    #[error("the follow-up is not of its form: {0}")]
    Decode(#[from] DecodeError),
    /// No unused position opens it.
    #[error("the envelope opens at no unused position")]
    NotOpened,
}

impl From<Secret> for FollowUpWriter {
    fn from(start: Secret) -> Self {
        Self { chain: ChainKey(start), next: 0 }
    }
}

impl FollowUpWriter {
    /// How many were sealed so far; pn of chain 1.
    pub fn sealed(&self) -> u16 {
        self.next
    }

    /// Seals the next follow-up. Keep the advanced state before the envelope is put.
    pub fn seal(
        &mut self,
        text: &[u8],
        mark: PartMark,
        rng: &mut impl CryptoRng,
    ) -> Result<SealedEnvelope, FollowUpError> {
        self.seal_kind(Body::TEXT, text, mark, rng)
    }

    /// The same for a body of another type: 6, a file is announced.
    pub fn seal_kind(
        &mut self,
        kind: u8,
        text: &[u8],
        mark: PartMark,
        rng: &mut impl CryptoRng,
    ) -> Result<SealedEnvelope, FollowUpError> {
        if self.next >= FOLLOW_UPS_MAX {
            return Err(FollowUpError::TooMany);
        }
        if text.len() > FOLLOW_UP_TEXT_BYTES {
            return Err(FollowUpError::TextTooLong);
        }
        let mut writer = Writer::with_capacity(WHOLE_BYTES);
        writer.u8(VERSION).u8(kind).u16(self.next).u16(mark.to_wire()).var(text).pad_to(WHOLE_BYTES);
        let nonce = nonce(rng);
        let key = follow_up_key(&nonce, &self.chain.step());
        self.next += 1;
        Ok(seal_whole(key.expose(), &nonce, writer.as_slice()))
    }

    /// Judges an envelope out of the own follow-up mailbox that this state does not remember: a newer copy of it has
    /// sealed at a position that is still to come here.
    pub fn judge_own(&self, envelope: &SealedEnvelope) -> Own {
        let (nonce, _) = split_nonce(envelope);
        let mut chain = self.chain.clone();
        let is_newer = (self.next..FOLLOW_UPS_MAX)
            .any(|_| open_whole(follow_up_key(nonce, &chain.step()).expose(), envelope).is_ok());
        if is_newer { Own::Newer } else { Own::NotOurs }
    }

    pub(crate) fn to_plain(&self) -> ([u8; 32], u16) {
        (*self.chain.0.expose(), self.next)
    }

    pub(crate) fn from_plain((chain, next): &([u8; 32], u16)) -> Self {
        Self { chain: ChainKey(Secret::from_bytes(chain)), next: *next }
    }
}

fn follow_up_key(nonce: &seal::Nonce, secret: &Secret) -> Secret {
    Secret::from_bytes(&kdf::kdf(nonce, secret.expose(), labels::FOLLOW_UP, &[]))
}

impl From<Secret> for FollowUpReader {
    fn from(start: Secret) -> Self {
        let mut chain = ChainKey(start);
        Self { unused: (0..FOLLOW_UPS_MAX).map(|n| (n, chain.step())).collect() }
    }
}

impl FollowUpReader {
    /// Opens a follow-up at the position that fits, and uses that position up.
    pub fn open(&mut self, envelope: &SealedEnvelope) -> Result<FollowUp, FollowUpOpenError> {
        let (nonce, _) = split_nonce(envelope);
        let opens = |secret: &Secret| open_whole(follow_up_key(nonce, secret).expose(), envelope);
        let (n, text) = self
            .unused
            .iter()
            .find_map(|(n, secret)| opens(secret).ok().map(|text| (*n, text)))
            .ok_or(FollowUpOpenError::NotOpened)?;
        let follow_up = parse(n, &text)?;
        self.unused.remove(&n);
        Ok(follow_up)
    }

    /// Whether all of the first `count` follow-ups were opened.
    pub fn has_first(&self, count: u16) -> bool {
        self.unused.keys().next().is_none_or(|first| *first >= count)
    }

    /// Whether any but the first `count` follow-ups was opened.
    pub fn has_beyond(&self, count: u16) -> bool {
        (count..FOLLOW_UPS_MAX).any(|n| !self.unused.contains_key(&n))
    }

    pub(crate) fn to_plain(&self) -> PlainReader {
        PlainReader { unused: self.unused.iter().map(|(n, secret)| (*n, *secret.expose())).collect() }
    }

    pub(crate) fn from_plain(plain: &PlainReader) -> Self {
        Self { unused: plain.unused.iter().map(|(n, secret)| (*n, Secret::from_bytes(secret))).collect() }
    }
}

#[derive(Deserialize, Serialize, Zeroize, ZeroizeOnDrop)]
pub(crate) struct PlainReader {
    unused: Vec<(u16, [u8; 32])>,
}

pub(crate) fn parse(n: u16, text: &[u8]) -> Result<FollowUp, DecodeError> {
    let mut reader = Reader::new(text);
    let version = reader.u8()?;
    if version != VERSION {
        return Err(DecodeError::Version { version });
    }
    let kind = reader.u8()?;
    if reader.u16()? != n {
        return Err(DecodeError::Invalid { field: "n" });
    }
    let mark = PartMark::from_wire(reader.u16()?);
    let text = Zeroizing::new(reader.var(FOLLOW_UP_TEXT_BYTES, "text")?.to_vec());
    Ok(FollowUp { n, mark, kind, text })
}

impl From<NotOpened> for FollowUpOpenError {
    fn from(_: NotOpened) -> Self {
        Self::NotOpened
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fixture::rng;

    fn ends() -> (FollowUpWriter, FollowUpReader) {
        let start = Secret::from_bytes(&[1; 32]);
        (FollowUpWriter::from_plain(&([1; 32], 0)), FollowUpReader::from(start))
    }

    #[test]
    fn a_layout_of_another_version_or_place_is_refused() {
        let read = |bytes: &[u8]| parse(3, bytes).map(|found| (found.kind, found.text.to_vec()));
        assert_eq!(read(&[1, 9, 3, 0, 0, 0, 1, 0, b'a']), Ok((9, b"a".to_vec())));
        assert_eq!(read(&[2, 1, 3, 0, 0, 0, 0, 0]), Err(DecodeError::Version { version: 2 }));
        assert_eq!(read(&[1, 1, 4, 0, 0, 0, 0, 0]), Err(DecodeError::Invalid { field: "n" }));
        assert_eq!(read(&[1, 1, 3, 0, 0, 0, 0xff, 0xff]), Err(DecodeError::Invalid { field: "text" }));
    }

    #[test]
    fn a_reader_knows_which_it_has() {
        let (mut writer, mut reader) = ends();
        let mut rng = rng(1);
        let sealed = [(); 3].map(|()| writer.seal(b"more", PartMark::WHOLE, &mut rng).unwrap());
        assert_eq!(reader.open(&sealed[2]).unwrap().n, 2);
        assert!(!reader.has_first(1) && reader.has_beyond(2) && !reader.has_beyond(3));
        assert_eq!(reader.open(&sealed[2]).unwrap_err(), FollowUpOpenError::NotOpened);
        let mut reader = FollowUpReader::from_plain(&reader.to_plain());
        sealed[..2].iter().for_each(|envelope| _ = reader.open(envelope).unwrap());
        assert!(reader.has_first(3) && !reader.has_first(4));
    }

    #[test]
    fn a_text_that_is_too_long_is_not_sealed_and_nothing_else_shows() {
        let (mut writer, mut reader) = ends();
        let long = vec![b'a'; FOLLOW_UP_TEXT_BYTES + 1];
        let refused = writer.seal(&long, PartMark::WHOLE, &mut rng(2));
        assert_eq!(refused.unwrap_err(), FollowUpError::TextTooLong);
        let whole = writer.seal(&long[1..], PartMark::WHOLE, &mut rng(2)).unwrap();
        assert_eq!(format!("{:?}", reader.open(&whole).unwrap()), "FollowUp { n: 0, .. }");
    }
}
