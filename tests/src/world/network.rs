//! What the network and the machines do to those who rely on them.

use rand_chacha::ChaCha20Rng;
use rand_chacha::rand_core::Rng;

/// How bad it is. Chances are in thousandths, for each request and each answer on its own.
#[derive(Clone, Copy, Debug)]
pub struct Weather {
    /// How many are lost.
    pub lost_permille: u64,
    /// How many arrive twice.
    pub doubled_permille: u64,
    /// Milliseconds that each takes at most; those that take longer are overtaken.
    pub delay_ms: u64,
    /// Seconds between two crashes of a relay on average; 0: none.
    pub relay_crash_every_secs: u64,
    /// Seconds between two crashes of an actor on average; 0: none.
    pub actor_crash_every_secs: u64,
}

impl Weather {
    /// Nothing is lost, nobody crashes.
    pub const CALM: Self = Self {
        lost_permille: 0,
        doubled_permille: 0,
        delay_ms: 50,
        relay_crash_every_secs: 0,
        actor_crash_every_secs: 0,
    };

    /// One in ten is lost, one in twenty doubled; delays of up to five seconds; crashes every few minutes.
    pub const STORM: Self = Self {
        lost_permille: 100,
        doubled_permille: 50,
        delay_ms: 5000,
        relay_crash_every_secs: 120,
        actor_crash_every_secs: 300,
    };

    /// After how many milliseconds one thing that is sent arrives: never, once, or twice.
    pub(super) fn travel(&self, dice: &mut ChaCha20Rng) -> Vec<u64> {
        let (lost, doubled) = (dice.next_u64() % 1000, dice.next_u64() % 1000);
        let delays = [1 + dice.next_u64() % self.delay_ms, 1 + dice.next_u64() % self.delay_ms];
        let copies = match (lost < self.lost_permille, doubled < self.doubled_permille) {
            (true, _) => 0,
            (false, false) => 1,
            (false, true) => 2,
        };
        delays[..copies].to_vec()
    }
}
