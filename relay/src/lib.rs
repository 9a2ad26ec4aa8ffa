//! The relay daemon (docs/spec/relay.md, docs/operators/relay.md): sockets, disk, clock and configuration around the
//! rules of `poterne-relay-core`.

pub mod cli;
pub mod clock;
pub mod config;
pub mod doctor;
pub mod door;
pub mod engine;
pub mod hardening;
pub mod identity_file;
pub mod init;
pub mod instance_lock;
pub mod logging;
pub mod metrics;
pub mod private_file;
pub mod request_key_dir;
pub mod run;
pub mod store;
pub mod today;
