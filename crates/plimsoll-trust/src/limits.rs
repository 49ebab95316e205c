//! How much is read of what strangers wrote. Reaching a limit is a refusal that says so.

use plimsoll_core::evidence::{Refusal, RefusalKind};

/// Bytes of one bundle or envelope. Attested lists of packages are large.
pub const BUNDLE_BYTES_MAX: usize = 32 << 20;
/// Bytes of the payload of a cosign signature.
pub const SIMPLE_SIGNING_BYTES_MAX: usize = 64 << 10;
/// Bytes of a certificate or of a public key.
pub const CERTIFICATE_BYTES_MAX: usize = 64 << 10;
/// Bytes of cosign's annotation that holds the log's entry; it can hold a whole statement.
pub const LOG_ENTRY_BYTES_MAX: usize = 4 << 20;
/// Bytes of a file of Google Cloud Build.
pub const GCB_BYTES_MAX: usize = 8 << 20;
/// Provenances in one file of Google Cloud Build.
pub const GCB_PROVENANCES_MAX: usize = 64;
/// Signatures of one provenance of Google Cloud Build.
pub const GCB_SIGNATURES_MAX: usize = 16;
/// Entries of transparency logs in one bundle.
pub const LOG_ENTRIES_MAX: usize = 16;
/// Time stamps in one bundle.
pub const TIMESTAMPS_MAX: usize = 16;
/// Subjects of one statement.
pub const SUBJECTS_MAX: usize = 10_000;
/// Materials of one provenance.
pub const MATERIALS_MAX: usize = 10_000;
/// Statements of one VEX document, and products of one of its statements.
pub const VEX_STATEMENTS_MAX: usize = 10_000;
/// Bytes of a file that holds roots of trust.
pub const ROOT_BYTES_MAX: u64 = 4 << 20;

/// Refuses `bytes` above `most`.
pub(crate) fn within(what: &str, bytes: usize, most: usize) -> Result<(), Refusal> {
    if bytes <= most {
        return Ok(());
    }
    Err(Refusal::new(
        RefusalKind::LimitReached,
        format!("{what} has {bytes} bytes, and at most {most} are read"),
    ))
}

/// Refuses more than `most` of something.
pub(crate) fn at_most(what: &str, count: usize, most: usize) -> Result<(), Refusal> {
    if count <= most {
        return Ok(());
    }
    Err(Refusal::new(RefusalKind::LimitReached, format!("{count} {what}, and at most {most} are read")))
}
