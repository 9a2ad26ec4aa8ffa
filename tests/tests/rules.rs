//! The rules of the relay and the plain model answer every history alike (docs/spec/relay.md).

use std::collections::BTreeSet;

use poterne_protocol::envelope::Class;
use poterne_protocol::keys::{Pin, StewardKey};
use poterne_protocol::mailbox::Kind;
use poterne_protocol::op::{
    Answer, Claim, ClaimId, ClaimWhat, Close, Cursor, Delete, DeleteBy, Extend, Fetch, FetchFrom, LeaseToken,
    Open, Payment, Put, Request, Start, Status,
};
use poterne_protocol::time::{Day, UnixTime};
use poterne_relay_core::cursor::CursorKey;
use poterne_relay_core::memory::MemoryStore;
use poterne_relay_core::policy::Policy;
use poterne_relay_core::relay::Relay;
use poterne_tests::cast::{KeyedMailbox, envelope, steward};
use poterne_tests::model::Model;
use proptest::prelude::*;
use proptest::strategy::ValueTree;
use rand_chacha::ChaCha20Rng;
use rand_chacha::rand_core::SeedableRng;

const PIN: Pin = Pin([3; 16]);
const FIRST_DAY: Day = Day(20_000);

/// A step of a history. Numbers are small, so that steps meet.
#[derive(Clone, Debug)]
enum Step {
    Claim { mailbox: u32, claim: u8, envelope: Option<u64>, secs: u32 },
    Close { mailbox: (Kind, u32), right: bool },
    Crash,
    Delete { mailbox: u32, envelopes: Vec<u64> },
    DeleteLeased { token: usize, envelopes: Vec<u64> },
    Extend { token: usize, secs: u32 },
    Fetch { from: Vec<((Kind, u32), From)>, max: u16 },
    Open { mailbox: (Kind, u32), days: u32, quota: u64, gated: bool },
    Pass,
    Put { mailbox: (Kind, u32), class: u8, envelope: u64, steward: bool },
    Release { token: usize },
    Status { mailbox: (Kind, u32), envelope: u64 },
    Wait { secs: u64 },
}

#[derive(Clone, Debug)]
enum From {
    Cursor(usize),
    First,
    Foreign(u8),
    Last(u16),
}

fn any_mailbox() -> impl Strategy<Value = (Kind, u32)> {
    (prop_oneof![Just(Kind::Plain), Just(Kind::Intake), Just(Kind::Log)], 0u32..2)
}

fn any_start() -> impl Strategy<Value = From> {
    prop_oneof![
        4 => (0usize..1000).prop_map(From::Cursor),
        2 => Just(From::First),
        1 => any::<u8>().prop_map(From::Foreign),
        1 => (0u16..9).prop_map(From::Last),
    ]
}

fn any_step() -> impl Strategy<Value = Step> {
    let number = || 0u64..12;
    let token = || 0usize..100;
    let numbers = || proptest::collection::vec(number(), 0..4);
    let secs = || prop_oneof![Just(59u32), Just(60), Just(900), Just(3600), Just(3601)];
    prop_oneof![
        12 => (any_mailbox(), prop_oneof![Just(1u8), Just(4), Just(14)], number(), any::<bool>())
            .prop_map(|(mailbox, class, envelope, steward)| Step::Put { mailbox, class, envelope, steward }),
        6 => (proptest::collection::vec((any_mailbox(), any_start()), 0..4), 0u16..9)
            .prop_map(|(from, max)| Step::Fetch { from, max }),
        6 => (0u32..2, 0u8..9, proptest::option::of(number()), secs())
            .prop_map(|(mailbox, claim, envelope, secs)| Step::Claim { mailbox, claim, envelope, secs }),
        3 => (token(), secs()).prop_map(|(token, secs)| Step::Extend { token, secs }),
        2 => token().prop_map(|token| Step::Release { token }),
        3 => (token(), numbers()).prop_map(|(token, envelopes)| Step::DeleteLeased { token, envelopes }),
        3 => (0u32..2, numbers()).prop_map(|(mailbox, envelopes)| Step::Delete { mailbox, envelopes }),
        4 => (any_mailbox(), 0u32..42, prop_oneof![Just(0u64), Just(3), Just(8192), Just(1 << 31)], any::<bool>())
            .prop_map(|(mailbox, days, quota, gated)| Step::Open { mailbox, days, quota, gated }),
        1 => (any_mailbox(), any::<bool>()).prop_map(|(mailbox, right)| Step::Close { mailbox, right }),
        4 => (any_mailbox(), number()).prop_map(|(mailbox, envelope)| Step::Status { mailbox, envelope }),
        4 => prop_oneof![0u64..1000, Just(3600), 0u64..300_000].prop_map(|secs| Step::Wait { secs }),
        1 => Just(Step::Crash),
        1 => Just(Step::Pass),
    ]
}

/// A relay beside its model, and what a client would have kept of its answers.
struct Pair {
    relay: Relay<MemoryStore>,
    model: Model,
    rng: ChaCha20Rng,
    now: UnixTime,
    tokens: Vec<LeaseToken>,
    cursors: Vec<Cursor>,
    /// The names of the answers so far.
    seen: BTreeSet<String>,
}

impl Pair {
    fn new() -> Self {
        let mut rng = ChaCha20Rng::seed_from_u64(1);
        let relay = Relay::new(MemoryStore::default(), Policy::default(), CursorKey::generate(&mut rng));
        let now = FIRST_DAY.start().plus(50_000);
        let (tokens, cursors) = (vec![LeaseToken([0; 16])], vec![Cursor([0; 16])]);
        Self { relay, model: Model::default(), rng, now, tokens, cursors, seen: BTreeSet::new() }
    }

    fn step(&mut self, step: &Step) -> Result<(), TestCaseError> {
        match step {
            Step::Crash => self.relay.store_mut().crash(0),
            Step::Pass => self.relay.store_mut().pass_day(self.now.day()),
            Step::Wait { secs } => self.now = self.now.plus(*secs),
            other => return self.ask(&self.request(other)),
        }
        Ok(())
    }

    fn ask(&mut self, request: &Request) -> Result<(), TestCaseError> {
        let answer = self.relay.handle(request, self.now, &mut self.rng);
        self.seen.insert(format!("{answer:?}").split([' ', '(']).next().expect("a name").to_owned());
        match &answer {
            Answer::Claimed(claimed) => self.tokens.push(claimed.token),
            Answer::Fetched(fetched) => self.cursors.extend(fetched.iter().map(|fetched| fetched.cursor)),
            _ => {}
        }
        let agreed = self.model.expect(request, &answer, self.now);
        agreed.map_err(|disagreement| TestCaseError::fail(format!("{disagreement:?}")))
    }

    fn token(&self, number: usize) -> LeaseToken {
        self.tokens[self.tokens.len() - 1 - number % self.tokens.len().min(4)]
    }

    fn start(&self, from: &From) -> Start {
        match from {
            From::Cursor(number) => Start::After(self.cursors[number % self.cursors.len()]),
            From::First => Start::First,
            From::Foreign(byte) => Start::After(Cursor([*byte; 16])),
            From::Last(count) => Start::Last(*count),
        }
    }

    fn request(&self, step: &Step) -> Request {
        let ids = |numbers: &[u64]| numbers.iter().map(|number| envelope(*number).id()).collect();
        match step {
            Step::Claim { mailbox, claim, envelope: which, secs } => Request::Claim(Claim {
                mailbox: keyed((Kind::Intake, *mailbox)).read(),
                claim_id: ClaimId([*claim; 16]),
                what: which.map_or(ClaimWhat::Oldest, |which| ClaimWhat::Id(envelope(which).id())),
                secs: *secs,
            }),
            Step::Close { mailbox, right } => Request::Close(Close {
                steward: if *right { steward() } else { StewardKey::from_bytes(&[6; 32]) },
                mailbox: keyed(*mailbox).hashes(),
            }),
            Step::Delete { mailbox, envelopes } => Request::Delete(Delete {
                by: DeleteBy::Key(keyed((Kind::Plain, *mailbox)).delete()),
                ids: ids(envelopes),
            }),
            Step::DeleteLeased { token, envelopes } => {
                Request::Delete(Delete { by: DeleteBy::Lease(self.token(*token)), ids: ids(envelopes) })
            }
            Step::Extend { token, secs } => {
                Request::Extend(Extend { token: self.token(*token), secs_from_claim: *secs })
            }
            Step::Fetch { from, max } => {
                let from = from.iter().map(|(mailbox, start)| FetchFrom {
                    mailbox: keyed(*mailbox).read(),
                    start: self.start(start),
                });
                Request::Fetch(Fetch { from: from.collect(), max: *max, wait_secs: 0 })
            }
            Step::Open { mailbox, days, quota, gated } => {
                let open = keyed(*mailbox).open(FIRST_DAY + *days);
                Request::Open(Open { quota: *quota, gated: *gated, ..open })
            }
            Step::Put { mailbox, class, envelope: which, steward: shown } => Request::Put(Put {
                to: keyed(*mailbox).write(),
                class: Class::parse(*class).expect("a class"),
                payment: if *shown { Payment::Steward(steward()) } else { Payment::None },
                envelope: envelope(*which),
            }),
            Step::Release { token } => Request::Release(self.token(*token)),
            Step::Status { mailbox, envelope: which } => {
                Request::Status(Status { mailbox: keyed(*mailbox).write(), ids: vec![envelope(*which).id()] })
            }
            Step::Crash | Step::Pass | Step::Wait { .. } => unreachable!("not a request"),
        }
    }
}

fn keyed((kind, number): (Kind, u32)) -> KeyedMailbox {
    KeyedMailbox::new(kind, number, PIN)
}

/// Every history begins with an open intake and log, else most of it would be refusals.
fn opened() -> Pair {
    let mut pair = Pair::new();
    for kind in [Kind::Intake, Kind::Log] {
        pair.ask(&Request::Open(keyed((kind, 0)).open(FIRST_DAY + 3))).expect("it opens");
    }
    pair
}

proptest! {
    #[test]
    fn the_relay_answers_every_history_as_the_model_does(steps in proptest::collection::vec(any_step(), 1..120)) {
        let mut pair = opened();
        for step in &steps {
            pair.step(step)?;
        }
    }
}

#[test]
fn the_histories_reach_every_kind_of_answer() {
    let mut runner = proptest::test_runner::TestRunner::deterministic();
    let history = proptest::collection::vec(any_step(), 100..120);
    let mut shapes = BTreeSet::new();
    for _ in 0..100 {
        let mut pair = opened();
        for step in history.new_tree(&mut runner).expect("a history").current() {
            pair.step(&step).expect("the model agrees");
        }
        shapes.append(&mut pair.seen);
    }
    let wanted = [
        "Claimed",
        "Closed",
        "Done",
        "Ended",
        "Extended",
        "Fetched",
        "Full",
        "Malformed",
        "Moved",
        "NotOpen",
        "Nothing",
        "Opened",
        "Refused",
        "Status",
        "Stored",
    ];
    assert_eq!(shapes.iter().map(String::as_str).collect::<Vec<_>>(), wanted);
}
