//! What a relay is put through: crowds that keep books, strangers that keep no rules, disks that fail
//! (docs/spec/relay.md, docs/spec/store.md, docs/threat-model.md).
//!
//! The tests judge by counts of envelopes, bytes, descriptors and states, never by times. Each runs with a small count
//! in `cargo xtask test` and with its full one in `cargo xtask soak NAME`.

pub mod count;
pub mod crowd;
pub mod image;
pub mod leaky;
pub mod ledger;
pub mod load;
pub mod preload;
pub mod process;
pub mod siege;
pub mod stranger;
