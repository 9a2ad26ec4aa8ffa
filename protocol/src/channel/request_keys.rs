//! The relay's request keys: one for each UTC day; today's and yesterday's decrypt, older ones are erased.

use rand_core::CryptoRng;

use crate::kem::{KemPublic, KemSecret};
use crate::keys::Pin;
use crate::time::Day;

/// The request keys that a relay holds.
///
/// Invariant: at most two keys, of two days that follow one another; what falls out is wiped.
#[derive(Debug)]
pub struct RequestKeys {
    pin: Pin,
    today: (Day, KemSecret),
    yesterday: Option<KemSecret>,
}

impl RequestKeys {
    /// A relay's keys, with a first one of `day`: fresh, or kept from before a restart.
    pub fn new(pin: Pin, day: Day, secret: KemSecret) -> Self {
        Self { pin, today: (day, secret), yesterday: None }
    }

    /// Adds the kept key of the day before the newest.
    pub fn with_yesterday(self, secret: KemSecret) -> Self {
        Self { yesterday: Some(secret), ..self }
    }

    /// Makes the key of `day` and erases those of days before yesterday. Does nothing where that day, or a later one,
    /// has begun already: a clock that goes back brings no key back. Tells whether there is a new key to sign.
    pub fn rotate(&mut self, day: Day, rng: &mut impl CryptoRng) -> bool {
        if day <= self.today.0 {
            return false;
        }
        let (former_day, former) = core::mem::replace(&mut self.today, (day, KemSecret::generate(rng)));
        self.yesterday = (former_day + 1 == day).then_some(former);
        true
    }

    /// Whose keys these are.
    pub fn pin(&self) -> &Pin {
        &self.pin
    }

    /// The newest day and its public key, for the descriptor.
    pub fn newest(&self) -> (Day, KemPublic) {
        (self.today.0, self.today.1.public())
    }

    /// The secret key of a day, for decapsulating and for keeping it over a restart.
    pub fn secret(&self, day: Day) -> Option<&KemSecret> {
        if day == self.today.0 {
            Some(&self.today.1)
        } else if day + 1 == self.today.0 {
            self.yesterday.as_ref()
        } else {
            None
        }
    }
}
