//! A reference model of a relay: what docs/spec/relay.md says, in the plainest way, sharing no code with the rules.
//!
//! It never forgets: each mailbox is the list of all that was ever put into it, with when it came and how it went, and
//! every question is answered by looking through that list. Nothing here is fast, compact or durable.
//!
//! [`Model::expect`] takes a request and the relay's answer to it, checks the one against the other, and remembers what
//! the answer means. What a relay chooses freely, tokens and cursors, the model learns from the answer.

mod expect;
mod mailbox;

use std::collections::BTreeMap;

use poterne_protocol::mailbox::MailboxId;
use poterne_protocol::op::{Answer, LeaseToken, Request};
use poterne_protocol::time::UnixTime;

pub use mailbox::Mailbox;

/// The answer is not what the specification says.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Disagreement {
    /// Number of the operation.
    pub op: u8,
    /// What the model expected.
    pub expected: String,
    /// What the relay answered.
    pub answered: String,
}

/// Every mailbox that a relay should hold.
#[derive(Clone, Debug, Default)]
pub struct Model {
    mailboxes: BTreeMap<MailboxId, Mailbox>,
    /// Which mailbox and claim got a token.
    tokens: BTreeMap<LeaseToken, (MailboxId, usize)>,
    /// Where a cursor stands: behind how many arrivals of which mailbox.
    cursors: BTreeMap<[u8; 16], (MailboxId, usize)>,
}

impl Model {
    /// Checks an answer and learns from it.
    pub fn expect(&mut self, request: &Request, answer: &Answer, now: UnixTime) -> Result<(), Disagreement> {
        let expected = self.decide(request, answer, now);
        if expected == shape(answer) {
            Ok(())
        } else {
            Err(Disagreement { op: number(request), expected, answered: shape(answer) })
        }
    }

    /// Takes a request whose answer nobody will see but whose changes are on the disk.
    pub fn assume(&mut self, request: &Request, now: UnixTime) {
        self.decide(request, &Answer::ReadOnly, now);
    }

    /// The mailbox of that id.
    pub fn mailbox(&self, id: &MailboxId) -> Option<&Mailbox> {
        self.mailboxes.get(id)
    }
}

/// An answer without what the relay chooses freely. Two answers mean the same if their shapes are equal.
pub fn shape(answer: &Answer) -> String {
    match answer {
        Answer::Claimed(claimed) => {
            let id = hex(&claimed.envelope.id().0);
            format!("claimed {id} number {} left {}", claimed.number, claimed.secs_left)
        }
        Answer::Fetched(fetched) => fetched
            .iter()
            .map(|fetched| {
                let ids: Vec<String> =
                    fetched.envelopes.iter().map(|envelope| hex(&envelope.id().0)).collect();
                format!("[{} more {}]", ids.join(" "), fetched.more)
            })
            .collect(),
        Answer::Busy { .. } => "busy".into(),
        Answer::Hello(_) => "hello".into(),
        other => format!("{other:?}"),
    }
}

/// The number of a request's operation.
pub fn number(request: &Request) -> u8 {
    match request {
        Request::Hello => 1,
        Request::Put(_) => 2,
        Request::Fetch(_) => 3,
        Request::Claim(_) => 4,
        Request::Extend(_) => 5,
        Request::Release(_) => 6,
        Request::Delete(_) => 7,
        Request::Open(_) => 8,
        Request::Close(_) => 9,
        Request::Status(_) => 10,
        Request::Unknown(number) => *number,
    }
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}
