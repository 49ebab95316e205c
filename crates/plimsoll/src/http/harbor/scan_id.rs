//! The id by which Harbor asks for a report: all that is needed to answer, so that any replica can, and nothing is
//! stored for it.
//!
//! It is sealed with a key that the replicas share through the store. Without the seal whoever knows a digest could make
//! an id for another project's image and read its report.

use std::time::Duration;

use aws_lc_rs::{hmac, rand};
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use jiff::{SignedDuration, Timestamp};
use plimsoll_store::{Store, StoreError};

use super::capabilities::{self, Capability};
use super::wire::Artifact;

/// Where the store keeps the key.
const KEY_SETTING: &str = "harbor-scan-id-key";
/// The duty of whoever makes it.
const KEY_DUTY: &str = "harbor-scan-id-key";
/// How long a replica may take to make it.
const KEY_DUTY_SECONDS: i64 = 10;
/// How often a replica looks whether another has made it.
const KEY_LOOKS_MAX: u32 = 20;
/// Wait between two of these looks.
const KEY_LOOK_WAIT: Duration = Duration::from_millis(100);
/// Bytes of the key.
const KEY_BYTES: usize = 32;
/// Bytes of the seal.
const SEAL_BYTES: usize = 16;
/// Longest id that is looked at.
const ID_CHARS_MAX: usize = 4_096;
/// What ids of this form begin with.
const FORM: &str = "p1";

/// What an id says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct ScanId {
    /// What was asked for: names of capabilities, joined by `+`.
    pub(super) asked: String,
    /// What is scanned.
    pub(super) artifact: Artifact,
    /// `HOST[:PORT]` of its registry.
    pub(super) registry: String,
    /// The scan: the digest's, or the one that is to lead to it.
    pub(super) scan: String,
    /// When it was asked for, in seconds of Unix time.
    pub(super) asked_at: i64,
}

impl ScanId {
    /// What it was asked for.
    pub(super) fn capabilities(&self) -> Vec<&'static Capability> {
        self.asked.split('+').filter_map(capabilities::by_name).collect()
    }

    /// How long ago it was asked for.
    pub(super) fn age(&self, now: Timestamp) -> SignedDuration {
        SignedDuration::from_secs(now.as_second().saturating_sub(self.asked_at))
    }

    /// The id as text that a URL may hold.
    pub(super) fn seal(&self, key: &hmac::Key) -> String {
        let Artifact { repository, digest, tag, mime_type } = &self.artifact;
        let asked_at = self.asked_at.to_string();
        let said = [&self.asked, &self.registry, repository, digest, tag, mime_type, &self.scan, &asked_at]
            .map(String::as_str);
        let said = URL_SAFE_NO_PAD.encode(said.join("\n"));
        format!("{FORM}.{said}.{}", URL_SAFE_NO_PAD.encode(seal(key, &said)))
    }

    /// What an id says, whoever made it.
    pub(super) fn read(id: &str) -> Option<ScanId> {
        let (said, _) = parts(id)?;
        let said = String::from_utf8(URL_SAFE_NO_PAD.decode(said).ok()?).ok()?;
        let [asked, registry, repository, digest, tag, mime_type, scan, asked_at] =
            said.split('\n').collect::<Vec<_>>().try_into().ok()?;
        Some(ScanId {
            asked: asked.to_owned(),
            artifact: Artifact {
                repository: repository.to_owned(),
                digest: digest.to_owned(),
                tag: tag.to_owned(),
                mime_type: mime_type.to_owned(),
            },
            registry: registry.to_owned(),
            scan: scan.to_owned(),
            asked_at: asked_at.parse().ok()?,
        })
    }

    /// Whether this server made an id.
    pub(super) fn is_sealed(id: &str, key: &hmac::Key) -> bool {
        let Some((said, sealed)) = parts(id) else { return false };
        let Ok(sealed) = URL_SAFE_NO_PAD.decode(sealed) else { return false };
        aws_lc_rs::constant_time::verify_slices_are_equal(&seal(key, said), &sealed).is_ok()
    }
}

fn parts(id: &str) -> Option<(&str, &str)> {
    if id.len() > ID_CHARS_MAX {
        return None;
    }
    id.strip_prefix(FORM)?.strip_prefix('.')?.split_once('.')
}

fn seal(key: &hmac::Key, said: &str) -> Vec<u8> {
    let mut sealed = hmac::sign(key, said.as_bytes()).as_ref().to_vec();
    sealed.truncate(SEAL_BYTES);
    sealed
}

/// The key that all replicas share; made by the first that needs it.
pub(super) fn key(store: &Store, replica: &str, now: fn() -> Timestamp) -> Result<hmac::Key, StoreError> {
    for _ in 0..KEY_LOOKS_MAX {
        if let Some(key) = stored(store)? {
            return Ok(key);
        }
        let (at, until) = (now(), now().saturating_add(SignedDuration::from_secs(KEY_DUTY_SECONDS)));
        if store.take_duty(KEY_DUTY, replica, until.unwrap_or(at), at)? {
            // Another replica may have made it and ended its duty since the look above.
            if stored(store)?.is_none() {
                let mut bytes = [0; KEY_BYTES];
                rand::fill(&mut bytes)
                    .map_err(|_| StoreError::Unavailable("this machine gives no random bytes".to_owned()))?;
                store.set_setting(KEY_SETTING, &URL_SAFE_NO_PAD.encode(bytes))?;
            }
            continue;
        }
        std::thread::sleep(KEY_LOOK_WAIT);
    }
    Err(StoreError::Conflict("another replica makes the key of Harbor's scan ids and takes long".to_owned()))
}

fn stored(store: &Store) -> Result<Option<hmac::Key>, StoreError> {
    let Some(text) = store.setting(KEY_SETTING)? else { return Ok(None) };
    match URL_SAFE_NO_PAD.decode(&text) {
        Ok(bytes) if bytes.len() == KEY_BYTES => Ok(Some(hmac::Key::new(hmac::HMAC_SHA256, &bytes))),
        _ => Err(StoreError::Damaged(format!("the setting `{KEY_SETTING}` is no key"))),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn id() -> ScanId {
        ScanId {
            asked: "sbom+vulnerability".to_owned(),
            artifact: Artifact {
                repository: "library/mongo".to_owned(),
                digest: format!("sha256:{}", "0".repeat(64)),
                tag: "7".to_owned(),
                mime_type: "application/vnd.oci.image.manifest.v1+json".to_owned(),
            },
            registry: "core.harbor.example".to_owned(),
            scan: "ref-0".to_owned(),
            asked_at: 1_893_456_000,
        }
    }

    #[test]
    fn an_id_leads_back_and_fits_into_a_url() {
        let key = hmac::Key::new(hmac::HMAC_SHA256, &[7; KEY_BYTES]);
        let text = id().seal(&key);
        assert_eq!(text, id().seal(&key));
        assert!(text.bytes().all(|b| b.is_ascii_alphanumeric() || b"-_.".contains(&b)), "{text}");
        assert_eq!(ScanId::read(&text), Some(id()));
        assert!(ScanId::is_sealed(&text, &key));
        assert_eq!(id().capabilities().len(), 2);
    }

    #[test]
    fn nobody_makes_an_id_of_another_image() {
        let key = hmac::Key::new(hmac::HMAC_SHA256, &[7; KEY_BYTES]);
        let text = id().seal(&key);
        let (head, sealed) = text.rsplit_once('.').unwrap();
        let other = ScanId { registry: "other.example".to_owned(), ..id() };
        let other = other.seal(&hmac::Key::new(hmac::HMAC_SHA256, &[8; KEY_BYTES]));
        let (other_head, _) = other.rsplit_once('.').unwrap();
        for forged in [
            format!("{other_head}.{sealed}"),
            other.clone(),
            format!("{head}."),
            head.to_owned(),
            format!("{head}.{}", &sealed[1..]),
            String::new(),
            "p1..".to_owned(),
            "p1.\u{e4}.\u{e4}".to_owned(),
            "sha256:00".to_owned(),
            format!("p1.{}.{sealed}", "A".repeat(5_000)),
        ] {
            assert!(!ScanId::is_sealed(&forged, &key), "{forged}");
        }
    }
}
