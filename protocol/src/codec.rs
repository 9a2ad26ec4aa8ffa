//! Reading and writing the fixed layouts of the protocol (docs/spec/wire.md §1).
//!
//! Integers are little-endian. A [`Reader`] never reads past its input and never allocates by a length that
//! came from outside; a [`Writer`] only appends.

use zeroize::{Zeroize, Zeroizing};

/// Why some bytes are not what they should be.
#[derive(Clone, Copy, Debug, Eq, PartialEq, thiserror::Error)]
pub enum DecodeError {
    /// A check value over the bytes before it does not hold.
    #[error("the check value is wrong")]
    Check,
    /// A field holds a value that its definition excludes.
    #[error("field `{field}` holds a value that is not allowed")]
    Invalid {
        /// The name of the field in the spec.
        field: &'static str,
    },
    /// There are bytes after the last field.
    #[error("{extra} bytes are left over")]
    TooLong {
        /// How many bytes are left over.
        extra: usize,
    },
    /// The input ends inside a field.
    #[error("{missing} bytes are missing")]
    TooShort {
        /// How many bytes are missing at least.
        missing: usize,
    },
    /// A type or operation that must be understood, and is not.
    #[error("unknown type {value}")]
    UnknownType {
        /// The number that stands in the field.
        value: u8,
    },
    /// The first bytes name a version or suite that this build does not speak.
    #[error("unknown version {version}")]
    Version {
        /// The version that stands in the field.
        version: u8,
    },
}

/// Walks over a byte string from its beginning to its end.
#[derive(Clone, Debug)]
pub struct Reader<'a> {
    rest: &'a [u8],
}

impl<'a> Reader<'a> {
    /// Starts at the first byte of `bytes`.
    pub fn new(bytes: &'a [u8]) -> Self {
        Self { rest: bytes }
    }

    /// The next `count` bytes.
    pub fn bytes(&mut self, count: usize) -> Result<&'a [u8], DecodeError> {
        if count > self.rest.len() {
            return Err(DecodeError::TooShort { missing: count - self.rest.len() });
        }
        let (taken, rest) = self.rest.split_at(count);
        self.rest = rest;
        Ok(taken)
    }

    /// The next `N` bytes.
    pub fn array<const N: usize>(&mut self) -> Result<[u8; N], DecodeError> {
        self.bytes(N).map(|taken| taken.try_into().expect("bytes(N) returns N bytes"))
    }

    /// One byte.
    pub fn u8(&mut self) -> Result<u8, DecodeError> {
        self.array::<1>().map(|[byte]| byte)
    }

    /// Two bytes, little-endian.
    pub fn u16(&mut self) -> Result<u16, DecodeError> {
        self.array().map(u16::from_le_bytes)
    }

    /// Three bytes, little-endian.
    pub fn u24(&mut self) -> Result<u32, DecodeError> {
        self.array::<3>().map(|[a, b, c]| u32::from_le_bytes([a, b, c, 0]))
    }

    /// Four bytes, little-endian.
    pub fn u32(&mut self) -> Result<u32, DecodeError> {
        self.array().map(u32::from_le_bytes)
    }

    /// Eight bytes, little-endian.
    pub fn u64(&mut self) -> Result<u64, DecodeError> {
        self.array().map(u64::from_le_bytes)
    }

    /// A byte string behind its u16 length, of at most `max` bytes.
    pub fn var(&mut self, max: usize, field: &'static str) -> Result<&'a [u8], DecodeError> {
        let length = usize::from(self.u16()?);
        if length > max {
            return Err(DecodeError::Invalid { field });
        }
        self.bytes(length)
    }

    /// How many bytes are left.
    pub fn remaining(&self) -> usize {
        self.rest.len()
    }

    /// All that is left, as {type u8, length u16, value} entries. `take` is given each and says whether it knows the
    /// type. Of the types that it does not know odd ones are skipped, even ones are an error.
    pub fn tlvs(
        mut self,
        mut take: impl FnMut(u8, &'a [u8]) -> Result<bool, DecodeError>,
    ) -> Result<(), DecodeError> {
        while self.remaining() > 0 {
            let kind = self.u8()?;
            let value = self.var(usize::from(u16::MAX), "TLV")?;
            if !take(kind, value)? && kind % 2 == 0 {
                return Err(DecodeError::UnknownType { value: kind });
            }
        }
        Ok(())
    }

    /// All that is left.
    pub fn rest(&mut self) -> &'a [u8] {
        core::mem::take(&mut self.rest)
    }

    /// Ends the reading; bytes that are left over are an error.
    pub fn finish(self) -> Result<(), DecodeError> {
        match self.rest.len() {
            0 => Ok(()),
            extra => Err(DecodeError::TooLong { extra }),
        }
    }
}

/// Appends fields to a byte string. What was written is wiped on drop unless it was taken out.
#[derive(Default)]
pub struct Writer {
    bytes: Vec<u8>,
}

impl Writer {
    /// An empty writer with room for `capacity` bytes, so that a secret is not left behind by growth.
    pub fn with_capacity(capacity: usize) -> Self {
        Self { bytes: Vec::with_capacity(capacity) }
    }

    /// Appends one byte.
    pub fn u8(&mut self, value: u8) -> &mut Self {
        self.put(&[value])
    }

    /// Appends two bytes, little-endian.
    pub fn u16(&mut self, value: u16) -> &mut Self {
        self.put(&value.to_le_bytes())
    }

    /// Appends three bytes, little-endian. `value` is below 2^24.
    pub fn u24(&mut self, value: u32) -> &mut Self {
        debug_assert!(value < 1 << 24, "a u24 holds less than 2^24");
        self.put(&value.to_le_bytes()[..3])
    }

    /// Appends four bytes, little-endian.
    pub fn u32(&mut self, value: u32) -> &mut Self {
        self.put(&value.to_le_bytes())
    }

    /// Appends eight bytes, little-endian.
    pub fn u64(&mut self, value: u64) -> &mut Self {
        self.put(&value.to_le_bytes())
    }

    /// Appends the bytes as they are.
    pub fn put(&mut self, bytes: &[u8]) -> &mut Self {
        self.bytes.extend_from_slice(bytes);
        self
    }

    /// Appends a byte string behind its u16 length. `bytes` is at most 65,535 bytes long.
    pub fn var(&mut self, bytes: &[u8]) -> &mut Self {
        let length = u16::try_from(bytes.len()).expect("a variable field is at most 65,535 bytes long");
        self.u16(length).put(bytes)
    }

    /// Appends one entry of a TLV list. `value` is at most 65,535 bytes long.
    pub fn tlv(&mut self, kind: u8, value: &[u8]) -> &mut Self {
        self.u8(kind).var(value)
    }

    /// Appends zeros up to a total length of `length` bytes.
    pub fn pad_to(&mut self, length: usize) -> &mut Self {
        assert!(self.bytes.len() <= length, "a layout is never longer than its padded size");
        self.bytes.resize(length, 0);
        self
    }

    /// How many bytes have been written.
    pub fn len(&self) -> usize {
        self.bytes.len()
    }

    /// Whether nothing has been written.
    pub fn is_empty(&self) -> bool {
        self.bytes.is_empty()
    }

    /// What has been written so far.
    pub fn as_slice(&self) -> &[u8] {
        &self.bytes
    }

    /// The bytes, wiped when the caller drops them.
    pub fn into_secret(self) -> Zeroizing<Vec<u8>> {
        Zeroizing::new(self.into_vec())
    }

    /// The bytes, which the caller now owns (and wipes, where they are secret).
    pub fn into_vec(mut self) -> Vec<u8> {
        core::mem::take(&mut self.bytes)
    }
}

impl Drop for Writer {
    fn drop(&mut self) {
        self.bytes.zeroize();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn integers_are_little_endian() {
        let mut writer = Writer::default();
        writer.u8(1).u16(2).u24(3).u32(4).u64(5).var(b"ab");
        let bytes = writer.into_vec();
        assert_eq!(bytes, [1, 2, 0, 3, 0, 0, 4, 0, 0, 0, 5, 0, 0, 0, 0, 0, 0, 0, 2, 0, b'a', b'b']);
        let mut reader = Reader::new(&bytes);
        assert_eq!((reader.u8(), reader.u16(), reader.u24()), (Ok(1), Ok(2), Ok(3)));
        assert_eq!((reader.u32(), reader.u64(), reader.var(2, "x")), (Ok(4), Ok(5), Ok(&b"ab"[..])));
        assert_eq!(reader.finish(), Ok(()));
    }

    #[test]
    fn a_writer_knows_its_length_and_pads_with_zeros() {
        let mut writer = Writer::default();
        assert!(writer.is_empty());
        assert_eq!(writer.u24(7).pad_to(5).len(), 5);
        assert!(!writer.is_empty());
        assert_eq!(writer.as_slice(), [7, 0, 0, 0, 0]);
    }

    #[test]
    fn what_fits_into_the_capacity_is_never_moved() {
        let mut writer = Writer::with_capacity(4096);
        let before = writer.u8(1).as_slice().as_ptr();
        assert_eq!(writer.put(&[0; 4095]).as_slice().as_ptr(), before);
    }

    #[test]
    fn odd_types_are_skipped_and_even_ones_must_be_known() {
        let list = |bytes: &[u8]| Reader::new(bytes).tlvs(|kind, _| Ok(kind == 2));
        assert_eq!(list(&[2, 1, 0, 9, 7, 0, 0]), Ok(()));
        assert_eq!(list(&[7, 0, 0, 4, 0, 0]), Err(DecodeError::UnknownType { value: 4 }));
        assert_eq!(list(&[7, 3, 0, 1]), Err(DecodeError::TooShort { missing: 2 }));
        assert_eq!(list(&[7, 3]), Err(DecodeError::TooShort { missing: 1 }));
    }

    #[test]
    fn a_reader_tells_how_much_is_missing_or_left_over() {
        assert_eq!(Reader::new(&[1]).u32(), Err(DecodeError::TooShort { missing: 3 }));
        assert_eq!(Reader::new(&[1]).finish(), Err(DecodeError::TooLong { extra: 1 }));
        assert_eq!(Reader::new(&[3, 0, 1, 2, 3]).var(2, "name"), Err(DecodeError::Invalid { field: "name" }));
    }
}
