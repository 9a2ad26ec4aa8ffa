//! The records of a leaf page: keys with their small values, or where their large ones lie (docs/spec/vault.md §5).
//!
//! What is parsed here was sealed by us, but is read as if a stranger had written it: lengths, page numbers and counts
//! are checked, and a leaf is either well formed whole or not at all.

use zeroize::Zeroizing;

use super::page::{PAYLOAD_BYTES, PageKey};

/// Longest key in bytes.
pub const KEY_BYTES_MAX: usize = 64;
/// Longest value in bytes.
pub const VALUE_BYTES_MAX: usize = 256 * 1024;
/// Longest value that lies in the leaf itself, in bytes: three of them still fit into one page.
pub(super) const INLINE_BYTES_MAX: usize = 1024;
/// Room for records in a leaf, in bytes: the payload without the count.
pub(super) const LEAF_BYTES: usize = PAYLOAD_BYTES - 2;

const INLINE: u8 = 0;
const PAGED: u8 = 1;

/// Where a value of more than 1024 bytes lies.
#[derive(Debug)]
pub(super) struct Extent {
    pub(super) bytes: u32,
    /// The generation that wrote it.
    pub(super) born: u64,
    pub(super) key: PageKey,
    pub(super) pages: Vec<u32>,
}

/// The value of a record.
#[derive(Debug)]
pub(super) enum Content {
    /// Small: in the leaf.
    Inline(Zeroizing<Vec<u8>>),
    /// Large: in pages of its own.
    Paged(Extent),
    /// Large and not yet written.
    Unwritten(Zeroizing<Vec<u8>>),
}

/// A key and its value.
#[derive(Debug)]
pub(super) struct Record {
    pub(super) key: Vec<u8>,
    pub(super) content: Content,
}

impl Record {
    pub(super) fn new(key: Vec<u8>, value: Zeroizing<Vec<u8>>) -> Self {
        let content =
            if value.len() <= INLINE_BYTES_MAX { Content::Inline(value) } else { Content::Unwritten(value) };
        Self { key, content }
    }

    /// Bytes that it takes in a leaf.
    pub(super) fn leaf_bytes(&self) -> usize {
        let content = match &self.content {
            Content::Inline(value) => 2 + value.len(),
            Content::Paged(extent) => 44 + 4 * extent.pages.len(),
            Content::Unwritten(value) => 44 + 4 * pages_for(value.len()),
        };
        2 + self.key.len() + content
    }

    /// Pages that it has outside the leaf.
    pub(super) fn pages(&self) -> &[u32] {
        match &self.content {
            Content::Paged(extent) => &extent.pages,
            Content::Inline(_) | Content::Unwritten(_) => &[],
        }
    }

    /// Pages that must still be found for its value.
    pub(super) fn unwritten_pages(&self) -> usize {
        match &self.content {
            Content::Unwritten(value) => pages_for(value.len()),
            Content::Inline(_) | Content::Paged(_) => 0,
        }
    }

    fn encode(&self, out: &mut Vec<u8>) {
        out.push(u8::try_from(self.key.len()).expect("a key has at most 64 bytes"));
        out.extend(&self.key);
        match &self.content {
            Content::Inline(value) => {
                out.push(INLINE);
                out.extend(
                    u16::try_from(value.len()).expect("an inline value has at most 1024 bytes").to_le_bytes(),
                );
                out.extend(value.iter());
            }
            Content::Paged(extent) => {
                out.push(PAGED);
                out.extend(extent.bytes.to_le_bytes());
                out.extend(extent.born.to_le_bytes());
                out.extend(extent.key.expose());
                out.extend(extent.pages.iter().flat_map(|page| page.to_le_bytes()));
            }
            Content::Unwritten(_) => unreachable!("a value is written before its leaf"),
        }
    }

    fn decode(input: &mut Input<'_>) -> Option<Self> {
        let key_bytes = usize::from(input.take(1)?[0]);
        if !(1..=KEY_BYTES_MAX).contains(&key_bytes) {
            return None;
        }
        let key = input.take(key_bytes)?.to_vec();
        let content = match input.take(1)?[0] {
            INLINE => Content::Inline(decode_inline(input)?),
            PAGED => Content::Paged(decode_extent(input)?),
            _ => return None,
        };
        Some(Self { key, content })
    }
}

/// Pages that a value of this many bytes takes.
pub(super) fn pages_for(bytes: usize) -> usize {
    bytes.div_ceil(PAYLOAD_BYTES)
}

/// The payload of a leaf: count u16, then the records.
pub(super) fn encode_leaf(records: &[Record]) -> Zeroizing<Vec<u8>> {
    let mut out = Zeroizing::new(Vec::with_capacity(PAYLOAD_BYTES));
    out.extend(u16::try_from(records.len()).expect("a leaf holds fewer records than bytes").to_le_bytes());
    records.iter().for_each(|record| record.encode(&mut out));
    out
}

/// The records of a leaf, or `None` where it is not one.
pub(super) fn decode_leaf(payload: &[u8]) -> Option<Vec<Record>> {
    let mut input = Input(payload);
    let count = u16::from_le_bytes(input.take(2)?.try_into().ok()?);
    (0..count).map(|_| Record::decode(&mut input)).collect()
}

fn decode_inline(input: &mut Input<'_>) -> Option<Zeroizing<Vec<u8>>> {
    let bytes = usize::from(u16::from_le_bytes(input.take(2)?.try_into().ok()?));
    if bytes > INLINE_BYTES_MAX {
        return None;
    }
    Some(Zeroizing::new(input.take(bytes)?.to_vec()))
}

fn decode_extent(input: &mut Input<'_>) -> Option<Extent> {
    let bytes = u32::from_le_bytes(input.take(4)?.try_into().ok()?);
    if !(INLINE_BYTES_MAX + 1..=VALUE_BYTES_MAX).contains(&(bytes as usize)) {
        return None;
    }
    let born = u64::from_le_bytes(input.take(8)?.try_into().ok()?);
    let key = PageKey::from_slice(input.take(32)?)?;
    let pages = input.take(4 * pages_for(bytes as usize))?.chunks_exact(4);
    let pages = pages.map(|page| u32::from_le_bytes(page.try_into().expect("a chunk of 4 bytes"))).collect();
    Some(Extent { bytes, born, key, pages })
}

struct Input<'a>(&'a [u8]);

impl<'a> Input<'a> {
    fn take(&mut self, bytes: usize) -> Option<&'a [u8]> {
        if bytes > self.0.len() {
            return None;
        }
        let (taken, rest) = self.0.split_at(bytes);
        self.0 = rest;
        Some(taken)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn paged() -> Record {
        let key = PageKey::from_slice(&[7; 32]).unwrap();
        let extent = Extent { bytes: 5000, born: 9, key, pages: vec![4, 258] };
        Record { key: b"k2".to_vec(), content: Content::Paged(extent) }
    }

    #[test]
    fn a_leaf_is_a_count_and_its_records_byte_for_byte() {
        let records = [Record::new(b"k".to_vec(), Zeroizing::new(b"value".to_vec())), paged()];
        let mut expected =
            b"\x02\x00\x01k\x00\x05\x00value\x02k2\x01\x88\x13\x00\x00\x09\0\0\0\0\0\0\0".to_vec();
        expected.extend([7; 32]);
        expected.extend([4, 0, 0, 0, 2, 1, 0, 0]);
        assert_eq!(*encode_leaf(&records), expected);
    }

    #[test]
    fn a_record_takes_the_bytes_it_says() {
        let records = [paged(), Record::new(vec![1; 64], Zeroizing::new(vec![2; INLINE_BYTES_MAX]))];
        let bytes: usize = records.iter().map(Record::leaf_bytes).sum();
        assert_eq!(encode_leaf(&records).len(), 2 + bytes);
    }

    #[test]
    fn a_leaf_that_was_encoded_decodes_to_the_same_records() {
        let records = [paged(), Record::new(b"a".to_vec(), Zeroizing::new(Vec::new()))];
        let bytes = encode_leaf(&records);
        assert_eq!(*encode_leaf(&decode_leaf(&bytes).unwrap()), *bytes);
    }

    #[test]
    fn a_leaf_with_a_length_beyond_its_end_is_not_one() {
        assert!(decode_leaf(b"\x01\x00\x01k\x00\xFF\x03val").is_none());
        assert!(decode_leaf(b"\x01\x00\x00").is_none());
        assert!(decode_leaf(b"").is_none());
    }

    proptest! {
        #[test]
        fn decoding_survives_any_payload(bytes in proptest::collection::vec(any::<u8>(), 0..256), count in 0..4u16) {
            let _ = decode_leaf(&bytes);
            let _ = decode_leaf(&[&count.to_le_bytes()[..], &[1, b'k'], &bytes].concat());
        }
    }
}
