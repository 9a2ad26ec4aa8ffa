//! What a run leaves behind: how much happened, and one hash over all of it in order.

use poterne_protocol::kdf;

use super::{Event, Moment};
use crate::model;

/// The fingerprint of a run.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct Trace {
    /// How many events there were.
    pub events: u64,
    /// A hash over each of them.
    pub hash: [u8; 32],
}

impl Trace {
    pub(super) fn note(&mut self, at: Moment, event: &Event) {
        let text = match event {
            Event::AnswerArrives(caller, answer) => format!("{caller:?} gets {}", model::shape(answer)),
            Event::RequestArrives(pin, caller, request) => {
                format!("{caller:?} asks {pin:?} for {}", model::number(request))
            }
            other => format!("{other:?}"),
        };
        self.events += 1;
        self.hash = kdf::hash(&[&self.hash, &at.0.to_le_bytes(), text.as_bytes()]);
    }
}
