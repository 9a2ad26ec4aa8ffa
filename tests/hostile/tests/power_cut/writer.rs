//! Puts and deletes without end and tells on stdout what was acknowledged, until its disk is taken away.

use std::env;
use std::io::Write as _;
use std::path::PathBuf;
use std::time::Duration;

use poterne_protocol::envelope::SealedEnvelope;
use poterne_protocol::mailbox::MailboxId;
use poterne_protocol::time::Day;
use poterne_relay::store::keeper::Keeper;
use poterne_relay::store::{Config, open_directory};
use poterne_relay_core::change::{Arrival, Change, Locator};
use poterne_relay_core::store::{Store, Write};

use crate::control;

/// The variables that make this program a writer: which one, the store's directory, the number before its first put.
pub const WRITER: &str = "POTERNE_POWER_CUT_WRITER";
pub const STORE: &str = "POTERNE_POWER_CUT_STORE";
pub const FIRST: &str = "POTERNE_POWER_CUT_FIRST";
/// The relay's store.
pub const LOG: &str = "log";
/// The store of the negative control.
pub const SLED: &str = "sled";
/// The day of all puts.
pub const DAY: Day = Day(20_000);
/// Of how many envelopes one is deleted again.
pub const DELETED_EACH: u64 = 3;
/// Puts of one group.
const GROUP: u64 = 16;
const MAILBOXES: u64 = 251;

/// Small segments and a busy index, so that a cut may fall anywhere.
pub fn config() -> Config {
    Config {
        segment_pages: 1024,
        reserve_bytes: 0,
        reserve_percent: 0,
        copy_after: Duration::ZERO,
        calm_after: Duration::ZERO,
        index_bytes: 0,
        index_rows: 500,
        ..Config::default()
    }
}

/// The writer that this process is, if it is one.
pub fn wanted() -> Option<fn()> {
    match env::var(WRITER).ok()?.as_str() {
        SLED => Some(control::write),
        _ => Some(write),
    }
}

/// The directory to write in.
pub fn path() -> PathBuf {
    PathBuf::from(env::var_os(STORE).expect("the directory"))
}

/// The number before the first put.
pub fn first() -> u64 {
    env::var(FIRST).expect("the first number").parse().expect("a number")
}

/// Writes until writing fails.
fn write() {
    let (path, mut number) = (path(), first());
    // The power may go while it opens; that it can be opened, the test sees after each cut.
    let Ok(mut store) = open_directory(&path, config(), DAY) else { return };
    let _keeper = Keeper::spawn(store.shared()).expect("starts");
    let mut earlier = Vec::new();
    loop {
        let mut said = String::new();
        for (id, change, number) in earlier.drain(..) {
            store.stage(Write::Mailbox { id, change, envelope: None });
            said.push_str(&format!("deleted {number}\n"));
        }
        for _ in 0..GROUP {
            if !store.has_room() {
                break;
            }
            number += 1;
            let (id, envelope) = (mailbox(number), envelope(number));
            let Ok(position) = store.load(&id).map(|state| state.next_position(DAY)) else { return };
            let envelope_id = envelope.id();
            if number.is_multiple_of(DELETED_EACH) {
                earlier.push((id, Change::deleted(position, envelope_id, DAY), number));
            }
            let (last_day, at) = (DAY + 14, Locator::UNPLACED);
            let put = Change::Put(Arrival { position, id: envelope_id, day: DAY, last_day, at });
            store.stage(Write::Mailbox { id, change: put, envelope: Some(envelope) });
            said.push_str(&format!("stored {number}\n"));
        }
        if store.commit().is_err() || store.tidy().is_err() {
            return;
        }
        let mut out = std::io::stdout().lock();
        if out.write_all(said.as_bytes()).and_then(|()| out.flush()).is_err() {
            return;
        }
    }
}

/// The mailbox of the n-th put.
pub fn mailbox(number: u64) -> MailboxId {
    MailboxId([(number % MAILBOXES) as u8; 32])
}

/// The envelope of the n-th put.
pub fn envelope(number: u64) -> SealedEnvelope {
    let mut bytes = [0xa5; 4096];
    bytes[..8].copy_from_slice(&number.to_le_bytes());
    SealedEnvelope::parse(&bytes).expect("4096 bytes")
}
