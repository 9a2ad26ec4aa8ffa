//! What may stand in the dependency tree: licences, banned crates, and crates of which there is one copy.
//!
//! A change here is a decision: it carries its reason in the line.

/// Licences that suit "Apache-2.0 OR MIT".
pub const ALLOWED_LICENCES: &[&str] =
    &["Apache-2.0", "BSD-2-Clause", "BSD-3-Clause", "ISC", "MIT", "Unicode-3.0", "Zlib"];

/// A crate that may not come in, or only from a version on.
pub struct Ban {
    /// The crate; a last `*` stands for any ending.
    pub name: &'static str,
    /// The first version that is allowed; none where no version is.
    pub allowed_from: Option<(u64, u64, u64)>,
    pub reason: &'static str,
}

/// `ring` is not here: quinn-proto names it for browsers, where we do not use quinn.
pub const BANS: &[Ban] = &[
    never("blind-rsa-signatures", "unaudited, with an open advisory"),
    never(
        "equix",
        "LGPL-3.0-only and digest 0.10: comes as a crate of its own with a decision record, or not at all",
    ),
    never("h3", "unmaintained since May 2025"),
    never("h3-webtransport", "unmaintained since May 2025"),
    never("libsignal*", "AGPL, and not published as crates"),
    never("native-tls", "rustls is the one TLS stack"),
    never("openssl*", "rustls is the one TLS stack"),
    never("privacypass", "unaudited, with an open advisory"),
    never("spqr", "AGPL"),
    never("vodozemac", "no post-quantum part, counters in clear; a benchmark peer in tests/peers only"),
    never("voprf", "an older generation of digest and curve crates"),
    never("wtransport", "can't take over an accepted connection"),
    from("chacha20poly1305", (0, 11, 0), "an older rand_core and digest generation doubles the tree"),
    from("ed25519-dalek", (3, 0, 0), "an older rand_core and digest generation doubles the tree"),
    from("ml-kem", (0, 3, 4), "earlier versions had secret-dependent look-ups"),
    from("quinn-proto", (0, 11, 19), "earlier versions have known faults in stream reassembly"),
    from("x25519-dalek", (3, 0, 0), "an older rand_core and digest generation doubles the tree"),
];

const fn never(name: &'static str, reason: &'static str) -> Ban {
    Ban { name, allowed_from: None, reason }
}

const fn from(name: &'static str, version: (u64, u64, u64), reason: &'static str) -> Ban {
    Ban { name, allowed_from: Some(version), reason }
}

/// Of these exactly one copy may stand in what is shipped: two generations of a primitive are two things to trust.
pub const ONE_COPY: &[&str] = &[
    "aead",
    "argon2",
    "aws-lc-rs",
    "aws-lc-sys",
    "blake2",
    "chacha20",
    "chacha20poly1305",
    "cipher",
    "crypto-common",
    "curve25519-dalek",
    "digest",
    "ed25519-dalek",
    "hkdf",
    "hmac",
    "hpke",
    "ml-kem",
    "poly1305",
    "rand_core",
    "rustls",
    "sha2",
    "sha3",
    "signature",
    "subtle",
    "x-wing",
    "x25519-dalek",
    "zeroize",
];
