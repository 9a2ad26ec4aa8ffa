//! Where a relay is: `host:port`, and with its pin a relay address `poterne-relay://host:port#pin`
//! (docs/spec/wire.md §8).
//!
//! Invariant: what was parsed prints as itself, apart from capitals in a host name and longer ways to write an IPv6
//! address, and parses again.

use core::fmt;
use core::net::{Ipv4Addr, Ipv6Addr};
use core::str::FromStr;

use base64ct::{Base64UrlUnpadded, Encoding};

use crate::keys::Pin;
use crate::limits::HOST_PORT_BYTES;

const SCHEME: &str = "poterne-relay://";
/// Letters of 16 bytes in base64url without padding.
const PIN_LETTERS: usize = 22;
/// Bytes between two dots of a host name at most (RFC 1035 §2.3.4).
const LABEL_BYTES: usize = 63;

/// Why a text is not a relay address. None of them quotes the text: it may have been a card or a passphrase.
#[derive(Clone, Copy, Debug, Eq, PartialEq, thiserror::Error)]
pub enum AddressError {
    /// The host is no name, IPv4 address or \[IPv6 address\].
    #[error("the host is neither a name nor an IP address")]
    Host,
    /// Longer than 255 bytes.
    #[error("host and port have {actual} bytes, at most 255 are allowed")]
    Length {
        /// Bytes of host and port.
        actual: usize,
    },
    /// No `#pin`, or not 22 letters of base64url.
    #[error("the pin behind # is missing or not 22 letters of base64url")]
    Pin,
    /// No port between 1 and 65535.
    #[error("the port is missing or not between 1 and 65535")]
    Port,
    /// It does not begin with `poterne-relay://`.
    #[error("a relay address begins with poterne-relay://")]
    Scheme,
}

/// The host of a relay.
#[derive(Clone, Debug, Eq, Hash, Ord, PartialEq, PartialOrd)]
pub enum Host {
    /// An IPv4 address.
    Ipv4(Ipv4Addr),
    /// An IPv6 address, in brackets when written.
    Ipv6(Ipv6Addr),
    /// A name of letters, digits, hyphens, underscores and dots, in lower case; other scripts as Punycode.
    Name(HostName),
}

/// A host name that was checked.
#[derive(Clone, Debug, Eq, Hash, Ord, PartialEq, PartialOrd)]
pub struct HostName(String);

impl HostName {
    /// The name in lower case.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    fn parse(text: &str) -> Result<Self, AddressError> {
        let is_label = |label: &str| {
            (1..=LABEL_BYTES).contains(&label.len())
                && !label.starts_with('-')
                && !label.ends_with('-')
                && label.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-' || byte == b'_')
        };
        let is_number = |label: &str| label.bytes().all(|byte| byte.is_ascii_digit());
        let labels = || text.split('.');
        // A last label of digits alone would be an IPv4 address that some resolvers read and others don't.
        if labels().all(is_label) && !labels().next_back().is_some_and(is_number) {
            Ok(Self(text.to_ascii_lowercase()))
        } else {
            Err(AddressError::Host)
        }
    }
}

/// Host and port, at most 255 bytes when written.
#[derive(Clone, Debug, Eq, Hash, Ord, PartialEq, PartialOrd)]
pub struct HostPort {
    host: Host,
    port: u16,
}

impl HostPort {
    /// The host.
    pub fn host(&self) -> &Host {
        &self.host
    }

    /// The port, UDP and TCP, 1–65535.
    pub fn port(&self) -> u16 {
        self.port
    }
}

impl FromStr for HostPort {
    type Err = AddressError;

    fn from_str(text: &str) -> Result<Self, AddressError> {
        if text.len() > HOST_PORT_BYTES {
            return Err(AddressError::Length { actual: text.len() });
        }
        let (host, port) = text.rsplit_once(':').ok_or(AddressError::Port)?;
        Ok(Self { host: parse_host(host)?, port: parse_port(port)? })
    }
}

fn parse_host(text: &str) -> Result<Host, AddressError> {
    if let Some(inner) = text.strip_prefix('[') {
        let inner = inner.strip_suffix(']').ok_or(AddressError::Host)?;
        return inner.parse().map(Host::Ipv6).map_err(|_| AddressError::Host);
    }
    match text.parse() {
        Ok(address) => Ok(Host::Ipv4(address)),
        Err(_) => HostName::parse(text).map(Host::Name),
    }
}

/// Digits only and no zero in front: one way to write each port.
fn parse_port(text: &str) -> Result<u16, AddressError> {
    let is_plain = text.bytes().all(|byte| byte.is_ascii_digit()) && !text.starts_with('0');
    text.parse().ok().filter(|_| is_plain).ok_or(AddressError::Port)
}

impl fmt::Display for HostPort {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.host {
            Host::Ipv4(address) => write!(f, "{address}:{}", self.port),
            Host::Ipv6(address) => write!(f, "[{address}]:{}", self.port),
            Host::Name(name) => write!(f, "{}:{}", name.0, self.port),
        }
    }
}

/// A relay and where to find it. The pin says which relay it is; the host only where to knock.
#[derive(Clone, Debug, Eq, Hash, Ord, PartialEq, PartialOrd)]
pub struct RelayAddress {
    /// Where to knock.
    pub at: HostPort,
    /// Who must answer.
    pub pin: Pin,
}

impl FromStr for RelayAddress {
    type Err = AddressError;

    fn from_str(text: &str) -> Result<Self, AddressError> {
        let rest = text.strip_prefix(SCHEME).ok_or(AddressError::Scheme)?;
        let (at, pin) = rest.split_once('#').ok_or(AddressError::Pin)?;
        Ok(Self { at: at.parse()?, pin: parse_pin(pin)? })
    }
}

fn parse_pin(text: &str) -> Result<Pin, AddressError> {
    let mut pin = [0; 16];
    if text.len() != PIN_LETTERS {
        return Err(AddressError::Pin);
    }
    // Refuses letters that set bits behind the 16th byte, so a pin has one spelling.
    Base64UrlUnpadded::decode(text, &mut pin).map_err(|_| AddressError::Pin)?;
    Ok(Pin(pin))
}

impl fmt::Display for RelayAddress {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{SCHEME}{}#{}", self.at, Base64UrlUnpadded::encode_string(&self.pin.0))
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const PIN: &str = "AAECAwQFBgcICQoLDA0ODw";

    fn address(at: &str) -> Result<RelayAddress, AddressError> {
        format!("poterne-relay://{at}#{PIN}").parse()
    }

    #[test]
    fn an_address_is_scheme_host_port_and_pin() {
        let text = "poterne-relay://relay.example.org:443#AAECAwQFBgcICQoLDA0ODw";
        let address: RelayAddress = text.parse().unwrap();
        assert_eq!(address.pin, Pin(core::array::from_fn(|index| u8::try_from(index).unwrap())));
        assert_eq!(address.at.port(), 443);
        assert!(matches!(address.at.host(), Host::Name(name) if name.as_str() == "relay.example.org"));
        assert_eq!(address.to_string(), text);
    }

    #[test]
    fn hosts_are_names_or_ip_addresses() {
        let written = |at| address(at).map(|address| address.at.to_string());
        for at in [
            "127.0.0.1:4433",
            "[::1]:4433",
            "[2001:db8::1]:1",
            "localhost:65535",
            "a_b.xn--e1afmkfd.onion:80",
        ] {
            assert_eq!(written(at).as_deref(), Ok(at));
        }
        assert_eq!(written("Relay.Example:443").as_deref(), Ok("relay.example:443"));
        assert_eq!(written("[2001:DB8:0:0::1]:1").as_deref(), Ok("[2001:db8::1]:1"));
    }

    #[test]
    fn other_hosts_are_refused() {
        let long_label = format!("{}:1", "a".repeat(64));
        for at in [":1", "1.2.3:1", "1.2.3.4.5:1", "::1:1", "[::1:1", "[1.2.3.4]:1", "a..b:1", ".a:1", "a.:1"]
        {
            assert_eq!(address(at), Err(AddressError::Host), "{at}");
        }
        for at in ["-a:1", "a-:1", "a b:1", "пример:1", "a/b:1", "user@host:1", "01.2.3.4:1", &long_label]
        {
            assert_eq!(address(at), Err(AddressError::Host), "{at}");
        }
    }

    #[test]
    fn a_port_is_a_number_with_one_spelling() {
        for at in
            ["host", "host:", "host:0", "host:65536", "host:+1", "host:01", "host: 1", "host:1 ", "host:x"]
        {
            assert_eq!(address(at), Err(AddressError::Port), "{at}");
        }
    }

    #[test]
    fn a_pin_has_22_letters_and_one_spelling() {
        let with_pin = |pin: &str| format!("poterne-relay://h:1#{pin}").parse::<RelayAddress>();
        assert!(with_pin(PIN).is_ok());
        // The last of these sets bits behind the 16th byte.
        for pin in
            ["", "AAAA", "AAECAwQFBgcICQoLDA0ODw==", "AAECAwQFBgcICQoLDA0OD+", "AAECAwQFBgcICQoLDA0ODx"]
        {
            assert_eq!(with_pin(pin), Err(AddressError::Pin), "{pin}");
        }
        assert_eq!("poterne-relay://h:1".parse::<RelayAddress>(), Err(AddressError::Pin));
    }

    #[test]
    fn another_scheme_is_refused() {
        for text in ["", "h:1", "https://h:1#AAECAwQFBgcICQoLDA0ODw", "poterne:AAAA"] {
            assert_eq!(text.parse::<RelayAddress>(), Err(AddressError::Scheme));
        }
    }

    #[test]
    fn host_and_port_have_at_most_255_bytes() {
        let at = |bytes: usize| format!("{}a:1", "a.".repeat((bytes - 3) / 2));
        assert!(address(&at(255)).is_ok());
        assert_eq!(address(&at(257)), Err(AddressError::Length { actual: 257 }));
    }

    proptest! {
        #[test]
        fn a_parser_survives_any_input_and_what_it_takes_prints_as_itself(text in "(poterne-relay://)?[a-zA-Z0-9.:#/\\[\\]_-]{0,60}|\\PC{0,40}") {
            if let Ok(address) = text.parse::<RelayAddress>() {
                prop_assert_eq!(address.to_string().parse::<RelayAddress>(), Ok(address));
            }
            if let Ok(at) = text.parse::<HostPort>() {
                prop_assert_eq!(at.to_string().parse::<HostPort>(), Ok(at));
            }
        }
    }
}
