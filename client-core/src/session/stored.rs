//! The stored form of a conversation (docs/spec/ratchet.md §8).

use std::collections::BTreeMap;

use poterne_protocol::kem::{KemCiphertext, KemSecret};
use poterne_protocol::time::Day;
use serde::{Deserialize, Serialize};
use zeroize::{Zeroize, ZeroizeOnDrop, Zeroizing};

use super::receiving::Receiving;
use super::sending::Sending;
use super::{Ahead, CHAIN_MESSAGES_MAX, ChainZero, Role, Session};
use crate::chain::ChainKey;
use crate::desk::certificate::DeviceCertificate;
use crate::secret::Secret;
use crate::stored::{self, StoredError};

const STORED_VERSION: u8 = 1;

impl Session {
    /// The state for the vault.
    pub fn to_stored(&self) -> Zeroizing<Vec<u8>> {
        stored::save(STORED_VERSION, &Plain::from(self))
    }

    /// The state out of the vault.
    pub fn from_stored(bytes: &[u8]) -> Result<Self, StoredError> {
        stored::load::<Plain>(STORED_VERSION, bytes)?.try_into()
    }
}

type PlainSecrets = Vec<(u32, [u8; 32])>;
type PlainMarks = Vec<(u32, [u8; 16])>;

#[derive(Deserialize, Serialize, Zeroize, ZeroizeOnDrop)]
struct Plain {
    id: [u8; 32],
    is_volunteer: bool,
    th0: [u8; 32],
    answer_header: [u8; 32],
    certificate: Vec<u8>,
    lease: u32,
    root: [u8; 32],
    ahead: PlainAhead,
    sending: Option<PlainSending>,
    follow_ups: u32,
    receiving: Vec<(u32, PlainReceiving)>,
}

#[derive(Deserialize, Serialize, Zeroize, ZeroizeOnDrop)]
struct PlainAhead {
    chain: u32,
    header: [u8; 32],
    mailbox: [u8; 32],
    peer_key: Option<Vec<u8>>,
}

#[derive(Deserialize, Serialize, Zeroize, ZeroizeOnDrop)]
struct PlainSending {
    index: u32,
    chain: [u8; 32],
    next: u32,
    keys: Option<([u8; 32], [u8; 32])>,
    seed: Option<[u8; 32]>,
    ek: Vec<u8>,
    ct: Vec<u8>,
    previous: u32,
    sent: PlainMarks,
}

#[derive(Deserialize, Serialize, Zeroize, ZeroizeOnDrop)]
struct PlainReceiving {
    header: [u8; 32],
    mailbox: Option<[u8; 32]>,
    keys: [u8; 32],
    chain: Option<[u8; 32]>,
    next: u32,
    skipped: PlainSecrets,
    seen: PlainMarks,
    spent: PlainSecrets,
    last_day: u32,
}

impl From<&Session> for Plain {
    fn from(state: &Session) -> Self {
        Self {
            id: state.id,
            is_volunteer: state.role == Role::Volunteer,
            th0: state.zero.th0,
            answer_header: *state.zero.header.expose(),
            certificate: state.zero.certificate.encode(),
            lease: state.zero.lease,
            root: *state.root.expose(),
            ahead: PlainAhead::from(&state.ahead),
            sending: state.sending.as_ref().map(PlainSending::from),
            follow_ups: state.follow_ups,
            receiving: state.receiving.iter().map(|(chain, it)| (*chain, PlainReceiving::from(it))).collect(),
        }
    }
}

impl TryFrom<Plain> for Session {
    type Error = StoredError;

    fn try_from(plain: Plain) -> Result<Self, StoredError> {
        let certificate = DeviceCertificate::parse(&plain.certificate).map_err(|_| StoredError::Damaged)?;
        let receiving = plain.receiving.iter().map(|(chain, it)| Ok((*chain, Receiving::try_from(it)?)));
        Ok(Self {
            id: plain.id,
            role: if plain.is_volunteer { Role::Volunteer } else { Role::Requester },
            zero: ChainZero {
                th0: plain.th0,
                header: Secret::from_bytes(&plain.answer_header),
                certificate,
                lease: plain.lease,
            },
            root: Secret::from_bytes(&plain.root),
            ahead: Ahead::try_from(&plain.ahead)?,
            sending: plain.sending.as_ref().map(Sending::try_from).transpose()?,
            follow_ups: plain.follow_ups,
            receiving: receiving.collect::<Result<_, StoredError>>()?,
        })
    }
}

impl From<&Ahead> for PlainAhead {
    fn from(state: &Ahead) -> Self {
        Self {
            chain: state.chain,
            header: *state.header.expose(),
            mailbox: *state.mailbox.expose(),
            peer_key: state.peer_key.as_ref().map(|key| key.as_bytes().to_vec()),
        }
    }
}

impl TryFrom<&PlainAhead> for Ahead {
    type Error = StoredError;

    fn try_from(plain: &PlainAhead) -> Result<Self, StoredError> {
        Ok(Self {
            chain: plain.chain,
            header: Secret::from_bytes(&plain.header),
            mailbox: Secret::from_bytes(&plain.mailbox),
            peer_key: plain.peer_key.as_deref().map(stored::kem_public).transpose()?,
        })
    }
}

impl From<&Sending> for PlainSending {
    fn from(state: &Sending) -> Self {
        let keys = state.keys.as_ref();
        Self {
            index: state.index,
            chain: *state.chain.0.expose(),
            next: state.next,
            keys: keys.map(|(header, mailbox)| (*header.expose(), *mailbox.expose())),
            seed: state.secret.as_ref().map(|secret| *secret.expose_seed()),
            ek: state.ek.as_bytes().to_vec(),
            ct: state.ct.as_bytes().to_vec(),
            previous: state.previous,
            sent: state.sent.iter().map(|(n, mark)| (*n, *mark)).collect(),
        }
    }
}

impl TryFrom<&PlainSending> for Sending {
    type Error = StoredError;

    fn try_from(plain: &PlainSending) -> Result<Self, StoredError> {
        let keys = plain.keys.as_ref();
        if plain.next > CHAIN_MESSAGES_MAX {
            return Err(StoredError::Damaged);
        }
        Ok(Self {
            index: plain.index,
            chain: ChainKey(Secret::from_bytes(&plain.chain)),
            next: plain.next,
            keys: keys.map(|(header, mailbox)| (Secret::from_bytes(header), Secret::from_bytes(mailbox))),
            secret: plain.seed.as_ref().map(KemSecret::from_seed),
            ek: stored::kem_public(&plain.ek)?,
            ct: KemCiphertext::from(stored::array(&plain.ct)?),
            previous: plain.previous,
            sent: plain.sent.iter().copied().collect(),
        })
    }
}

impl From<&Receiving> for PlainReceiving {
    fn from(state: &Receiving) -> Self {
        Self {
            header: *state.header.expose(),
            mailbox: state.mailbox.as_ref().map(|mailbox| *mailbox.expose()),
            keys: state.keys,
            chain: state.chain.as_ref().map(|chain| *chain.0.expose()),
            next: state.next,
            skipped: plain_secrets(&state.skipped),
            seen: state.seen.iter().map(|(n, mark)| (*n, *mark)).collect(),
            spent: plain_secrets(&state.spent),
            last_day: state.last_day.0,
        }
    }
}

impl TryFrom<&PlainReceiving> for Receiving {
    type Error = StoredError;

    fn try_from(plain: &PlainReceiving) -> Result<Self, StoredError> {
        if plain.next > CHAIN_MESSAGES_MAX {
            return Err(StoredError::Damaged);
        }
        Ok(Self {
            header: Secret::from_bytes(&plain.header),
            mailbox: plain.mailbox.as_ref().map(Secret::from_bytes),
            keys: plain.keys,
            chain: plain.chain.as_ref().map(|chain| ChainKey(Secret::from_bytes(chain))),
            next: plain.next,
            skipped: secrets(&plain.skipped),
            seen: plain.seen.iter().copied().collect(),
            spent: secrets(&plain.spent),
            last_day: Day(plain.last_day),
        })
    }
}

fn plain_secrets(secrets: &BTreeMap<u32, Secret>) -> PlainSecrets {
    secrets.iter().map(|(n, secret)| (*n, *secret.expose())).collect()
}

fn secrets(plain: &PlainSecrets) -> BTreeMap<u32, Secret> {
    plain.iter().map(|(n, secret)| (*n, Secret::from_bytes(secret))).collect()
}
