//! How a coordinator makes a notice (docs/spec/notice.md §7).
//!
//! Annex parts are put before their head, so that the last envelope of a log is always a head.

use poterne_protocol::desk::{CardSecret, DeskId};
use poterne_protocol::envelope::SealedEnvelope;
use poterne_protocol::kem::KemPublic;
use poterne_protocol::keys::WriteKey;
use rand_core::CryptoRng;
use zeroize::Zeroizing;

use super::annex::{self, Annex, PARTS_MAX};
use super::head::{Head, Revocations, Version};
use super::relays::{self, RELAYS_MAX, RelayEntry};
use super::{NOTICE_GRACE_SECS, Notice, NoticeHash, notice_key};
use crate::desk::certificate::CoordinatorCertificate;
use crate::desk::epoch::Epoch;
use crate::desk::roots::RootSet;
use crate::seal::{WHOLE_BYTES, nonce, seal_whole};
use crate::sign::{SIGNATURE_BYTES, SignSecret};

/// What a coordinator wants a notice to say. The rest follows: suite, expiry, annex hash, signature.
#[derive(Clone)]
pub struct NoticeDraft {
    /// Whose notice it is.
    pub desk: DeskId,
    /// One more than that of the notice before it.
    pub counter: u32,
    /// H(head) of the notice before it; none for the first of a coordinator.
    pub previous: Option<NoticeHash>,
    /// The epoch that it is for.
    pub epoch: Epoch,
    /// The roots as they are now.
    pub roots: RootSet,
    /// The coordinator's certificate, signed by those roots.
    pub certificate: CoordinatorCertificate,
    /// What first contacts are sealed to.
    pub intake_key: KemPublic,
    /// The key that writes to the intake.
    pub intake_write: WriteKey,
    /// Revoked devices.
    pub revocations: Revocations,
    /// The desk's relays, at most 8.
    pub relays: Vec<RelayEntry>,
    /// What is wanted rarely.
    pub annex: Annex,
}

crate::secret::silent!(NoticeDraft);

/// A notice, ready for the log of its day at each relay of the desk.
#[derive(Clone, Debug)]
pub struct Published {
    /// In the order in which they are put: the annex, then the head.
    pub envelopes: Vec<SealedEnvelope>,
    /// The notice itself.
    pub notice: Notice,
}

/// Why a draft makes no notice.
#[derive(Clone, Copy, Debug, Eq, PartialEq, thiserror::Error)]
pub enum BuildError {
    /// The annex does not fit into its parts.
    #[error("the annex is too long")]
    AnnexTooLong,
    /// The certificate is not of this coordinator, these roots or this day.
    #[error("the coordinator's certificate does not cover the notice")]
    Certificate,
    /// The head does not fit into one envelope: too many or too long addresses.
    #[error("the notice is {extra} bytes too long")]
    HeadTooLong {
        /// By how many bytes.
        extra: usize,
    },
    /// More than 8 relays, or a number or pin that stands twice, or number 0.
    #[error("the relay table is not allowed")]
    Relays,
}

impl NoticeDraft {
    /// Signs the head with the coordinator's key and seals head and annex for the day.
    pub fn publish(
        self,
        coordinator: &SignSecret,
        card: &CardSecret,
        rng: &mut impl CryptoRng,
    ) -> Result<Published, BuildError> {
        self.check(coordinator)?;
        let annex = self.annex.encode();
        let mut texts: Vec<_> = annex::split(&annex).into_iter().map(Zeroizing::new).collect();
        if texts.len() > PARTS_MAX {
            return Err(BuildError::AnnexTooLong);
        }
        let (day, desk) = (self.epoch.day, self.desk);
        let head = self.head(&annex, texts.len(), coordinator);
        texts.push(padded(&head)?);
        let key = notice_key(card, &desk, day);
        let envelopes = texts.iter().map(|text| seal_whole(key.expose(), &nonce(rng), text)).collect();
        Ok(Published { envelopes, notice: Notice::verified(head) })
    }

    fn check(&self, coordinator: &SignSecret) -> Result<(), BuildError> {
        let certificate = &self.certificate;
        if certificate.key != coordinator.public()
            || !certificate.is_certified(&self.roots, &self.desk)
            || !certificate.covers(self.epoch.day)
        {
            return Err(BuildError::Certificate);
        }
        if self.relays.len() > RELAYS_MAX || !relays::are_distinct(&self.relays) {
            return Err(BuildError::Relays);
        }
        Ok(())
    }

    fn head(self, annex: &[u8], annex_parts: usize, coordinator: &SignSecret) -> Head {
        let mut head = Head {
            desk: self.desk,
            version: Version {
                root: self.roots.version,
                serial: self.certificate.serial,
                counter: self.counter,
            },
            previous: self.previous.unwrap_or(NoticeHash([0; 32])),
            epoch: self.epoch,
            expiry: self.epoch.day.end().plus(NOTICE_GRACE_SECS),
            roots: self.roots,
            certificate: self.certificate,
            intake_key: self.intake_key,
            further_keys: Vec::new(),
            intake_write: self.intake_write,
            revocations: self.revocations,
            relays: self.relays,
            annex_hash: annex::hash(annex),
            annex_parts: u8::try_from(annex_parts).expect("an annex has at most 16 parts"),
            tlvs: Vec::new(),
            signature: [0; SIGNATURE_BYTES],
        };
        head.sign(coordinator);
        head
    }
}

fn padded(head: &Head) -> Result<Zeroizing<Vec<u8>>, BuildError> {
    let mut bytes = head.encode();
    if bytes.len() > WHOLE_BYTES {
        return Err(BuildError::HeadTooLong { extra: bytes.len() - WHOLE_BYTES });
    }
    bytes.resize(WHOLE_BYTES, 0);
    Ok(bytes)
}
