//! The request keys of the day on disk (docs/spec/transport.md §3): those of today and yesterday, no others.
//!
//! A key lies there as its 32-byte seed, one file a day, so that a restart goes on with it; older ones are
//! overwritten and removed.
//!
//! Invariant: the day of the newest key never falls, even where the clock does: a client that has seen a descriptor
//! refuses an older one.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use poterne_protocol::channel::RequestKeys;
use poterne_protocol::kem::KemSecret;
use poterne_protocol::keys::Pin;
use poterne_protocol::time::Day;
use rand_core::CryptoRng;
use zeroize::Zeroizing;

use crate::private_file;

const SUFFIX: &str = ".key";

/// Why the keys can't be used.
#[derive(Debug, thiserror::Error)]
pub enum RequestKeyError {
    /// A file is not 32 bytes long.
    #[error("The request key {0} is spoilt. Remove the file: clients will fetch a new descriptor.")]
    Spoilt(PathBuf),
    /// The disk refuses.
    #[error(
        "The request keys in {path} can't be read or written ({error}). See that the relay owns the folder."
    )]
    Storage {
        /// The folder.
        path: PathBuf,
        /// What the system says.
        error: io::Error,
    },
}

/// The folder of the keys.
#[derive(Clone, Debug)]
pub struct RequestKeyDir {
    path: PathBuf,
}

impl RequestKeyDir {
    /// Uses the folder at `path`, and makes it where it is missing.
    pub fn open(path: &Path) -> Result<Self, RequestKeyError> {
        let dir = Self { path: path.to_owned() };
        private_file::make_dir(path).map_err(|error| dir.storage(error))?;
        Ok(dir)
    }

    /// The keys of the relay of `pin` for `today`: makes what is missing, erases what is too old.
    pub fn turn(
        &self,
        pin: Pin,
        today: Day,
        rng: &mut impl CryptoRng,
    ) -> Result<RequestKeys, RequestKeyError> {
        let days = self.days()?;
        let day = days.last().copied().map_or(today, |newest| newest.max(today));
        if !days.contains(&day) {
            self.make(day, rng)?;
        }
        for old in days.iter().filter(|old| **old + 1 < day) {
            private_file::erase(&self.file(*old)).map_err(|error| self.storage(error))?;
        }
        let yesterday = days.iter().find(|kept| **kept + 1 == day);
        let keys = RequestKeys::new(pin, day, self.read(day)?);
        match yesterday {
            Some(kept) => Ok(keys.with_yesterday(self.read(*kept)?)),
            None => Ok(keys),
        }
    }

    /// The days that have a key, rising.
    pub fn days(&self) -> Result<Vec<Day>, RequestKeyError> {
        let entries = fs::read_dir(&self.path).map_err(|error| self.storage(error))?;
        let mut days = Vec::new();
        for entry in entries {
            let name = entry.map_err(|error| self.storage(error))?.file_name();
            let number = name.to_str().and_then(|name| name.strip_suffix(SUFFIX));
            days.extend(number.and_then(|number| number.parse().ok()).map(Day));
        }
        days.sort_unstable();
        Ok(days)
    }

    fn make(&self, day: Day, rng: &mut impl CryptoRng) -> Result<(), RequestKeyError> {
        let secret = KemSecret::generate(rng);
        private_file::create(&self.file(day), secret.expose_seed()).map_err(|error| self.storage(error))
    }

    fn read(&self, day: Day) -> Result<KemSecret, RequestKeyError> {
        let path = self.file(day);
        let bytes = fs::read(&path).map(Zeroizing::new).map_err(|error| self.storage(error))?;
        match <&[u8; 32]>::try_from(bytes.as_slice()) {
            Ok(seed) => Ok(KemSecret::from_seed(seed)),
            Err(_) => Err(RequestKeyError::Spoilt(path)),
        }
    }

    fn file(&self, day: Day) -> PathBuf {
        self.path.join(format!("{day}{SUFFIX}"))
    }

    fn storage(&self, error: io::Error) -> RequestKeyError {
        RequestKeyError::Storage { path: self.path.clone(), error }
    }
}

#[cfg(test)]
mod tests {
    use rand_chacha::ChaCha20Rng;
    use rand_core::SeedableRng as _;

    use super::*;

    fn dir() -> (tempfile::TempDir, RequestKeyDir, ChaCha20Rng) {
        let folder = tempfile::tempdir().unwrap();
        let keys = RequestKeyDir::open(&folder.path().join("keys")).unwrap();
        (folder, keys, ChaCha20Rng::seed_from_u64(1))
    }

    const PIN: Pin = Pin([0; 16]);

    fn seed(keys: &RequestKeys, day: u32) -> Option<[u8; 32]> {
        keys.secret(Day(day)).map(|secret| *secret.expose_seed())
    }

    #[test]
    fn a_restart_on_the_same_day_finds_the_same_key() {
        let (_folder, keys, mut rng) = dir();
        let first = keys.turn(PIN, Day(20_000), &mut rng).unwrap();
        let again = keys.turn(PIN, Day(20_000), &mut rng).unwrap();
        assert_eq!(seed(&first, 20_000), seed(&again, 20_000));
        assert_eq!(seed(&again, 19_999), None);
    }

    #[test]
    fn yesterdays_key_stays_and_the_one_before_is_erased() {
        let (_folder, keys, mut rng) = dir();
        let first = keys.turn(PIN, Day(20_000), &mut rng).unwrap();
        let second = keys.turn(PIN, Day(20_001), &mut rng).unwrap();
        assert_eq!(seed(&second, 20_000), seed(&first, 20_000));
        let third = keys.turn(PIN, Day(20_002), &mut rng).unwrap();
        assert_eq!(seed(&third, 20_001), seed(&second, 20_001));
        assert_eq!(keys.days().unwrap(), [Day(20_001), Day(20_002)]);
    }

    #[test]
    fn a_relay_that_slept_for_days_keeps_no_old_key() {
        let (_folder, keys, mut rng) = dir();
        keys.turn(PIN, Day(20_000), &mut rng).unwrap();
        keys.turn(PIN, Day(20_005), &mut rng).unwrap();
        assert_eq!(keys.days().unwrap(), [Day(20_005)]);
    }

    #[test]
    fn a_clock_that_falls_back_does_not_bring_an_older_day() {
        let (_folder, keys, mut rng) = dir();
        let first = keys.turn(PIN, Day(20_000), &mut rng).unwrap();
        let back = keys.turn(PIN, Day(19_990), &mut rng).unwrap();
        assert_eq!(back.newest().0, Day(20_000));
        assert_eq!(seed(&first, 20_000), seed(&back, 20_000));
    }

    #[test]
    fn a_spoilt_key_is_named() {
        let (_folder, keys, mut rng) = dir();
        fs::write(keys.file(Day(20_000)), b"short").unwrap();
        let error = keys.turn(PIN, Day(20_000), &mut rng).unwrap_err();
        assert!(matches!(error, RequestKeyError::Spoilt(path) if path.ends_with("20000.key")));
    }
}
