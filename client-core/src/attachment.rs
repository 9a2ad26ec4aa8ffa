//! Attachments: a file in chunks of one envelope each, in runs of plain mailboxes (docs/spec/attachments.md §1).
//!
//! chunk i = nonce 24 | X(4056) + 16 under KDF(–, file key, "chunk", i); run r of 64 chunks lies in the mailbox of
//! KDF(–, file key, "run", r). The number of chunks is padded to 16, 32, 64 or a multiple of 64, so that it says little
//! about the length. Layout only: who puts and fetches them when is decided in [`crate::files`].

mod attachable;
pub mod jpeg;

use poterne_protocol::codec::{DecodeError, Reader, Writer};
use poterne_protocol::envelope::SealedEnvelope;
use poterne_protocol::kdf;
use poterne_protocol::keys::MailboxSecret;
use rand_core::CryptoRng;
use subtle::ConstantTimeEq;
use zeroize::Zeroizing;

pub use attachable::{Attachable, FileRefused, OTHER_TYPE, PHOTO_TYPE, is_heic, is_picture};

use crate::labels;
use crate::seal::{Nonce, NotOpened, WHOLE_BYTES, nonce, open_whole, seal_whole};
use crate::secret::Secret;

/// Bytes of a file at most: 1 MiB.
pub const FILE_BYTES_MAX: usize = 1 << 20;
/// Chunks in one run: what a plain mailbox holds.
pub const RUN_CHUNKS: u32 = 64;
/// Bytes of a file in one chunk.
pub const CHUNK_BYTES: usize = WHOLE_BYTES;
const MEDIA_TYPE_BYTES: usize = 64;

/// What the message says of a file: {file key 32, length u32, count u16, media type u8-length, H(content) 32}.
#[derive(Clone)]
pub struct Descriptor {
    /// From this all keys and mailboxes of the file are derived.
    pub file_key: Secret,
    /// Bytes of the file.
    pub length: u32,
    /// Chunks, padding included.
    pub count: u16,
    /// As in `image/jpeg`; at most 64 bytes.
    pub media_type: String,
    /// H(content).
    pub content_hash: [u8; 32],
}

crate::secret::silent!(Descriptor);

impl PartialEq for Descriptor {
    fn eq(&self, other: &Self) -> bool {
        let (mut left, mut right) = (Writer::default(), Writer::default());
        self.write(&mut left);
        other.write(&mut right);
        left.as_slice().ct_eq(right.as_slice()).into()
    }
}

impl Eq for Descriptor {}

/// Why chunks do not make the file.
#[derive(Clone, Copy, Debug, Eq, PartialEq, thiserror::Error)]
pub enum FileError {
    /// The content is not what the message said.
    #[error("the file is not the one that was announced")]
    Changed,
    /// This chunk is missing or does not open.
    #[error("chunk {chunk} of the file does not open")]
    Chunk {
        /// Its number.
        chunk: u32,
    },
}

impl Descriptor {
    /// The description of a file with a fresh key.
    pub fn of(content: &[u8], media_type: &str, rng: &mut impl CryptoRng) -> Result<Self, FileRefused> {
        match content.len() {
            0 => return Err(FileRefused::Empty),
            bytes if bytes > FILE_BYTES_MAX => return Err(FileRefused::TooLarge { bytes }),
            _ if media_type.len() > MEDIA_TYPE_BYTES => return Err(FileRefused::MediaType),
            _ => {}
        }
        Ok(Self {
            file_key: Secret::generate(rng),
            length: u32::try_from(content.len()).expect("at most 1 MiB"),
            count: padded_count(content.len()),
            media_type: media_type.to_owned(),
            content_hash: kdf::hash(&[content]),
        })
    }

    /// All chunks of `content`, padding included, in order. `content` is what the description was made of.
    pub fn seal_chunks<'a>(
        &'a self,
        content: &'a [u8],
        rng: &'a mut impl CryptoRng,
    ) -> impl Iterator<Item = SealedEnvelope> + 'a {
        (0..u32::from(self.count)).map(move |chunk| self.seal_chunk(chunk, content, &nonce(rng)))
    }

    /// One chunk of `content` under that nonce, which must be another one for other content.
    pub(crate) fn seal_chunk(&self, chunk: u32, content: &[u8], nonce: &Nonce) -> SealedEnvelope {
        let start = (chunk as usize * CHUNK_BYTES).min(content.len());
        let end = (start + CHUNK_BYTES).min(content.len());
        let mut text = Zeroizing::new(Vec::with_capacity(CHUNK_BYTES));
        text.extend_from_slice(&content[start..end]);
        text.resize(CHUNK_BYTES, 0);
        seal_whole(self.chunk_key(chunk).expose(), nonce, &text)
    }

    /// How many of the chunks hold bytes of the file; the others are padding.
    pub fn filled(&self) -> u32 {
        self.length.div_ceil(CHUNK_BYTES as u32)
    }

    /// One chunk, [`CHUNK_BYTES`] bytes, the last ones padded.
    pub fn open_chunk(&self, chunk: u32, envelope: &SealedEnvelope) -> Result<Zeroizing<Vec<u8>>, NotOpened> {
        open_whole(self.chunk_key(chunk).expose(), envelope)
    }

    /// The file out of its chunks in order.
    pub fn join(&self, chunks: &[Zeroizing<Vec<u8>>]) -> Result<Zeroizing<Vec<u8>>, FileError> {
        let length = self.length as usize;
        let needed = length.div_ceil(CHUNK_BYTES);
        if chunks.len() < needed {
            return Err(FileError::Chunk { chunk: u32::try_from(chunks.len()).unwrap_or(u32::MAX) });
        }
        let mut content = Zeroizing::new(Vec::with_capacity(needed * CHUNK_BYTES));
        chunks[..needed].iter().for_each(|chunk| content.extend_from_slice(chunk));
        content.truncate(length);
        if kdf::hash(&[&content]) == self.content_hash { Ok(content) } else { Err(FileError::Changed) }
    }

    /// The mailbox of the run that `chunk` lies in.
    pub fn mailbox_of(&self, chunk: u32) -> MailboxSecret {
        self.file_key.mailbox(labels::RUN, &[&(chunk / RUN_CHUNKS).to_le_bytes()])
    }

    pub(crate) fn chunk_key(&self, chunk: u32) -> Secret {
        self.file_key.derive(labels::CHUNK, &[&chunk.to_le_bytes()])
    }

    pub(crate) fn write(&self, writer: &mut Writer) {
        let length = u8::try_from(self.media_type.len()).expect("a media type has at most 64 bytes");
        writer.put(self.file_key.expose()).u32(self.length).u16(self.count);
        writer.u8(length).put(self.media_type.as_bytes()).put(&self.content_hash);
    }

    pub(crate) fn read(reader: &mut Reader) -> Result<Self, DecodeError> {
        let descriptor = Self {
            file_key: Secret::from_bytes(&reader.array()?),
            length: reader.u32()?,
            count: reader.u16()?,
            media_type: read_media_type(reader)?,
            content_hash: reader.array()?,
        };
        let is_sound = (1..=FILE_BYTES_MAX).contains(&(descriptor.length as usize))
            && descriptor.count == padded_count(descriptor.length as usize);
        if is_sound { Ok(descriptor) } else { Err(DecodeError::Invalid { field: "length" }) }
    }
}

fn read_media_type(reader: &mut Reader) -> Result<String, DecodeError> {
    let length = usize::from(reader.u8()?);
    let invalid = DecodeError::Invalid { field: "media type" };
    if length > MEDIA_TYPE_BYTES {
        return Err(invalid);
    }
    core::str::from_utf8(reader.bytes(length)?).map(str::to_owned).map_err(|_| invalid)
}

/// 16, 32, 64 or a multiple of 64.
fn padded_count(length: usize) -> u16 {
    let chunks = length.div_ceil(CHUNK_BYTES);
    let padded = match chunks {
        0..=16 => 16,
        17..=32 => 32,
        _ => chunks.next_multiple_of(64),
    };
    u16::try_from(padded).expect("1 MiB has 259 chunks")
}

#[cfg(test)]
mod tests {
    use rand_chacha::ChaCha20Rng;
    use rand_core::SeedableRng;

    use super::*;

    #[test]
    fn a_file_comes_out_of_its_chunks() {
        let mut rng = ChaCha20Rng::seed_from_u64(1);
        let content: Vec<u8> = (0..10_000u32).map(|place| place as u8).collect();
        let descriptor = Descriptor::of(&content, "image/jpeg", &mut rng).unwrap();
        let envelopes: Vec<_> = descriptor.seal_chunks(&content, &mut rng).collect();
        assert_eq!(envelopes.len(), 16);
        let chunks: Vec<_> =
            (0..3).map(|i| descriptor.open_chunk(i, &envelopes[i as usize]).unwrap()).collect();
        assert_eq!(descriptor.join(&chunks).unwrap().as_slice(), content);
    }

    #[test]
    fn a_chunk_opens_in_its_place_only() {
        let mut rng = ChaCha20Rng::seed_from_u64(2);
        let descriptor = Descriptor::of(b"x", "", &mut rng).unwrap();
        let envelopes: Vec<_> = descriptor.seal_chunks(b"x", &mut rng).collect();
        assert!(descriptor.open_chunk(1, &envelopes[0]).is_err());
    }

    #[test]
    fn the_number_of_chunks_says_little() {
        let counts = [1, 16, 17, 32, 33, 64, 65, 258].map(|chunks| padded_count(chunks * CHUNK_BYTES));
        assert_eq!(counts, [16, 16, 32, 32, 64, 64, 128, 320]);
    }

    #[test]
    fn a_changed_file_is_refused() {
        let mut rng = ChaCha20Rng::seed_from_u64(3);
        let descriptor = Descriptor::of(b"x", "", &mut rng).unwrap();
        let chunk = Zeroizing::new(vec![b'y'; CHUNK_BYTES]);
        assert_eq!(descriptor.join(&[chunk]).unwrap_err(), FileError::Changed);
        assert_eq!(descriptor.join(&[]).unwrap_err(), FileError::Chunk { chunk: 0 });
    }
}
