//! Who lives in a world: anything that calls relays, keeps time by being told, and can crash.
//!
//! It has the shape of the real client machines: answers and timeouts go in, calls come out. What an actor saves it
//! keeps for itself, and a crash takes from it all that it has not saved.

use poterne_protocol::keys::Pin;
use poterne_protocol::op::{Answer, Request};
use poterne_protocol::time::UnixTime;
use rand_chacha::ChaCha20Rng;

/// A request on its way to a relay.
#[derive(Clone, Debug)]
pub struct Call {
    /// By which the actor knows the answer.
    pub number: u64,
    /// Which relay.
    pub relay: Pin,
    /// What is asked.
    pub request: Request,
}

/// Somebody in a world.
pub trait Actor {
    /// The moment of [`Actor::poll_timeout`] has come, or the actor has just been added.
    fn handle_timeout(&mut self, now: UnixTime, dice: &mut ChaCha20Rng);

    /// A call was answered, or was given up without an answer: then nobody knows what became of it.
    fn handle_answer(&mut self, call: u64, answer: Option<Answer>, now: UnixTime, dice: &mut ChaCha20Rng);

    /// The next call to make.
    fn poll_call(&mut self, now: UnixTime, dice: &mut ChaCha20Rng) -> Option<Call>;

    /// When [`Actor::handle_timeout`] next has work to do.
    fn poll_timeout(&self) -> Option<UnixTime>;

    /// The process ends without warning and is started again. Answers to its calls will not come.
    fn crash(&mut self, now: UnixTime, dice: &mut ChaCha20Rng);
}
