//! One certificate for all peers, made for the run.

use std::path::{Path, PathBuf};

use anyhow::Context as _;
use base64ct::{Base64, Encoding as _};

/// The files of a certificate for localhost.
pub struct Certificate {
    /// The certificate.
    pub certificate: PathBuf,
    /// Its key.
    pub key: PathBuf,
}

impl Certificate {
    /// Makes one in `folder`.
    pub fn make(folder: &Path) -> anyhow::Result<Self> {
        let made = rcgen::generate_simple_self_signed(vec!["localhost".to_owned()])?;
        let files = Self { certificate: folder.join("cert.pem"), key: folder.join("key.pem") };
        let certificate = pem("CERTIFICATE", made.cert.der());
        let key = pem("PRIVATE KEY", &made.signing_key.serialize_der());
        std::fs::write(&files.certificate, certificate).context("writing the certificate")?;
        std::fs::write(&files.key, key).context("writing its key")?;
        Ok(files)
    }
}

/// RFC 7468.
fn pem(label: &str, der: &[u8]) -> String {
    let letters = Base64::encode_string(der);
    let mut text = format!("-----BEGIN {label}-----\n");
    for line in letters.as_bytes().chunks(64) {
        text.extend(line.iter().map(|letter| char::from(*letter)));
        text.push('\n');
    }
    text.push_str(&format!("-----END {label}-----\n"));
    text
}
