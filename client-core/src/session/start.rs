//! How a conversation begins (docs/spec/handshake.md §6).
//!
//! RK0, CK0, HK1, MB1, SID = KDF(hs, ss1 ‖ X25519(IK_V, e_R), "A1", H(M0), notice hash echoed, index, IK_V, lease number,
//! ct1, ek_V).

use std::collections::BTreeMap;

use poterne_protocol::kdf;
use poterne_protocol::kem::{KemCiphertext, KemPublic, KemSecret};
use poterne_protocol::limits::LEASE_NUMBER_MAX;
use poterne_protocol::time::Day;
use rand_core::CryptoRng;
use zeroize::Zeroizing;

use super::header::AnswerHeader;
use super::receiving::Receiving;
use super::sending::Sending;
use super::step::nth;
use super::{Ahead, ChainZero, Role, Session};
use crate::chain::ChainKey;
use crate::desk::certificate::DeviceCertificate;
use crate::dh::{DhSecret, Refused};
use crate::intake::OpenedRequest;
use crate::labels;
use crate::secret::Secret;

/// A volunteer's device as it answers: IK_V's secret half and the certificate of its epoch.
#[derive(Clone, Debug)]
pub struct DeviceKeys {
    /// IK_V.
    pub identity: DhSecret,
    /// Signed by the coordinator of the epoch.
    pub certificate: DeviceCertificate,
}

/// Why a volunteer's conversation did not begin.
#[derive(Clone, Copy, Debug, Eq, PartialEq, thiserror::Error)]
pub enum StartError {
    /// The certificate is not for this identity key.
    #[error("the certificate is for another device")]
    Certificate,
    /// The requester's key is of small order.
    #[error("the key of the request is refused")]
    Key,
    /// The number of the lease is above 65,535.
    #[error("the number of the lease is too high")]
    Lease,
}

/// What both sides know when they begin.
pub(crate) struct Transcript<'a> {
    pub(crate) handshake: &'a Secret,
    pub(crate) contact_hash: &'a [u8; 32],
    pub(crate) echoed_hash: &'a [u8; 32],
    pub(crate) certificate: &'a DeviceCertificate,
    pub(crate) lease: u32,
    pub(crate) ct: &'a KemCiphertext,
    pub(crate) ek: &'a KemPublic,
}

pub(crate) struct Established {
    pub(crate) root: Secret,
    pub(crate) chain: ChainKey,
    pub(crate) header: Secret,
    pub(crate) mailbox: Secret,
    pub(crate) id: [u8; 32],
}

pub(crate) fn establish(with: &Transcript, kem: &[u8; 32], dh: &[u8; 32]) -> Established {
    let shared = Zeroizing::new([*kem, *dh].concat());
    let fields: [&[u8]; 7] = [
        with.contact_hash,
        with.echoed_hash,
        &with.certificate.index.to_le_bytes(),
        &with.certificate.identity.0,
        &with.lease.to_le_bytes(),
        with.ct.as_bytes(),
        with.ek.as_bytes(),
    ];
    let output = kdf::kdf::<160>(with.handshake.expose(), &shared, labels::ANSWER, &fields);
    Established {
        root: nth(&output[..], 0),
        chain: ChainKey(nth(&output[..], 1)),
        header: nth(&output[..], 2),
        mailbox: nth(&output[..], 3),
        id: output[4 * 32..].try_into().expect("the last 32 of 160 bytes"),
    }
}

/// HK_A = KDF(–, hs, "A1 header").
pub(crate) fn answer_header_key(handshake: &Secret) -> Secret {
    handshake.derive(labels::ANSWER_HEADER, &[])
}

impl Session {
    /// The volunteer answers a request under a lease. The first message sealed is A1.
    pub fn for_volunteer(
        request: &OpenedRequest,
        device: &DeviceKeys,
        lease: u32,
        rng: &mut impl CryptoRng,
    ) -> Result<Self, StartError> {
        if lease > LEASE_NUMBER_MAX {
            return Err(StartError::Lease);
        }
        if device.identity.public() != device.certificate.identity {
            return Err(StartError::Certificate);
        }
        let dh = device.identity.agree(&request.lasting_key).map_err(|Refused| StartError::Key)?;
        let (ct, shared) = request.ratchet_key.encapsulate(rng);
        let secret = KemSecret::generate(rng);
        let ek = secret.public();
        let transcript = Transcript {
            handshake: &request.handshake.secret,
            contact_hash: &request.handshake.contact_hash,
            echoed_hash: &request.handshake.echoed_hash.0,
            certificate: &device.certificate,
            lease,
            ct: &ct,
            ek: &ek,
        };
        let established = establish(&transcript, &shared, &dh);
        let zero = ChainZero {
            th0: request.handshake.th0,
            header: answer_header_key(&request.handshake.secret),
            certificate: device.certificate.clone(),
            lease,
        };
        let first = ChainKey(established.chain.0.clone());
        let sending = Sending::answer(first, &secret, ek, ct);
        Ok(Self::begin(Role::Volunteer, zero, established, None, Some(sending), BTreeMap::new(), 0))
    }

    /// The requester's end, before anything of the answer was opened.
    pub(crate) fn for_requester(
        th0: [u8; 32],
        header: Secret,
        answer: &AnswerHeader,
        established: Established,
        follow_ups: u16,
        today: Day,
    ) -> Self {
        let zero = ChainZero { th0, header, certificate: answer.certificate.clone(), lease: answer.lease };
        let first = ChainKey(established.chain.0.clone());
        let receiving = Receiving::answer(zero.header.clone(), first, answer.ratchet.keys(), today);
        let peer_key = Some(answer.ratchet.ek.clone());
        let chains = BTreeMap::from([(0, receiving)]);
        Self::begin(Role::Requester, zero, established, peer_key, None, chains, follow_ups.into())
    }

    fn begin(
        role: Role,
        zero: ChainZero,
        established: Established,
        peer_key: Option<KemPublic>,
        sending: Option<Sending>,
        receiving: BTreeMap<u32, Receiving>,
        follow_ups: u32,
    ) -> Self {
        let Established { root, header, mailbox, id, .. } = established;
        let ahead = Ahead { chain: 1, header, mailbox, peer_key };
        Self { id, role, zero, root, ahead, sending, follow_ups, receiving }
    }
}
