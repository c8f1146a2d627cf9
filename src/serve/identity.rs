//! The listener's TLS, from the files that the configuration names.

use std::fmt;
use std::path::Path;
use std::sync::Arc;

use rustls::crypto::ring;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::{KeyLogFile, ServerConfig};

use super::config::Tls;

/// Why TLS can't be spoken, and which file is to blame.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct IdentityError {
    /// The key of the configuration's `tls` that names the file to blame: `certificate` or `key`.
    pub key: &'static str,
    message: String,
}

impl fmt::Display for IdentityError {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(&self.message)
    }
}

impl std::error::Error for IdentityError {}

/// Reads certificate and key.
///
/// # Errors
///
/// If a file can't be read, or they don't belong together.
pub fn server_config(tls: &Tls) -> Result<Arc<ServerConfig>, IdentityError> {
    let fault = |key, file: &Path, error: &dyn fmt::Display| IdentityError {
        key,
        message: format!("{}: {error}", file.display()),
    };
    let of_certificate = |error: &dyn fmt::Display| fault("certificate", &tls.certificate, error);
    let chain = CertificateDer::pem_file_iter(&tls.certificate)
        .and_then(Iterator::collect::<Result<Vec<_>, _>>)
        .map_err(|error| of_certificate(&error))?;
    if chain.is_empty() {
        return Err(of_certificate(&"there is no certificate in it"));
    }
    let key = PrivateKeyDer::from_pem_file(&tls.key).map_err(|error| fault("key", &tls.key, &error))?;
    // Named, since a program with two providers has no default.
    let builder = ServerConfig::builder_with_provider(Arc::new(ring::default_provider()))
        .with_safe_default_protocol_versions()
        .map_err(|error| of_certificate(&error))?;
    let mut config =
        builder.with_no_client_auth().with_single_cert(chain, key).map_err(|error| of_certificate(&error))?;
    // Does nothing unless `SSLKEYLOGFILE` names a file: then what is captured here can be read, and replayed.
    config.key_log = Arc::new(KeyLogFile::new());
    config.alpn_protocols = tls.alpn.iter().map(|name| name.clone().into_bytes()).collect();
    Ok(Arc::new(config))
}
