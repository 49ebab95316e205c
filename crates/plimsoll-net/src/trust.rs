//! Whom a TLS connection trusts: the system's certificate authorities and those that the user gives.

use std::fs;
use std::path::{Path, PathBuf};

use rustls_pki_types::CertificateDer;
use rustls_pki_types::pem::PemObject;
use ureq::tls::Certificate;

use crate::error::NetError;

/// Largest file of certificate authorities, in bytes. The system's whole bundle has 250 KB.
const CA_FILE_BYTES_MAX: u64 = 16 << 20;

/// Reads the files that the user gives. A file without a certificate is an error: it was given for one.
pub(crate) fn read_ca_files(paths: &[PathBuf]) -> Result<Vec<Certificate<'static>>, NetError> {
    let mut found = Vec::new();
    for path in paths {
        let certificates =
            read_ca_file(path).map_err(|reason| NetError::CaFile { path: path.clone(), reason })?;
        found.extend(certificates);
    }
    Ok(found)
}

fn read_ca_file(path: &Path) -> Result<Vec<Certificate<'static>>, String> {
    let size = fs::metadata(path).map_err(|error| error.to_string())?.len();
    if size > CA_FILE_BYTES_MAX {
        return Err(format!("{size} bytes are more than the limit of {CA_FILE_BYTES_MAX}"));
    }
    let bytes = fs::read(path).map_err(|error| error.to_string())?;
    let mut certificates = Vec::new();
    for certificate in CertificateDer::pem_slice_iter(&bytes) {
        let certificate = certificate.map_err(|error| format!("it is not correct PEM ({error})"))?;
        certificates.push(Certificate::from_der(certificate.as_ref()).to_owned());
    }
    if certificates.is_empty() {
        return Err("it holds no PEM block `CERTIFICATE`".to_owned());
    }
    Ok(certificates)
}

/// The system's authorities beside `given`, or why there are none at all.
pub(crate) fn authorities(given: &[Certificate<'static>]) -> Result<Vec<Certificate<'static>>, String> {
    let system = rustls_native_certs::load_native_certs();
    let mut all = given.to_vec();
    all.extend(system.certs.iter().map(|certificate| Certificate::from_der(certificate).to_owned()));
    if all.is_empty() {
        let reasons: Vec<String> = system.errors.iter().map(ToString::to_string).collect();
        return Err(if reasons.is_empty() { "the system has none".to_owned() } else { reasons.join(", ") });
    }
    Ok(all)
}
