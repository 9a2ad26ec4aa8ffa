//! Who may come in: handshakes under way, connections in all and by network.
//!
//! Invariant: each place that was given out is given back exactly once, when its guard is dropped.

use std::collections::BTreeMap;
use std::net::IpAddr;
use std::sync::{Arc, Mutex, MutexGuard};

use super::Limits;
use crate::network::Network;

/// Why a connection does not come in.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum Refusal {
    /// There is no room.
    Full,
    /// Many handshakes are under way: the client must show that its address is its own (RFC 9000 §8.1.2).
    ProveAddress,
}

/// The count of what is inside.
pub(super) struct Admission {
    limits: Limits,
    inside: Arc<Mutex<Inside>>,
}

#[derive(Default)]
struct Inside {
    connections: usize,
    handshakes: usize,
    by_network: BTreeMap<Network, usize>,
}

/// A connection's place; dropping it gives it back.
pub(super) struct Place {
    network: Network,
    in_handshake: bool,
    inside: Arc<Mutex<Inside>>,
}

impl Admission {
    pub(super) fn new(limits: &Limits) -> Self {
        Self { limits: *limits, inside: Arc::default() }
    }

    /// Takes a place for a connection whose handshake begins.
    pub(super) fn admit(&self, address: IpAddr, is_validated: bool) -> Result<Place, Refusal> {
        let network = Network::of(address);
        let mut inside = lock(&self.inside);
        self.judge(&inside, network, is_validated)?;
        inside.connections += 1;
        inside.handshakes += 1;
        *inside.by_network.entry(network).or_default() += 1;
        Ok(Place { network, in_handshake: true, inside: self.inside.clone() })
    }

    fn judge(&self, inside: &Inside, network: Network, is_validated: bool) -> Result<(), Refusal> {
        let own = inside.by_network.get(&network).copied().unwrap_or(0);
        let own_limit = match self.limits.connections_per_network {
            0 => usize::MAX,
            limit => limit,
        };
        let full = inside.connections >= self.limits.connections
            || own >= own_limit
            || inside.handshakes >= 2 * self.limits.handshakes;
        if full {
            return Err(Refusal::Full);
        }
        if inside.handshakes >= self.limits.handshakes && !is_validated {
            return Err(Refusal::ProveAddress);
        }
        Ok(())
    }
}

impl Place {
    /// The network that the place counts for.
    pub(super) fn network(&self) -> Network {
        self.network
    }

    /// The handshake is over.
    pub(super) fn has_shaken_hands(&mut self) {
        self.in_handshake = false;
        lock(&self.inside).handshakes -= 1;
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        let mut inside = lock(&self.inside);
        inside.connections -= 1;
        inside.handshakes -= usize::from(self.in_handshake);
        let own = inside.by_network.get_mut(&self.network).expect("a place counts for its network");
        *own -= 1;
        if *own == 0 {
            inside.by_network.remove(&self.network);
        }
    }
}

fn lock(inside: &Mutex<Inside>) -> MutexGuard<'_, Inside> {
    inside.lock().expect("nothing panics while it counts")
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    fn admission(connections: usize, connections_per_network: usize, handshakes: usize) -> Admission {
        Admission::new(&Limits {
            answer_pages: 512,
            channel_threads: 1,
            channels_per_connection: 1,
            channels_waiting: 1,
            connections,
            connections_per_network,
            handshakes,
            idle: Duration::from_secs(60),
            request_kib: 512,
            requests_per_channel: 1,
        })
    }

    fn enter(admission: &Admission, network: u8, is_validated: bool) -> Result<Place, Refusal> {
        admission.admit(IpAddr::from([192, 0, network, 1]), is_validated)
    }

    #[test]
    fn a_place_is_free_again_when_its_connection_ends() {
        let admission = admission(1, 0, 8);
        let place = enter(&admission, 1, false).unwrap();
        assert_eq!(enter(&admission, 2, false).err(), Some(Refusal::Full));
        drop(place);
        assert!(enter(&admission, 2, false).is_ok());
        assert!(lock(&admission.inside).by_network.is_empty());
    }

    #[test]
    fn one_network_cannot_take_all_places() {
        let admission = admission(10, 2, 8);
        let _places = [enter(&admission, 1, false).unwrap(), enter(&admission, 1, false).unwrap()];
        assert_eq!(enter(&admission, 1, false).err(), Some(Refusal::Full));
        assert!(enter(&admission, 2, false).is_ok());
    }

    #[test]
    fn many_half_open_handshakes_make_clients_prove_their_address() {
        let admission = admission(10, 0, 1);
        let mut first = enter(&admission, 1, false).unwrap();
        assert_eq!(enter(&admission, 2, false).err(), Some(Refusal::ProveAddress));
        let _second = enter(&admission, 2, true).unwrap();
        assert_eq!(enter(&admission, 3, true).err(), Some(Refusal::Full));
        first.has_shaken_hands();
        assert!(enter(&admission, 3, true).is_ok());
    }
}
