//! The comparisons that must not tell how far they agreed: of a tag, a lease token, a mailbox key, and of a passphrase's
//! check value in a vault. And one that does tell, to see that it is found.

use poterne_client_core::attachment::Descriptor;
use poterne_client_core::vault::Vault;
use poterne_client_core::vault::memory::MemoryDisk;
use poterne_protocol::envelope::{EnvelopeId, SealedEnvelope};
use poterne_protocol::keys::{KeyHash, WriteKey};
use poterne_protocol::limits::ENVELOPE_BYTES;
use poterne_protocol::op::{ClaimId, LeaseToken};
use poterne_protocol::time::{Day, UnixTime};
use poterne_relay_core::change::{Arrival, Change, Lease, Locator, Opening};
use poterne_relay_core::lease::{Holder, holder};
use poterne_relay_core::state::MailboxState;
use rand_chacha::ChaCha20Rng;
use rand_core::SeedableRng as _;
use subtle::ConstantTimeEq as _;

use super::Question;
use super::vaults::{PASSPHRASE, one_slot};

const TODAY: Day = Day(20_000);
const NOW: UnixTime = UnixTime(20_000 * 86_400 + 60);
/// Where the lock page of a vault's slot holds the check value.
const CHECK_AT: usize = 32;
const CHECK_BYTES: usize = 32;

/// Every question whose answer must be: nothing can be told.
pub fn silent() -> Vec<Box<dyn Question>> {
    vec![Box::new(Tag::new()), Box::new(Token::new()), Box::new(Key::new()), Box::new(Passphrase::new())]
}

/// An envelope whose tag is wrong in its first byte, and one in its last. Both lie in the same place, because the same
/// work takes another time elsewhere in memory.
struct Tag {
    descriptor: Descriptor,
    sealed: SealedEnvelope,
    draft: Box<[u8; ENVELOPE_BYTES]>,
}

/// The first byte of the tag and the last.
const TAG_ENDS: [usize; 2] = [ENVELOPE_BYTES - 16, ENVELOPE_BYTES - 1];

impl Tag {
    fn new() -> Self {
        let mut rng = ChaCha20Rng::seed_from_u64(1);
        let descriptor = Descriptor::of(b"content", "", &mut rng).expect("a short file");
        let sealed = descriptor.seal_chunks(b"content", &mut rng).next().expect("16 chunks");
        let draft = Box::new(*sealed.as_bytes());
        Self { descriptor, sealed, draft }
    }
}

impl Question for Tag {
    fn name(&self) -> &'static str {
        "tag of an envelope"
    }

    fn run(&mut self, case: usize) -> bool {
        for (end, place) in TAG_ENDS.into_iter().enumerate() {
            self.draft[place] = self.sealed.as_bytes()[place] ^ u8::from(case == end);
        }
        let envelope = SealedEnvelope::parse(&self.draft[..]).expect("4096 bytes");
        self.descriptor.open_chunk(0, &envelope).is_ok()
    }
}

/// A lease token that is wrong in its first byte, and one in its last.
struct Token {
    state: MailboxState,
    tokens: [LeaseToken; 2],
}

const CLAIM: ClaimId = ClaimId([1; 16]);

impl Token {
    fn new() -> Self {
        let mut state = MailboxState::default();
        let (true_token, steward) = ([7; 16], KeyHash([0; 32]));
        let position = state.next_position(TODAY);
        let (id, at) = (EnvelopeId([2; 16]), Locator::UNPLACED);
        let lease = Lease {
            claim_id: CLAIM,
            token: LeaseToken(true_token),
            position,
            number: 1,
            claimed_at: NOW,
            ends: NOW.plus(900),
        };
        let opening = Opening { last_day: TODAY, quota: 1 << 30, gated: false, steward };
        for change in [
            Change::Opened(opening),
            Change::Put(Arrival { position, id, day: TODAY, last_day: TODAY + 4, at }),
            Change::Claimed(lease),
        ] {
            state.apply(&change);
        }
        assert!(matches!(holder(&state, &CLAIM, &LeaseToken(true_token), NOW), Holder::Lasting { .. }));
        let wrong = |place: usize| {
            let mut token = true_token;
            token[place] ^= 1;
            LeaseToken(token)
        };
        Self { state, tokens: [wrong(0), wrong(15)] }
    }
}

impl Question for Token {
    fn name(&self) -> &'static str {
        "lease token"
    }

    fn run(&mut self, case: usize) -> bool {
        matches!(holder(&self.state, &CLAIM, &self.tokens[case], NOW), Holder::Lasting { .. })
    }

    fn repetitions(&self) -> u32 {
        64
    }
}

/// A mailbox key that differs in its first byte, and one in its last.
struct Key {
    own: WriteKey,
    others: [WriteKey; 2],
}

impl Key {
    fn new() -> Self {
        let other = |place: usize| {
            let mut bytes = [5; 32];
            bytes[place] ^= 1;
            WriteKey::from_bytes(&bytes)
        };
        Self { own: WriteKey::from_bytes(&[5; 32]), others: [other(0), other(31)] }
    }
}

impl Question for Key {
    fn name(&self) -> &'static str {
        "key of a mailbox"
    }

    fn run(&mut self, case: usize) -> bool {
        self.own.ct_eq(&self.others[case]).into()
    }

    fn repetitions(&self) -> u32 {
        256
    }
}

/// A vault in which the check value of the passphrase is wrong in its first byte, or in its last: what somebody would
/// measure who tries passphrases. It is one vault, so that its place in memory tells nothing.
struct Passphrase {
    disk: MemoryDisk,
    check: usize,
}

impl Passphrase {
    fn new() -> Self {
        let disk = one_slot(1);
        let check = lock_page(&disk) + CHECK_AT;
        Self { disk, check }
    }
}

/// The offset of the page without which the passphrase opens nothing.
fn lock_page(disk: &MemoryDisk) -> usize {
    let pages = (4096..disk.image().len()).step_by(4096);
    let is_lock = |at: &usize| {
        let mut changed = disk.clone();
        changed.image_mut()[at + CHECK_AT] ^= 1;
        Vault::open(changed, PASSPHRASE).is_err()
    };
    pages.into_iter().find(is_lock).expect("a vault has a lock")
}

impl Question for Passphrase {
    fn name(&self) -> &'static str {
        "trial of a passphrase"
    }

    fn run(&mut self, case: usize) -> bool {
        let wrong = self.check + case * (CHECK_BYTES - 1);
        self.disk.image_mut()[wrong] ^= 1;
        let opens = Vault::open(&mut self.disk, PASSPHRASE).is_ok();
        self.disk.image_mut()[wrong] ^= 1;
        opens
    }
}

/// A comparison that stops at the first difference: the planted leak.
pub struct Leaky {
    own: [u8; 32],
    others: [[u8; 32]; 2],
}

impl Default for Leaky {
    fn default() -> Self {
        let own = [5; 32];
        let (mut first, mut last) = (own, own);
        first[0] ^= 1;
        last[31] ^= 1;
        Self { own, others: [first, last] }
    }
}

impl Question for Leaky {
    fn name(&self) -> &'static str {
        "planted: stops at the first difference"
    }

    fn run(&mut self, case: usize) -> bool {
        self.own.iter().zip(&self.others[case]).all(|(left, right)| std::hint::black_box(left) == right)
    }

    fn repetitions(&self) -> u32 {
        64
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn both_cases_of_every_question_are_refused() {
        for mut question in silent().into_iter().chain([Box::new(Leaky::default()) as Box<dyn Question>]) {
            assert_eq!([question.run(0), question.run(1)], [false; 2], "{}", question.name());
        }
    }
}
