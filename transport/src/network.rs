//! The network that a peer's address lies in: the grain of fairness between strangers.

use std::net::{IpAddr, Ipv6Addr};

/// An IPv4 /24 or an IPv6 /48: what one subscriber or one small host can fill at no cost. `Debug` hides it.
#[derive(Clone, Copy, Eq, Ord, PartialEq, PartialOrd)]
pub struct Network(u64);

/// Marks IPv4, so that no IPv6 network is taken for one.
const V4: u64 = 1 << 63;

impl Network {
    /// The network of `address`. An IPv4 address written as IPv6 counts as IPv4.
    pub fn of(address: IpAddr) -> Self {
        match address.to_canonical() {
            IpAddr::V4(v4) => Self(V4 | u64::from(v4.to_bits() >> 8)),
            IpAddr::V6(v6) => Self(first_48_bits(v6)),
        }
    }
}

fn first_48_bits(address: Ipv6Addr) -> u64 {
    u64::try_from(address.to_bits() >> 80).expect("48 bits fit")
}

impl std::fmt::Debug for Network {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Network(..)")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn network(address: &str) -> Network {
        Network::of(address.parse().unwrap())
    }

    #[test]
    fn neighbours_share_a_network() {
        assert_eq!(network("192.0.2.1"), network("192.0.2.254"));
        assert_eq!(network("2001:db8:1::1"), network("2001:db8:1:ffff::2"));
    }

    #[test]
    fn strangers_do_not() {
        assert_ne!(network("192.0.2.1"), network("192.0.3.1"));
        assert_ne!(network("2001:db8:1::1"), network("2001:db8:2::1"));
        assert_ne!(network("0.0.0.1"), network("::1"));
    }

    #[test]
    fn a_mapped_address_is_its_ipv4_self() {
        assert_eq!(network("::ffff:192.0.2.7"), network("192.0.2.1"));
    }

    #[test]
    fn debug_tells_no_address() {
        assert_eq!(format!("{:?}", network("192.0.2.1")), "Network(..)");
    }
}
