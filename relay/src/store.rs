//! The relay's storage (docs/spec/store.md): an envelope log that holds the truth, and an index behind it.
//!
//! A put is one record and one page in the log, written with its group and synced once before anybody is told. What
//! stands in the log is found through the index, which trails it and is never believed without the record. Space comes
//! back by erasing envelopes in place, by copying forward what little a segment still holds, and by using the segment
//! again under a new key.
//!
//! Invariants, checked by one suite on every backend: an acknowledged put survives; an error means unknown; an
//! acknowledged delete never comes back; nothing succeeds after a failed sync.

pub mod bits;
pub mod block;
pub mod book;
pub mod cache;
pub mod checkpoint;
pub mod chunk;
pub mod disk;
pub mod embedded;
pub mod index;
pub mod keeper;
pub mod lane;
pub mod log;
pub mod medium;
pub mod mirror;
pub mod open;
pub mod overlay;
pub mod page;
pub mod plan;
pub mod record;
pub mod recover;
pub mod renewal;
pub mod rows;
pub mod scan;
pub mod segment;
pub mod shared;
pub mod sim;
pub mod sim_index;
pub mod sled_index;
pub mod spares;
pub mod start;
pub mod tidy;
pub mod verify;
pub mod writer;

use std::time::Duration;

pub use embedded::EmbeddedStore;
pub use open::{OpenError, open, open_directory};
pub use start::start;
pub use verify::{Report, verify, verify_directory};

/// The sizes and times of a store.
#[derive(Clone, Debug)]
pub struct Config {
    /// Pages of 4096 bytes in a new segment: 64 MiB by default.
    pub segment_pages: u32,
    /// Segments that are kept ready, two of which puts may not use.
    pub spares: usize,
    /// Files in no use that are kept to be used again; more are given back to the disk.
    pub free_files: usize,
    /// Bytes of the disk that puts leave alone, where `reserve_percent` of the disk are not more.
    pub reserve_bytes: u64,
    /// Percent of the disk that puts leave alone.
    pub reserve_percent: u8,
    /// A deleted envelope is overwritten at the latest after twice this time.
    pub erase_after: Duration,
    /// Share of a full segment, in percent, below which what still counts in it is copied forward.
    pub thin_percent: u64,
    /// How long a segment holds little before that is copied.
    pub copy_after: Duration,
    /// Where nothing new came for this time the store is calm: it gives back room also where that costs more.
    pub calm_after: Duration,
    /// Pages of envelopes that one step of copying moves.
    pub copy_pages: usize,
    /// Bytes that states of mailboxes in memory are reckoned at, at most.
    pub cache_bytes: usize,
    /// Rows in memory from which they are brought into the index at once.
    pub index_rows: usize,
    /// Rows of the index that are kept in memory as well, 16 bytes each.
    pub mirrored_rows: usize,
    /// Rows wait for the index no longer than this.
    pub index_after: Duration,
    /// Bytes that the index of a calm store takes, beside some for each row, before it is written anew.
    pub index_bytes: u64,
}

impl Default for Config {
    fn default() -> Self {
        Self {
            segment_pages: 16_384,
            spares: 4,
            free_files: 1,
            reserve_bytes: 256 << 20,
            reserve_percent: 5,
            erase_after: Duration::from_secs(240),
            thin_percent: 50,
            copy_after: Duration::from_secs(60),
            calm_after: Duration::from_secs(60),
            copy_pages: 64,
            cache_bytes: 32 << 20,
            index_rows: 300_000,
            mirrored_rows: 2_000_000,
            index_after: Duration::from_secs(10),
            index_bytes: 8 << 20,
        }
    }
}
