//! A relay's disk as a thief sees it: the pages of its segments (docs/spec/store.md §3, §4), read without the relay's
//! code.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

use chacha20::ChaCha20;
use chacha20::cipher::{KeyIvInit as _, StreamCipher as _};
use poterne_protocol::limits::ENVELOPE_BYTES;

/// What stands in a table behind its check, and where its records begin.
const TABLE: &[u8] = b"PBLK";
const CHECK_BYTES: usize = 16;
const RECORDS_START: usize = 56;
/// The bytes with which a segment begins.
const SEGMENT: &[u8] = b"PTRNSEG2";
const RECORDS_CONTEXT: &str = "poterne relay store v1: records of a table";

/// What lies in the segments of a relay.
#[derive(Debug, Default)]
pub struct RelayDisk {
    /// Every envelope.
    pub envelopes: BTreeSet<Vec<u8>>,
    /// The owners of all records, 32 bytes each: mailboxes, and permits.
    pub owners: BTreeSet<[u8; 32]>,
    /// Pages that are none of: header, table of this use or an earlier one, envelope of a table, zeros.
    pub others: usize,
}

impl RelayDisk {
    /// Reads the data folder of the relay in `folder`.
    pub fn read(folder: &Path) -> Self {
        let mut disk = Self::default();
        for path in files(&folder.join("data")) {
            let name = path.file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default();
            if name.starts_with("segment-") {
                disk.read_segment(&fs::read(&path).expect("a segment can be read"));
            }
        }
        disk
    }

    fn read_segment(&mut self, bytes: &[u8]) {
        assert_eq!(bytes.len() % ENVELOPE_BYTES, 0, "segments are whole pages");
        let key = blake3::derive_key(RECORDS_CONTEXT, &bytes[24..56]);
        let mut attached = 0;
        for page in bytes.chunks(ENVELOPE_BYTES) {
            let is_of_this_use = page[24..28] == bytes[16..20];
            if attached > 0 {
                attached -= 1;
                self.envelopes.insert(page.to_vec());
            } else if page[CHECK_BYTES..].starts_with(TABLE) {
                attached = if is_of_this_use { self.read_table(page, &key) } else { 0 };
            } else if !page.starts_with(SEGMENT) && page.iter().any(|byte| *byte != 0) {
                self.others += 1;
            }
        }
        self.envelopes.retain(|envelope| envelope.iter().any(|byte| *byte != 0));
    }

    /// Notes the owners of a table's records; how many envelopes follow it.
    fn read_table(&mut self, page: &[u8], key: &[u8; 32]) -> u16 {
        let number = |at: usize| u16::from_le_bytes([page[at], page[at + 1]]);
        let (records, envelopes, used) = (number(20), number(22), usize::from(number(36)));
        let mut table = page[RECORDS_START..RECORDS_START + used].to_vec();
        let mut nonce = [0; 12];
        nonce[..4].copy_from_slice(&page[32..36]);
        nonce[4..].copy_from_slice(&page[48..56]);
        ChaCha20::new(key.into(), &nonce.into()).apply_keystream(&mut table);
        let mut rest = &table[..];
        for _ in 0..records {
            let len = usize::from(u16::from_le_bytes([rest[0], rest[1] >> 1]));
            let (record, behind) = rest[2..].split_at(len);
            self.owners.insert(record[1..33].try_into().expect("32 bytes"));
            rest = behind;
        }
        assert!(rest.is_empty(), "a table is what its records say");
        envelopes
    }
}

/// Every file below a folder, in no particular order.
pub fn files(folder: &Path) -> Vec<PathBuf> {
    let mut all = Vec::new();
    for entry in fs::read_dir(folder).into_iter().flatten().flatten() {
        let path = entry.path();
        if path.is_dir() { all.extend(files(&path)) } else { all.push(path) }
    }
    all
}
