//! TLS 1.3 with one certificate that is believed.

use std::path::Path;

use anyhow::Context as _;
use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject as _;
use rustls::{ClientConfig, RootCertStore};

/// A client that believes this certificate alone and speaks TLS 1.3 alone.
pub fn client(certificate: &Path) -> anyhow::Result<ClientConfig> {
    let certificate = CertificateDer::from_pem_file(certificate).context("reading the certificate")?;
    let mut roots = RootCertStore::empty();
    roots.add(certificate)?;
    let versions = [&rustls::version::TLS13];
    Ok(ClientConfig::builder_with_protocol_versions(&versions)
        .with_root_certificates(roots)
        .with_no_client_auth())
}
