//! What the fuzz farm runs (`tests/fuzz`, CONTRIBUTING.md): the bodies of its targets, as ordinary functions over any bytes.
//!
//! The farm feeds them with bytes that it invents; `tests/tests/corpora.rs` replays the bytes that it kept. A target may
//! refuse its input and must not panic: what it asserts holds for whatever comes in.

mod channel;
mod client;
mod dice;
mod log;
mod picture;
mod ratchet;
mod records;
mod vault;
mod wire;

/// One target.
pub struct Target {
    /// Its name, that of its corpus, and that of its program in `tests/fuzz`.
    pub name: &'static str,
    /// Takes any bytes.
    pub run: fn(&[u8]),
    /// Bytes to begin with: true ones, as far as there are some.
    pub seeds: fn() -> Vec<Vec<u8>>,
}

/// All targets, by name.
pub const TARGETS: &[Target] = &[
    Target { name: "address", run: wire::address, seeds: wire::address_seeds },
    Target { name: "annex", run: client::annex, seeds: || client::seeds("annex") },
    Target { name: "answer", run: wire::answer, seeds: wire::answer_seeds },
    Target { name: "attachment", run: client::attachment, seeds: || client::seeds("attachment") },
    Target { name: "body", run: client::body, seeds: || client::seeds("body") },
    Target { name: "card", run: wire::card, seeds: wire::card_seeds },
    Target { name: "certificates", run: client::certificates, seeds: || client::seeds("certificates") },
    Target { name: "channel", run: channel::channel, seeds: channel::seeds },
    Target { name: "config", run: records::config, seeds: records::config_seeds },
    Target { name: "continued", run: channel::continued, seeds: channel::seeds },
    Target { name: "descriptor", run: wire::descriptor, seeds: wire::descriptor_seeds },
    Target { name: "first_contact", run: client::first_contact, seeds: || client::seeds("first_contact") },
    Target { name: "frame", run: wire::frame, seeds: wire::frame_seeds },
    Target { name: "headers", run: client::headers, seeds: || client::seeds("header") },
    Target { name: "log", run: log::log, seeds: log::seeds },
    Target { name: "log_entry", run: client::log_entry, seeds: || client::seeds("log_entry") },
    Target { name: "notice_head", run: client::notice_head, seeds: || client::seeds("notice_head") },
    Target { name: "passphrase", run: client::passphrase, seeds: client::passphrase_seeds },
    Target { name: "picture", run: picture::picture, seeds: picture::seeds },
    Target { name: "ratchet", run: ratchet::ratchet, seeds: ratchet::seeds },
    Target { name: "records", run: records::records, seeds: records::seeds },
    Target { name: "request", run: wire::request, seeds: wire::request_seeds },
    Target { name: "short_layouts", run: client::short_layouts, seeds: || client::seeds("short_layouts") },
    Target { name: "stored_states", run: client::stored_states, seeds: || client::seeds("stored_states") },
    Target { name: "vault", run: vault::vault, seeds: vault::seeds },
];

/// Runs the target of that name.
///
/// # Panics
/// Where there is none, or where the target has found something.
pub fn run(name: &str, bytes: &[u8]) {
    let target = TARGETS.iter().find(|target| target.name == name).expect("the target is in the table");
    (target.run)(bytes);
}
