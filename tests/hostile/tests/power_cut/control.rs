//! The store that must be found out: sled 0.34, which acknowledges after its own flush.

use std::collections::BTreeSet;
use std::io::Write as _;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::Path;

use crate::writer;

/// Puts of one flush.
const GROUP: u64 = 16;

/// Puts without end and tells on stdout what it believes to be stored.
pub fn write() {
    let Ok(db) = sled::open(writer::path()) else { return };
    let mut number = writer::first();
    loop {
        let mut said = String::new();
        for _ in 0..GROUP {
            number += 1;
            if db.insert(number.to_be_bytes(), &writer::envelope(number).as_bytes()[..]).is_err() {
                return;
            }
            said.push_str(&format!("stored {number}\n"));
        }
        if db.flush().is_err() {
            return;
        }
        let mut out = std::io::stdout().lock();
        if out.write_all(said.as_bytes()).and_then(|()| out.flush()).is_err() {
            return;
        }
    }
}

/// How many of `stored` are not there; `None` where it does not even open.
pub fn lost(path: &Path, stored: &BTreeSet<u64>) -> Option<usize> {
    catch_unwind(AssertUnwindSafe(|| {
        let db = sled::open(path).ok()?;
        let is_lost = |number: &&u64| {
            let found = db.get(number.to_be_bytes()).ok().flatten();
            found.is_none_or(|found| found != writer::envelope(**number).as_bytes()[..])
        };
        Some(stored.iter().filter(is_lost).count())
    }))
    .unwrap_or(None)
}
