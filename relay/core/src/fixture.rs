//! A relay over memory for the tests of the rules: mailboxes and envelopes by number, one clock.

use poterne_protocol::envelope::{Class, EnvelopeId, SealedEnvelope};
use poterne_protocol::keys::{KeyHash, MailboxKeys, MailboxSecret, Permit, Pin, StewardKey};
use poterne_protocol::mailbox::{DeleteAt, Kind, MailboxHashes, ReadFrom, WriteTo};
use poterne_protocol::op::{
    Answer, Claim, ClaimId, ClaimWhat, Claimed, Close, Delete, DeleteBy, EnvelopeStatus, Fetch, FetchFrom,
    Fetched, LeaseToken, Open, Payment, Put, Request, Start, Status,
};
use poterne_protocol::time::{Day, UnixTime};
use rand_chacha::ChaCha20Rng;
use rand_chacha::rand_core::SeedableRng;

use crate::cursor::CursorKey;
use crate::memory::MemoryStore;
use crate::policy::Policy;
use crate::relay::Relay;

/// The day on which all tests begin.
pub(crate) const TODAY: Day = Day(20_000);

/// The place of this test at its relay.
const PIN: Pin = Pin([9; 16]);

/// A mailbox of which a test holds all keys.
#[derive(Clone)]
pub(crate) struct Mailbox {
    kind: Kind,
    keys: MailboxKeys,
}

pub(crate) fn plain(number: u8) -> Mailbox {
    Mailbox { kind: Kind::Plain, keys: MailboxSecret::from_bytes(&[number; 32]).keys() }
}

pub(crate) fn intake(number: u8) -> Mailbox {
    Mailbox { kind: Kind::Intake, ..plain(number) }
}

pub(crate) fn log(number: u8) -> Mailbox {
    Mailbox { kind: Kind::Log, ..plain(number) }
}

impl Mailbox {
    pub(crate) fn hashes(&self) -> MailboxHashes {
        let plain = MailboxHashes::plain(&self.keys, &PIN);
        let delete = if self.kind == Kind::Plain { plain.delete } else { KeyHash::NOBODY };
        MailboxHashes { kind: self.kind, delete, ..plain }
    }

    pub(crate) fn write(&self) -> WriteTo {
        let MailboxHashes { kind, read, delete, .. } = self.hashes();
        WriteTo { kind, write: self.keys.write.at(&PIN), read, delete }
    }

    pub(crate) fn read(&self) -> ReadFrom {
        let MailboxHashes { kind, write, delete, .. } = self.hashes();
        ReadFrom { kind, read: self.keys.read.at(&PIN), write, delete }
    }

    pub(crate) fn delete_at(&self) -> DeleteAt {
        let MailboxHashes { write, read, .. } = self.hashes();
        DeleteAt { delete: self.keys.delete.at(&PIN), write, read }
    }

    pub(crate) fn opening(&self) -> Open {
        Open {
            permit: Permit::from_bytes(&[1; 32]),
            mailbox: self.hashes(),
            last_day: TODAY + 1,
            quota: 0,
            gated: false,
            steward: steward().hash(),
        }
    }
}

pub(crate) fn steward() -> StewardKey {
    StewardKey::from_bytes(&[5; 32])
}

pub(crate) fn envelope(number: u32) -> SealedEnvelope {
    let mut bytes = [0; 4096];
    bytes[..4].copy_from_slice(&number.to_le_bytes());
    SealedEnvelope::parse(&bytes).expect("4096 bytes")
}

pub(crate) fn id(number: u32) -> EnvelopeId {
    envelope(number).id()
}

/// A relay, its clock and its dice.
pub(crate) struct Fixture {
    pub(crate) relay: Relay<MemoryStore>,
    pub(crate) now: UnixTime,
    rng: ChaCha20Rng,
}

impl Fixture {
    pub(crate) fn new() -> Self {
        Self::with(Policy::default())
    }

    pub(crate) fn with(policy: Policy) -> Self {
        let mut rng = ChaCha20Rng::seed_from_u64(7);
        let relay = Relay::new(MemoryStore::default(), policy, CursorKey::generate(&mut rng));
        Self { relay, now: TODAY.start().plus(3600), rng }
    }

    /// A relay whose numbered intake and log are open.
    pub(crate) fn opened(mailbox: &Mailbox) -> Self {
        let mut fixture = Self::new();
        assert!(matches!(fixture.open(mailbox.opening()), Answer::Opened));
        fixture
    }

    pub(crate) fn handle(&mut self, request: Request) -> Answer {
        self.relay.handle(&request, self.now, &mut self.rng)
    }

    pub(crate) fn wait(&mut self, secs: u64) {
        self.now = self.now.plus(secs);
    }

    pub(crate) fn wait_days(&mut self, days: u64) {
        self.wait(days * 86_400);
    }

    pub(crate) fn put(&mut self, mailbox: &Mailbox, number: u32) -> Answer {
        self.put_with(mailbox, number, Class::FOUR, Payment::None)
    }

    pub(crate) fn put_with(
        &mut self,
        mailbox: &Mailbox,
        number: u32,
        class: Class,
        payment: Payment,
    ) -> Answer {
        self.handle(Request::Put(Put { to: mailbox.write(), class, payment, envelope: envelope(number) }))
    }

    pub(crate) fn fetch(&mut self, mailbox: &Mailbox, start: Start, max: u16) -> Fetched {
        self.fetch_all(&[(mailbox, start)], max).remove(0)
    }

    pub(crate) fn fetch_all(&mut self, from: &[(&Mailbox, Start)], max: u16) -> Vec<Fetched> {
        let from = from
            .iter()
            .map(|(mailbox, start)| FetchFrom { mailbox: mailbox.read(), start: *start })
            .collect();
        match self.handle(Request::Fetch(Fetch { from, max, wait_secs: 0 })) {
            Answer::Fetched(fetched) => fetched,
            other => panic!("a fetch answers {other:?}"),
        }
    }

    /// The numbers of the envelopes that wait.
    pub(crate) fn waiting(&mut self, mailbox: &Mailbox) -> Vec<u32> {
        numbers(&self.fetch(mailbox, Start::First, 64))
    }

    pub(crate) fn claim(&mut self, mailbox: &Mailbox, claim_id: u8, what: ClaimWhat, secs: u32) -> Answer {
        let claim = Claim { mailbox: mailbox.read(), claim_id: ClaimId([claim_id; 16]), what, secs };
        self.handle(Request::Claim(claim))
    }

    /// Claims the oldest and expects to get it.
    pub(crate) fn lease(&mut self, mailbox: &Mailbox, claim_id: u8) -> Claimed {
        match self.claim(mailbox, claim_id, ClaimWhat::Oldest, 900) {
            Answer::Claimed(claimed) => claimed,
            other => panic!("a claim answers {other:?}"),
        }
    }

    pub(crate) fn delete(&mut self, mailbox: &Mailbox, numbers: &[u32]) -> Answer {
        let by = DeleteBy::Key(mailbox.delete_at());
        self.handle(Request::Delete(Delete { by, ids: numbers.iter().map(|number| id(*number)).collect() }))
    }

    pub(crate) fn delete_leased(&mut self, token: LeaseToken, number: u32) -> Answer {
        self.handle(Request::Delete(Delete { by: DeleteBy::Lease(token), ids: vec![id(number)] }))
    }

    pub(crate) fn open(&mut self, open: Open) -> Answer {
        self.handle(Request::Open(open))
    }

    pub(crate) fn close(&mut self, mailbox: &Mailbox, steward: StewardKey) -> Answer {
        self.handle(Request::Close(Close { steward, mailbox: mailbox.hashes() }))
    }

    pub(crate) fn status(&mut self, mailbox: &Mailbox, number: u32) -> EnvelopeStatus {
        match self.handle(Request::Status(Status { mailbox: mailbox.write(), ids: vec![id(number)] })) {
            Answer::Status(statuses) => statuses[0],
            other => panic!("a status answers {other:?}"),
        }
    }

    pub(crate) fn crash(&mut self) {
        self.relay.store_mut().crash(0);
    }
}

/// The numbers of what was fetched.
pub(crate) fn numbers(fetched: &Fetched) -> Vec<u32> {
    fetched.envelopes.iter().map(number).collect()
}

pub(crate) fn number(envelope: &SealedEnvelope) -> u32 {
    u32::from_le_bytes(envelope.as_bytes()[..4].try_into().expect("4 of 4096 bytes"))
}
