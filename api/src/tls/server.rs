//! The certificate that this server shows, and its key. Both are read again when the process is told that they changed.

use std::io;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::sync::{Arc, PoisonError, RwLock};

use rustls::ServerConfig;
use rustls::pki_types::PrivateKeyDer;
use rustls::pki_types::pem::PemObject;
use rustls::server::{ClientHello, ResolvesServerCert};
use rustls::sign::CertifiedKey;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio_rustls::TlsAcceptor;
use tokio_rustls::server::TlsStream;

use super::{Error, certificates, provider, read};

/// What is spoken inside, dearest first.
const PROTOCOLS: [&[u8]; 2] = [b"h2", b"http/1.1"];
/// The right of everybody to do anything with a file.
const OTHERS: u32 = 0o007;

/// Encrypts connections. Clones are cheap and the same.
#[derive(Clone)]
pub struct ServerTls {
    acceptor: TlsAcceptor,
    shown: Arc<Shown>,
}

impl std::fmt::Debug for ServerTls {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter
            .debug_struct("ServerTls")
            .field("certificate", &self.shown.certificate)
            .finish_non_exhaustive()
    }
}

impl ServerTls {
    /// Reads a certificate, with what it is signed by, and its key, both in PEM form.
    ///
    /// # Errors
    /// [`Error`].
    pub fn load(certificate: &Path, key: &Path) -> Result<Self, Error> {
        let shown = Arc::new(Shown {
            current: RwLock::new(certified(certificate, key)?),
            certificate: certificate.to_path_buf(),
            key: key.to_path_buf(),
        });
        let config = ServerConfig::builder_with_provider(provider()).with_safe_default_protocol_versions()?;
        let mut config = config.with_no_client_auth().with_cert_resolver(shown.clone());
        config.alpn_protocols = PROTOCOLS.map(<[u8]>::to_vec).to_vec();
        Ok(Self { acceptor: TlsAcceptor::from(Arc::new(config)), shown })
    }

    /// Reads both files again. Connections that are open keep what they have; if the files cannot be used, so do new ones.
    ///
    /// # Errors
    /// [`Error`].
    pub fn reload(&self) -> Result<(), Error> {
        let fresh = certified(&self.shown.certificate, &self.shown.key)?;
        *self.shown.current.write().unwrap_or_else(PoisonError::into_inner) = fresh;
        Ok(())
    }

    pub(crate) async fn accept<S: AsyncRead + AsyncWrite + Unpin>(
        &self,
        stream: S,
    ) -> io::Result<TlsStream<S>> {
        self.acceptor.accept(stream).await
    }
}

/// What is shown to whoever connects.
struct Shown {
    current: RwLock<Arc<CertifiedKey>>,
    certificate: PathBuf,
    key: PathBuf,
}

/// Says which file, never what is in it.
impl std::fmt::Debug for Shown {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.debug_struct("Shown").field("certificate", &self.certificate).finish_non_exhaustive()
    }
}

impl ResolvesServerCert for Shown {
    fn resolve(&self, _hello: ClientHello<'_>) -> Option<Arc<CertifiedKey>> {
        Some(self.current.read().unwrap_or_else(PoisonError::into_inner).clone())
    }
}

fn certified(certificate: &Path, key: &Path) -> Result<Arc<CertifiedKey>, Error> {
    let chain = certificates(certificate)?;
    let secret = secret(key)?;
    let certified = CertifiedKey::from_der(chain, secret, &provider());
    certified.map(Arc::new).map_err(|source| Error::Mismatch {
        certificate: certificate.to_path_buf(),
        key: key.to_path_buf(),
        source,
    })
}

fn secret(path: &Path) -> Result<PrivateKeyDer<'static>, Error> {
    const WHAT: &str = "private key";
    let about = std::fs::metadata(path).map_err(|source| Error::Read {
        what: WHAT,
        path: path.to_path_buf(),
        source,
    })?;
    if about.permissions().mode() & OTHERS != 0 {
        return Err(Error::Exposed { path: path.to_path_buf() });
    }
    let text = zeroize::Zeroizing::new(read(WHAT, path)?);
    PrivateKeyDer::from_pem_slice(&text).map_err(|_| Error::Content { what: WHAT, path: path.to_path_buf() })
}
