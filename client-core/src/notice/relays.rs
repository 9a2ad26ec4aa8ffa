//! The relay table of a notice (docs/spec/notice.md §4).
//!
//! A relay's number belongs to one pin for ever; 0 means none. Invariant: at most 8 relays, numbers and pins distinct.

use poterne_protocol::codec::{DecodeError, Reader, Writer};
use poterne_protocol::keys::{KeyHash, Pin};

/// Relays of a desk at most.
pub const RELAYS_MAX: usize = 8;
/// Addresses of one relay at most.
pub const ADDRESSES_MAX: usize = 8;

/// One relay of a desk.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct RelayEntry {
    /// 1–255, for ever this pin's.
    pub number: u8,
    /// The relay.
    pub pin: Pin,
    /// Relays with one number here are run by one operator.
    pub operator: u16,
    /// H(read_r) of the epoch's intake at this relay.
    pub intake_read: KeyHash,
    /// H(write_r) of the notice log at this relay.
    pub log_write: KeyHash,
    /// Where it can be reached, the best first.
    pub addresses: Vec<Address>,
}

/// One way to a relay. Kinds that this build does not know are kept, so that a head keeps its bytes.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Address {
    /// 0: host:port.
    pub kind: u8,
    /// At most 255 bytes; for kind 0 UTF-8.
    pub value: Vec<u8>,
}

impl Address {
    /// Kind 0: `host:port`.
    pub const HOST_PORT: u8 = 0;

    /// An address of kind 0.
    pub fn host_port(text: &str) -> Self {
        Self { kind: Self::HOST_PORT, value: text.as_bytes().to_vec() }
    }

    /// The `host:port` of an address of kind 0.
    pub fn as_host_port(&self) -> Option<&str> {
        (self.kind == Self::HOST_PORT).then(|| core::str::from_utf8(&self.value).ok()).flatten()
    }
}

/// Where the relay of that pin can be reached, as some entries tell.
pub(crate) fn hosts<'a>(
    entries: impl IntoIterator<Item = &'a RelayEntry>,
    pin: &Pin,
) -> impl Iterator<Item = String> {
    let of_relay = entries.into_iter().filter(|entry| entry.pin == *pin);
    of_relay.flat_map(|entry| &entry.addresses).filter_map(|at| at.as_host_port()).map(str::to_owned)
}

impl RelayEntry {
    fn write(&self, writer: &mut Writer) {
        writer.u8(self.number).put(&self.pin.0).u16(self.operator);
        writer.put(&self.intake_read.0).put(&self.log_write.0);
        writer.u8(u8::try_from(self.addresses.len()).expect("a relay has at most 8 addresses"));
        for Address { kind, value } in &self.addresses {
            let length = u8::try_from(value.len()).expect("an address is at most 255 bytes long");
            writer.u8(*kind).u8(length).put(value);
        }
    }

    fn read(reader: &mut Reader) -> Result<Self, DecodeError> {
        Ok(Self {
            number: reader.u8()?,
            pin: Pin(reader.array()?),
            operator: reader.u16()?,
            intake_read: KeyHash(reader.array()?),
            log_write: KeyHash(reader.array()?),
            addresses: read_addresses(reader)?,
        })
    }
}

fn read_addresses(reader: &mut Reader) -> Result<Vec<Address>, DecodeError> {
    let count = usize::from(reader.u8()?);
    if count > ADDRESSES_MAX {
        return Err(DecodeError::Invalid { field: "addresses" });
    }
    (0..count)
        .map(|_| {
            let (kind, length) = (reader.u8()?, reader.u8()?);
            Ok(Address { kind, value: reader.bytes(length.into())?.to_vec() })
        })
        .collect()
}

pub(crate) fn write(relays: &[RelayEntry], writer: &mut Writer) {
    writer.u8(u8::try_from(relays.len()).expect("a notice has at most 8 relays"));
    relays.iter().for_each(|relay| relay.write(writer));
}

pub(crate) fn read(reader: &mut Reader) -> Result<Vec<RelayEntry>, DecodeError> {
    let count = usize::from(reader.u8()?);
    if count > RELAYS_MAX {
        return Err(DecodeError::Invalid { field: "relays" });
    }
    let relays = (0..count).map(|_| RelayEntry::read(reader)).collect::<Result<Vec<_>, _>>()?;
    if are_distinct(&relays) { Ok(relays) } else { Err(DecodeError::Invalid { field: "relays" }) }
}

/// Whether numbers and pins are distinct and no number is 0.
pub(crate) fn are_distinct(relays: &[RelayEntry]) -> bool {
    relays.iter().enumerate().all(|(place, relay)| {
        relay.number != 0
            && relays[..place].iter().all(|other| other.number != relay.number && other.pin != relay.pin)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn entry(number: u8, pin: u8) -> RelayEntry {
        RelayEntry {
            number,
            pin: Pin([pin; 16]),
            operator: 5,
            intake_read: KeyHash([6; 32]),
            log_write: KeyHash([7; 32]),
            addresses: vec![Address::host_port("a.example:1"), Address { kind: 9, value: vec![0xff] }],
        }
    }

    fn read_back(relays: &[RelayEntry]) -> Result<Vec<RelayEntry>, DecodeError> {
        let mut writer = Writer::default();
        write(relays, &mut writer);
        read(&mut Reader::new(writer.as_slice()))
    }

    #[test]
    fn a_table_keeps_addresses_of_every_kind_and_gives_those_that_can_be_dialled() {
        let relays = vec![entry(1, 1), entry(2, 2)];
        assert_eq!(read_back(&relays), Ok(relays.clone()));
        assert!(hosts(&relays, &Pin([2; 16])).eq(["a.example:1"]));
        assert!(hosts(&relays, &Pin([3; 16])).next().is_none());
        assert_eq!(relays[0].addresses[1].as_host_port(), None);
    }

    #[test]
    fn numbers_and_pins_are_distinct_and_no_number_is_0() {
        let refused = Err(DecodeError::Invalid { field: "relays" });
        for relays in [[entry(1, 1), entry(1, 2)], [entry(1, 1), entry(2, 1)], [entry(0, 1), entry(2, 2)]] {
            assert_eq!(read_back(&relays), refused);
        }
    }

    #[test]
    fn a_table_has_at_most_8_relays_and_a_relay_8_addresses() {
        let relays: Vec<RelayEntry> = (1..=9).map(|number| entry(number, number)).collect();
        assert!(read_back(&relays[..8]).is_ok());
        assert_eq!(read_back(&relays), Err(DecodeError::Invalid { field: "relays" }));
        let addresses = vec![Address::host_port("a.example:1"); 9];
        let wide = [RelayEntry { addresses, ..entry(1, 1) }];
        assert_eq!(read_back(&wide), Err(DecodeError::Invalid { field: "addresses" }));
    }
}
