//! TLS of the HTTP interface, as a server and as a client: rustls with ring, TLS 1.2 and 1.3 (docs/adr/0015).
//!
//! Whoever reads a key file may pose as this server, so a file that everybody on the machine can read is refused. Nothing
//! that is read from a key file stands in an error or in the log.

mod client;
mod server;

use std::path::{Path, PathBuf};
use std::sync::Arc;

use rustls::crypto::CryptoProvider;
use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject;

pub use client::{Trust, client_config};
pub use server::ServerTls;

/// Why TLS cannot be used as it is set.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// A file cannot be read.
    #[error("reading the {what} {path}")]
    Read {
        /// What is in it.
        what: &'static str,
        /// Which file.
        path: PathBuf,
        /// What went wrong.
        #[source]
        source: std::io::Error,
    },
    /// Everybody on this machine could pose as this server.
    #[error(
        "everybody on this machine can read the key {path}: take that right away with `chmod o-rwx`, and make a new key if \
         others are on it"
    )]
    Exposed {
        /// Which file.
        path: PathBuf,
    },
    /// A file does not hold what it should. What it holds instead is not said: it may be secret.
    #[error("{path} holds no {what} in PEM form")]
    Content {
        /// What should be in it.
        what: &'static str,
        /// Which file.
        path: PathBuf,
    },
    /// The key is not the one of the certificate, or not one that can be used.
    #[error("the key {key} does not go with the certificate {certificate}")]
    Mismatch {
        /// The file of the certificate.
        certificate: PathBuf,
        /// The file of the key.
        key: PathBuf,
        /// What is wrong.
        #[source]
        source: rustls::Error,
    },
    /// One file without the other.
    #[error("{given} is set and {missing} is not: a certificate and its key go together")]
    Half {
        /// The setting that is there.
        given: &'static str,
        /// The one that is not.
        missing: &'static str,
    },
    /// The system has no certificates to trust.
    #[error("the system names no certificate authority to trust; name a file of them with --ca-file")]
    NoRoots,
    /// The library refuses what it is asked for.
    #[error("setting TLS up")]
    Library(#[from] rustls::Error),
}

fn provider() -> Arc<CryptoProvider> {
    Arc::new(rustls::crypto::ring::default_provider())
}

fn read(what: &'static str, path: &Path) -> Result<Vec<u8>, Error> {
    std::fs::read(path).map_err(|source| Error::Read { what, path: path.to_path_buf(), source })
}

/// The certificates of a file, at least one.
fn certificates(path: &Path) -> Result<Vec<CertificateDer<'static>>, Error> {
    const WHAT: &str = "certificate";
    let text = read(WHAT, path)?;
    let content = || Error::Content { what: WHAT, path: path.to_path_buf() };
    let found: Result<Vec<_>, _> = CertificateDer::pem_slice_iter(&text).collect();
    match found {
        Ok(found) if !found.is_empty() => Ok(found),
        _ => Err(content()),
    }
}
