//! The client's rule: the highest day seen from a pin, never a lower one.
//!
//! An old descriptor would have a client encapsulate to a key that was perhaps seized since. The client does not judge
//! the day by its own clock, which may be wrong by years.

use super::VerifiedDescriptor;
use crate::time::Day;

/// A descriptor of an earlier day than one that was seen already. It is not used.
#[derive(Clone, Copy, Debug, Eq, PartialEq, thiserror::Error)]
#[error("the relay's descriptor is of day {day}, one of day {highest} was seen before")]
pub struct Older {
    /// The day that it tells.
    pub day: Day,
    /// The highest day seen.
    pub highest: Day,
}

/// The newest descriptor of one relay.
#[derive(Clone, Debug, Default)]
pub struct NewestDescriptor {
    highest: Option<Day>,
    current: Option<VerifiedDescriptor>,
}

impl NewestDescriptor {
    /// Nothing is held, and descriptors before `highest` are refused: what a client keeps between two starts.
    pub fn since(highest: Day) -> Self {
        Self { highest: Some(highest), current: None }
    }

    /// Takes a descriptor unless it is of an earlier day. One of the same day replaces the former: a relay that lost its
    /// keys makes new ones.
    ///
    /// # Panics
    /// Where it is another relay's than the one held.
    pub fn take(&mut self, descriptor: VerifiedDescriptor) -> Result<&VerifiedDescriptor, Older> {
        let same_relay = self.current.as_ref().is_none_or(|current| current.pin() == descriptor.pin());
        assert!(same_relay, "each relay has a NewestDescriptor of its own");
        let day = descriptor.descriptor().day;
        match self.highest {
            Some(highest) if day < highest => Err(Older { day, highest }),
            _ => {
                self.highest = Some(day);
                Ok(self.current.insert(descriptor))
            }
        }
    }

    /// The newest descriptor, once there is one.
    pub fn current(&self) -> Option<&VerifiedDescriptor> {
        self.current.as_ref()
    }

    /// The highest day seen, for the next start.
    pub fn highest(&self) -> Option<Day> {
        self.highest
    }
}
