//! The annex of a notice: what is wanted rarely, in as many envelopes as it takes (docs/spec/notice.md §6).
//!
//! The annex is a string of entries {type u8, length u16, value}, cut into parts. Each part names the annex by its hash,
//! so that the parts of several generations may lie in one log; the head says which annex is its own.

use poterne_protocol::codec::{DecodeError, Reader, Writer};
use poterne_protocol::kdf;

use super::head::SUITE;
use crate::desk::roots::{RootLink, RootSet};
use crate::seal::WHOLE_BYTES;

/// Bytes of annex in one part.
const PART_BYTES: usize = WHOLE_BYTES - 36;
/// Parts of an annex at most, which bounds what a reader assembles to 64 KiB.
pub const PARTS_MAX: usize = 16;
/// Links of a root chain at most: roots change by hand.
const LINKS_MAX: usize = 64;

const ROOT_CHAIN: u8 = 1;
const PRICES: u8 = 2;
const TEXT: u8 = 3;
const CONTACT: u8 = 4;

/// The entries of an annex, in order.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct Annex {
    /// At most 64 KiB together.
    pub entries: Vec<Entry>,
}

/// One entry of an annex.
#[derive(Clone, Eq, PartialEq)]
pub enum Entry {
    /// 4: a way to the desk that works when nothing else does, as people read it.
    Contact(String),
    /// A type that this build does not know.
    Other(u8, Vec<u8>),
    /// 2: prices of the desk's relays, in the form of the pricing rule.
    Prices(Vec<u8>),
    /// 1: the way from the first root set to the present one.
    RootChain {
        /// Its hash is the desk's id.
        first: RootSet,
        /// One link for each later set.
        links: Vec<RootLink>,
    },
    /// 3: what the desk says to people, in one language.
    Text {
        /// ASCII, padded with zeros.
        language: [u8; 4],
        /// The text.
        text: String,
    },
}

crate::secret::silent!(Entry);

impl Annex {
    /// The root chain, where the annex has one.
    pub fn root_chain(&self) -> Option<(&RootSet, &[RootLink])> {
        self.entries.iter().find_map(|entry| match entry {
            Entry::RootChain { first, links } => Some((first, links.as_slice())),
            _ => None,
        })
    }

    /// The annex as one string of bytes.
    pub fn encode(&self) -> Vec<u8> {
        let mut writer = Writer::default();
        for entry in &self.entries {
            let (kind, value) = entry.encode();
            writer.u8(kind).var(&value);
        }
        writer.into_vec()
    }

    /// Reads [`Self::encode`]'s bytes.
    pub fn parse(bytes: &[u8]) -> Result<Self, DecodeError> {
        let mut reader = Reader::new(bytes);
        let mut entries = Vec::new();
        while reader.remaining() > 0 {
            let kind = reader.u8()?;
            entries.push(Entry::parse(kind, reader.var(usize::from(u16::MAX), "annex entry")?)?);
        }
        Ok(Self { entries })
    }
}

impl Entry {
    fn encode(&self) -> (u8, Vec<u8>) {
        match self {
            Self::Contact(text) => (CONTACT, text.as_bytes().to_vec()),
            Self::Other(kind, value) => (*kind, value.clone()),
            Self::Prices(value) => (PRICES, value.clone()),
            Self::RootChain { first, links } => (ROOT_CHAIN, encode_chain(first, links)),
            Self::Text { language, text } => (TEXT, [&language[..], text.as_bytes()].concat()),
        }
    }

    fn parse(kind: u8, value: &[u8]) -> Result<Self, DecodeError> {
        let mut reader = Reader::new(value);
        match kind {
            CONTACT => Ok(Self::Contact(String::from_utf8_lossy(value).into_owned())),
            PRICES => Ok(Self::Prices(value.to_vec())),
            ROOT_CHAIN => parse_chain(reader),
            TEXT => {
                let language = reader.array()?;
                Ok(Self::Text { language, text: String::from_utf8_lossy(reader.rest()).into_owned() })
            }
            _ => Ok(Self::Other(kind, value.to_vec())),
        }
    }
}

/// {first root set, count u8, links {next set, signatures by the old, signatures by the new}}.
fn encode_chain(first: &RootSet, links: &[RootLink]) -> Vec<u8> {
    let mut writer = Writer::default();
    first.write(&mut writer);
    writer.u8(u8::try_from(links.len()).expect("a root chain has at most 64 links"));
    links.iter().for_each(|link| link.write(&mut writer));
    writer.into_vec()
}

fn parse_chain(mut reader: Reader) -> Result<Entry, DecodeError> {
    let first = RootSet::read(&mut reader)?;
    let count = usize::from(reader.u8()?);
    if count > LINKS_MAX {
        return Err(DecodeError::Invalid { field: "root chain" });
    }
    let links = (0..count).map(|_| RootLink::read(&mut reader)).collect::<Result<_, _>>()?;
    reader.finish()?;
    Ok(Entry::RootChain { first, links })
}

/// H(annex).
pub(crate) fn hash(annex: &[u8]) -> [u8; 32] {
    kdf::hash(&[annex])
}

/// The padded plaintexts of an annex: {part u8 from 1, suite, H(annex) 32, length u16, bytes ≤ 4020}.
pub(crate) fn split(annex: &[u8]) -> Vec<Vec<u8>> {
    let hash = hash(annex);
    let part = |(place, bytes): (usize, &[u8])| {
        let mut writer = Writer::with_capacity(WHOLE_BYTES);
        let number = u8::try_from(place + 1).expect("an annex has at most 16 parts");
        writer.u8(number).u8(SUITE).put(&hash).var(bytes).pad_to(WHOLE_BYTES);
        writer.into_vec()
    };
    annex.chunks(PART_BYTES).enumerate().map(part).collect()
}

/// One part as it stands in its envelope.
pub(crate) struct Part {
    pub(crate) number: u8,
    pub(crate) annex_hash: [u8; 32],
    pub(crate) bytes: Vec<u8>,
}

impl Part {
    pub(crate) fn parse(plaintext: &[u8]) -> Result<Self, DecodeError> {
        let mut reader = Reader::new(plaintext);
        let number = reader.u8()?;
        if number == 0 {
            return Err(DecodeError::Invalid { field: "part" });
        }
        match reader.u8()? {
            SUITE => Ok(Self {
                number,
                annex_hash: reader.array()?,
                bytes: reader.var(PART_BYTES, "annex part")?.to_vec(),
            }),
            version => Err(DecodeError::Version { version }),
        }
    }
}

/// The annex of that hash and number of parts, where all of them are there.
pub(crate) fn assemble(parts: &[Part], annex_hash: &[u8; 32], count: u8) -> Option<Annex> {
    let find = |number| parts.iter().find(|part| part.number == number && part.annex_hash == *annex_hash);
    let bytes: Vec<u8> = (1..=count)
        .map(|number| find(number).map(|part| part.bytes.as_slice()))
        .collect::<Option<Vec<_>>>()?
        .concat();
    (hash(&bytes) == *annex_hash).then(|| Annex::parse(&bytes).ok()).flatten()
}
