//! Whom a client believes.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::crypto::{CryptoProvider, verify_tls12_signature, verify_tls13_signature};
use rustls::pki_types::{CertificateDer, ServerName, UnixTime};
use rustls::{ClientConfig, DigitallySignedStruct, RootCertStore, SignatureScheme};

use super::{Error, certificates, provider};

/// Which servers a client believes to be who they say.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub enum Trust {
    /// Those with a certificate that an authority of the system vouches for.
    #[default]
    System,
    /// Those with a certificate that an authority of this file vouches for.
    Authorities(PathBuf),
    /// The one with the very certificate of this file, whatever it is called: a process that asks the server beside it,
    /// by an address that no certificate names.
    Exactly(PathBuf),
    /// None.
    Nobody,
}

/// How a client with such trust connects.
///
/// # Errors
/// [`Error`].
pub fn client_config(trust: &Trust) -> Result<ClientConfig, Error> {
    let config = ClientConfig::builder_with_provider(provider()).with_safe_default_protocol_versions()?;
    Ok(match trust {
        Trust::System => config.with_root_certificates(system()?).with_no_client_auth(),
        Trust::Authorities(path) => config.with_root_certificates(authorities(path)?).with_no_client_auth(),
        Trust::Nobody => config.with_root_certificates(RootCertStore::empty()).with_no_client_auth(),
        Trust::Exactly(path) => {
            let verifier = Arc::new(Exactly { certificate: first(path)?, provider: provider() });
            config.dangerous().with_custom_certificate_verifier(verifier).with_no_client_auth()
        }
    })
}

fn system() -> Result<RootCertStore, Error> {
    let mut roots = RootCertStore::empty();
    roots.add_parsable_certificates(rustls_native_certs::load_native_certs().certs);
    if roots.is_empty() { Err(Error::NoRoots) } else { Ok(roots) }
}

fn authorities(path: &Path) -> Result<RootCertStore, Error> {
    let mut roots = RootCertStore::empty();
    for certificate in certificates(path)? {
        roots.add(certificate)?;
    }
    Ok(roots)
}

fn first(path: &Path) -> Result<CertificateDer<'static>, Error> {
    let missing = || Error::Content { what: "certificate", path: path.to_path_buf() };
    certificates(path)?.into_iter().next().ok_or_else(missing)
}

/// Believes one certificate. That the server has its key is proved by the handshake, as for any other.
#[derive(Debug)]
struct Exactly {
    certificate: CertificateDer<'static>,
    provider: Arc<CryptoProvider>,
}

impl ServerCertVerifier for Exactly {
    fn verify_server_cert(
        &self,
        end_entity: &CertificateDer<'_>,
        _intermediates: &[CertificateDer<'_>],
        _server_name: &ServerName<'_>,
        _ocsp_response: &[u8],
        _now: UnixTime,
    ) -> Result<ServerCertVerified, rustls::Error> {
        if *end_entity == self.certificate {
            Ok(ServerCertVerified::assertion())
        } else {
            Err(rustls::Error::General(
                "the server shows another certificate than the one it should".to_owned(),
            ))
        }
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        verify_tls12_signature(message, certificate, signed, &self.provider.signature_verification_algorithms)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        verify_tls13_signature(message, certificate, signed, &self.provider.signature_verification_algorithms)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.provider.signature_verification_algorithms.supported_schemes()
    }
}
