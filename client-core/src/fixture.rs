//! A desk with one root, one coordinator, one device and two relays, for tests and vectors.

use poterne_protocol::desk::{CardSecret, DeskId};
use poterne_protocol::envelope::SealedEnvelope;
use poterne_protocol::keys::{Pin, WriteKey};
use poterne_protocol::time::{Day, UnixTime};
use rand_chacha::ChaCha20Rng;
use rand_core::SeedableRng;
use zeroize::Zeroizing;

#[cfg(test)]
use crate::answer::Answer;
use crate::body::{Part, PartMark};
use crate::desk::{CoordinatorCertificate, DeviceCertificate, Epoch, EpochSeed, RootSet, Signatures};
use crate::dh::DhSecret;
use crate::intake::{IntakeKey, OpenedRequest};
use crate::notice::{
    Address, Annex, NoticeDraft, NoticeHash, NoticeTrust, Published, RelayEntry, Revocations,
};
use crate::request::{ChosenRelay, PendingRequest, RequestDraft, seal_request};
use crate::session::DeviceKeys;
#[cfg(test)]
use crate::session::{Sealed, Session};
use crate::sign::SignSecret;

/// The day that everything happens on: 2026-11-21.
pub(crate) const TODAY: Day = Day(20_778);

pub(crate) fn rng(seed: u64) -> ChaCha20Rng {
    let mut bytes = [0; 32];
    bytes[..8].copy_from_slice(&seed.to_le_bytes());
    ChaCha20Rng::from_seed(bytes)
}

/// Noon of [`TODAY`].
pub(crate) fn now() -> UnixTime {
    TODAY.start().plus(12 * 3600)
}

pub(crate) struct Desk {
    pub(crate) root: SignSecret,
    pub(crate) roots: RootSet,
    pub(crate) id: DeskId,
    pub(crate) coordinator: SignSecret,
    pub(crate) card: CardSecret,
    pub(crate) seed: EpochSeed,
    pub(crate) epoch: Epoch,
    pub(crate) device: DeviceKeys,
    pub(crate) rng: ChaCha20Rng,
}

impl Desk {
    pub(crate) fn new(seed: u64) -> Self {
        let mut rng = rng(seed);
        let (root, coordinator) = (SignSecret::generate(&mut rng), SignSecret::generate(&mut rng));
        let roots = RootSet::first(1, vec![root.public()]).unwrap();
        let id = roots.desk_id();
        let epoch = Epoch { day: TODAY, generation: 0 };
        let identity = DhSecret::generate(&mut rng);
        let last = Epoch { day: TODAY + 8, generation: 0 };
        let certificate = DeviceCertificate::sign(&coordinator, &id, 1, 0, identity.public(), last);
        Self {
            card: CardSecret::from_bytes(&[9; 16]),
            seed: EpochSeed::generate(&mut rng),
            device: DeviceKeys { identity, certificate },
            root,
            roots,
            id,
            coordinator,
            epoch,
            rng,
        }
    }

    pub(crate) fn certificate(&self, serial: u16) -> CoordinatorCertificate {
        let mut certificate = CoordinatorCertificate {
            key: self.coordinator.public(),
            serial,
            first_day: TODAY - 1,
            last_day: TODAY + 80,
            signatures: Signatures::default(),
        };
        certificate.signatures.add(0, certificate.sign(&self.root, &self.id, self.roots.version));
        certificate
    }

    pub(crate) fn intake(&self) -> IntakeKey {
        self.seed.intake_key(self.id, self.epoch)
    }

    pub(crate) fn draft(&self, counter: u32, previous: Option<NoticeHash>) -> NoticeDraft {
        NoticeDraft {
            desk: self.id,
            counter,
            previous,
            epoch: self.epoch,
            roots: self.roots.clone(),
            certificate: self.certificate(1),
            intake_key: self.intake().public().clone(),
            intake_write: self.seed.intake_write_key(),
            revocations: Revocations::default(),
            relays: (1..=2).map(|number| self.relay(number)).collect(),
            annex: Annex::default(),
        }
    }

    fn relay(&self, number: u8) -> RelayEntry {
        let pin = Pin([number; 16]);
        RelayEntry {
            number,
            pin,
            operator: number.into(),
            intake_read: self.seed.intake_read_key().at(&pin).hash(),
            log_write: WriteKey::from_bytes(&[7; 32]).at(&pin).hash(),
            addresses: vec![Address::host_port("relay.example:4433")],
        }
    }

    pub(crate) fn publish(&mut self, draft: NoticeDraft) -> Published {
        draft.publish(&self.coordinator, &self.card, &mut self.rng).unwrap()
    }

    pub(crate) fn trust(&self) -> NoticeTrust {
        NoticeTrust::new(self.id, self.card.clone())
    }
}

pub(crate) fn request_draft(text: &str) -> RequestDraft<'_> {
    let relay = |number| Some(ChosenRelay { number, pin: Pin([number; 16]) });
    RequestDraft {
        text,
        goes_on: false,
        language: *b"uk\0\0",
        sent_at: now(),
        answer_relays: [relay(1), relay(2)],
        reveal: None,
    }
}

/// A request that was sealed and opened.
pub(crate) struct Asked {
    pub(crate) desk: Desk,
    pub(crate) envelope: SealedEnvelope,
    pub(crate) pending: PendingRequest,
    pub(crate) opened: OpenedRequest,
}

pub(crate) fn ask(seed: u64) -> Asked {
    let mut desk = Desk::new(seed);
    let notice = desk.publish(desk.draft(1, None)).notice;
    let (envelope, pending) =
        seal_request(&notice, &request_draft("потрібна допомога"), &mut desk.rng).unwrap();
    let opened = desk.intake().open(&envelope).unwrap();
    Asked { desk, envelope, pending, opened }
}

pub(crate) fn part(text: &str) -> Part {
    Part { kind: 1, mark: PartMark::WHOLE, bytes: Zeroizing::new(text.as_bytes().to_vec()) }
}

/// Both ends of a conversation that A1 has begun.
#[cfg(test)]
pub(crate) struct Pair {
    pub(crate) requester: Session,
    pub(crate) volunteer: Session,
    pub(crate) first: Sealed,
    pub(crate) rng: ChaCha20Rng,
}

#[cfg(test)]
pub(crate) fn pair(seed: u64) -> Pair {
    let Asked { desk, pending, opened, .. } = ask(seed);
    let mut rng = desk.rng;
    let mut volunteer = Session::for_volunteer(&opened, &desk.device, 1, &mut rng).unwrap();
    let first = volunteer.seal(&part("first"), &mut rng).unwrap();
    let Answer { session: requester, .. } = pending.open_answer(&first.envelope, TODAY).unwrap();
    Pair { requester, volunteer, first, rng }
}
