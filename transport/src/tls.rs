//! TLS 1.3 below QUIC (docs/spec/transport.md §2): post-quantum key exchange only, certificates not believed.
//!
//! The handshake's signature is still verified, so that a connection is with one peer from its start to its end. Who
//! that peer is, the descriptor tells. No early data, and no resumption: a ticket would link two connections.

use std::sync::Arc;

use quinn::crypto::rustls::{QuicClientConfig, QuicServerConfig};
use rustls::client::Resumption;
use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::crypto::{CryptoProvider, aws_lc_rs, verify_tls13_signature};
use rustls::pki_types::{CertificateDer, PrivateKeyDer, ServerName, UnixTime};
use rustls::server::NoServerSessionStorage;
use rustls::{DigitallySignedStruct, Error, PeerIncompatible, SignatureScheme};

/// The application protocol of a relay's own QUIC (RFC 7301).
pub(crate) const ALPN: &[u8] = b"poterne/1";
/// The name in the certificate. Nobody reads it; a generated one would be a mark.
const CERTIFICATE_NAME: &str = "localhost";

/// X25519 with ML-KEM-768 (draft-ietf-tls-ecdhe-mlkem) is the one group that either side offers.
fn provider() -> Arc<CryptoProvider> {
    let kx_groups = vec![aws_lc_rs::kx_group::X25519MLKEM768];
    Arc::new(CryptoProvider { kx_groups, ..aws_lc_rs::default_provider() })
}

/// What a client offers.
pub(crate) fn client_config() -> QuicClientConfig {
    let provider = provider();
    let verifier = Arc::new(AnyCertificate(provider.clone()));
    let mut config = rustls::ClientConfig::builder_with_provider(provider)
        .with_protocol_versions(&[&rustls::version::TLS13])
        .expect("the provider has TLS 1.3 suites")
        .dangerous()
        .with_custom_certificate_verifier(verifier)
        .with_no_client_auth();
    config.alpn_protocols = vec![ALPN.to_vec()];
    config.resumption = Resumption::disabled();
    QuicClientConfig::try_from(config).expect("the provider has the suite of QUIC's first packets")
}

/// What a relay offers, with a certificate that lives as long as the process.
pub(crate) fn server_config() -> QuicServerConfig {
    let (certificate, key) = self_signed();
    let mut config = rustls::ServerConfig::builder_with_provider(provider())
        .with_protocol_versions(&[&rustls::version::TLS13])
        .expect("the provider has TLS 1.3 suites")
        .with_no_client_auth()
        .with_single_cert(vec![certificate], key)
        .expect("the certificate and its key were made together");
    config.alpn_protocols = vec![ALPN.to_vec()];
    config.session_storage = Arc::new(NoServerSessionStorage {});
    config.send_tls13_tickets = 0;
    QuicServerConfig::try_from(config).expect("the provider has the suite of QUIC's first packets")
}

/// ECDSA P-256, which every carrier's client can verify.
fn self_signed() -> (CertificateDer<'static>, PrivateKeyDer<'static>) {
    let made = rcgen::generate_simple_self_signed([CERTIFICATE_NAME.to_owned()])
        .expect("a P-256 key and its certificate can always be made");
    let key = PrivateKeyDer::try_from(made.signing_key.serialize_der()).expect("the key was just encoded");
    (made.cert.der().clone(), key)
}

/// Takes any certificate, and holds the peer to it.
#[derive(Debug)]
struct AnyCertificate(Arc<CryptoProvider>);

impl ServerCertVerifier for AnyCertificate {
    fn verify_server_cert(
        &self,
        _end_entity: &CertificateDer<'_>,
        _intermediates: &[CertificateDer<'_>],
        _server_name: &ServerName<'_>,
        _ocsp_response: &[u8],
        _now: UnixTime,
    ) -> Result<ServerCertVerified, Error> {
        Ok(ServerCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        _message: &[u8],
        _certificate: &CertificateDer<'_>,
        _signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        Err(Error::PeerIncompatible(PeerIncompatible::Tls12NotOffered))
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        verify_tls13_signature(message, certificate, signature, &self.0.signature_verification_algorithms)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.0.signature_verification_algorithms.supported_schemes()
    }
}

#[cfg(test)]
mod tests {
    use rustls::NamedGroup;

    use super::*;

    #[test]
    fn the_post_quantum_group_is_the_only_one() {
        let names: Vec<NamedGroup> = provider().kx_groups.iter().map(|group| group.name()).collect();
        assert_eq!(names, [NamedGroup::X25519MLKEM768]);
    }

    #[test]
    fn both_configs_can_be_made() {
        client_config();
        server_config();
    }
}
