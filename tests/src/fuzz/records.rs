//! What a relay's store and its operator give it to read: records, changes, and the config.

use poterne_relay::config::{self, Config};
use poterne_relay::store::page::Address;
use poterne_relay::store::record::{Content, Owner, Record};
use poterne_relay_core::change::Change;
use poterne_relay_core::state::MailboxState;

/// A record of the log and a change, applied to a mailbox of which nothing is known.
pub(super) fn records(bytes: &[u8]) {
    let at = Address::from_number(5 << 32 | 7 << 14);
    if let Ok(record) = Record::decode(bytes, at) {
        let again = Record::decode(&record.encode(), at);
        assert!(again.is_ok_and(|again| again == record), "a record comes back as it was");
        let _ = (record.until(), record.served_until());
    }
    if let Ok(change) = Change::decode(bytes) {
        assert_eq!(change.encode(), bytes);
        MailboxState::default().apply(&change);
    }
}

pub(super) fn seeds() -> Vec<Vec<u8>> {
    let change = Change::Closed { last_day: poterne_protocol::time::Day(7) };
    let record = Record::new(Owner([1; 32]), vec![], Content::change(change.clone()));
    vec![record.encode(), change.encode()]
}

/// A relay's config file.
pub(super) fn config(bytes: &[u8]) {
    if let Ok(text) = core::str::from_utf8(bytes) {
        let _ = config::is_accepted(text);
    }
}

pub(super) fn config_seeds() -> Vec<Vec<u8>> {
    vec![Config::sample().into_bytes(), b"listen = \"127.0.0.1:4433\"\npermits = false\n".to_vec()]
}
