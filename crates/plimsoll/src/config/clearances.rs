//! `[clearances]` and `[admission]`: what clearances are judged by that a server is asked for, and what a cluster is told
//! that asks whether pods may start.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::time::Duration;

use anyhow::bail;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::MetricsAccess;
use super::units::Time;
use crate::access::pattern;

/// Clearances that the server is asked for. Whoever asks names a policy and never brings one.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub(crate) struct ClearancesConfig {
    /// What is demanded, by names of your choice: the files of policies, of which the first whose `when` holds is meant.
    /// They are read for each clearance, so that what changes in them holds from then on.
    pub(crate) policies: BTreeMap<String, Vec<PathBuf>>,
    /// How long a clearance may be acted on at most. Shorter where a date in the policy comes before, or where the
    /// advisories become older than the policy allows.
    pub(crate) hold_max: Time,
    /// Clearances that this replica works on at once; 0 where others do.
    pub(crate) workers: u32,
    /// How often a clearance is tried before what could not be told is recorded as undecided.
    pub(crate) attempts_max: u32,
    /// Longest time that one attempt may take.
    pub(crate) attempt_time_max: Time,
}

impl Default for ClearancesConfig {
    fn default() -> ClearancesConfig {
        ClearancesConfig {
            policies: BTreeMap::new(),
            hold_max: Time(Duration::from_secs(24 * 3600)),
            workers: 1,
            attempts_max: 3,
            attempt_time_max: Time(Duration::from_secs(3600)),
        }
    }
}

impl ClearancesConfig {
    /// The policy that is meant: the one that is named, or the only one. Without any policy, the empty name.
    pub(crate) fn policy(&self, named: Option<&str>) -> Result<&str, String> {
        let names = || format!("`{}`", self.policies.keys().cloned().collect::<Vec<_>>().join("`, `"));
        match named {
            Some(name) => match self.policies.get_key_value(name) {
                Some((name, _)) => Ok(name),
                None if self.policies.is_empty() => Err(format!(
                    "there is no policy `{name}`: none is configured in `policies` of `[clearances]`"
                )),
                None => Err(format!("there is no policy `{name}`; there are {}", names())),
            },
            None => match self.policies.len() {
                0 => Ok(""),
                1 => Ok(self.policies.keys().next().map_or("", String::as_str)),
                _ => Err(format!("say by which `policy`: {}", names())),
            },
        }
    }

    pub(super) fn check(&self) -> anyhow::Result<()> {
        for (name, files) in &self.policies {
            if files.is_empty() || name.is_empty() {
                bail!("`{name}` in `policies` of `[clearances]` names no files; name at least one policy");
            }
        }
        Ok(())
    }
}

/// What a Kubernetes cluster is told that asks whether pods may start: by records alone, nothing is scanned for it.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub(crate) struct AdmissionConfig {
    /// Whether anybody is answered.
    pub(crate) enabled: bool,
    /// Who may ask: `read` for tokens that may read, or `everybody`, since clusters seldom say who they are.
    pub(crate) access: MetricsAccess,
    /// By which policy of `[clearances]` a digest must be cleared. Needed where admission is enabled.
    pub(crate) policy: String,
    /// What comes of a digest of which no record speaks, or whose clearance has run out.
    pub(crate) unknown: Unknown,
    /// Whether a record counts in whichever repository the digest was judged. Otherwise it is the pod's own, as source
    /// or as destination.
    pub(crate) any_repository: bool,
    /// What is different for namespaces, by name or pattern (`dev-*`); of several patterns the longest counts.
    pub(crate) namespaces: BTreeMap<String, NamespaceConfig>,
    /// How old the advisory database may be before `/readyz` says that the server is not ready. Without it the age alone
    /// does not make it so.
    pub(crate) database_age_max: Option<Time>,
}

impl Default for AdmissionConfig {
    fn default() -> AdmissionConfig {
        AdmissionConfig {
            enabled: false,
            access: MetricsAccess::Read,
            policy: String::new(),
            unknown: Unknown::Deny,
            any_repository: false,
            namespaces: BTreeMap::new(),
            database_age_max: None,
        }
    }
}

/// What is different for a namespace.
#[derive(Clone, Debug, Default, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub(crate) struct NamespaceConfig {
    /// By which policy a digest must be cleared, in place of the usual one.
    pub(crate) policy: Option<String>,
    /// What comes of a digest that is not known, in place of the usual.
    pub(crate) unknown: Option<Unknown>,
    /// Whether a record counts in whichever repository, in place of the usual.
    pub(crate) any_repository: Option<bool>,
}

/// What comes of a digest that is not known.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
#[schemars(title = "`\"deny\"` or `\"warn\"`")]
pub(crate) enum Unknown {
    /// It may not start.
    #[default]
    Deny,
    /// It may, and whoever starts it is warned.
    Warn,
}

/// What holds in a namespace.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Rules<'c> {
    pub(crate) policy: &'c str,
    pub(crate) unknown: Unknown,
    pub(crate) any_repository: bool,
}

impl AdmissionConfig {
    /// What holds in a namespace; what has none is held to the usual.
    pub(crate) fn rules(&self, namespace: &str) -> Rules<'_> {
        let is_it = |(name, _): &(&String, &NamespaceConfig)| pattern::matches(name, namespace);
        let matching = self.namespaces.iter().filter(|_| !namespace.is_empty()).filter(is_it);
        let own = matching.max_by_key(|(name, _)| name.len()).map(|(_, own)| own);
        Rules {
            policy: own.and_then(|own| own.policy.as_deref()).unwrap_or(&self.policy),
            unknown: own.and_then(|own| own.unknown).unwrap_or(self.unknown),
            any_repository: own.and_then(|own| own.any_repository).unwrap_or(self.any_repository),
        }
    }

    pub(super) fn check(&self, clearances: &ClearancesConfig) -> anyhow::Result<()> {
        if !self.enabled {
            return Ok(());
        }
        let own = self.namespaces.values().filter_map(|own| own.policy.as_ref());
        for policy in [&self.policy].into_iter().chain(own) {
            if !clearances.policies.contains_key(policy) {
                bail!(
                    "`policy` of `[admission]` is `{policy}`, which is none of `policies` of `[clearances]`; name one by \
                     which digests are cleared"
                );
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use crate::config::Config;

    use super::*;

    const POLICIES: &str = "[clearances.policies]\nstrict = ['a.yaml']\nlax = ['b.yaml']\n";

    #[test]
    fn what_holds_in_a_namespace() {
        let config = format!(
            "{POLICIES}[admission]\nenabled = true\npolicy = 'strict'\n\
             [admission.namespaces.'dev-*']\nunknown = 'warn'\nany_repository = true\n\
             [admission.namespaces.'dev-a*']\npolicy = 'lax'\n"
        );
        let config = Config::parse(&config).unwrap().admission;
        let usual = Rules { policy: "strict", unknown: Unknown::Deny, any_repository: false };
        for (namespace, wanted) in [
            ("", usual),
            ("shop", usual),
            ("dev-", Rules { unknown: Unknown::Warn, any_repository: true, ..usual }),
            ("dev-abc", Rules { policy: "lax", ..usual }),
        ] {
            assert_eq!(config.rules(namespace), wanted, "{namespace}");
        }
    }

    #[test]
    fn what_contradicts_itself_is_refused() {
        for bad in [
            "[admission]\nenabled = true\n".to_owned(),
            format!("{POLICIES}[admission]\nenabled = true\npolicy = 'strikt'\n"),
            format!("{POLICIES}[admission]\nenabled = true\n[admission.namespaces.x]\npolicy = 'y'\n"),
            "[clearances.policies]\nempty = []\n".to_owned(),
        ] {
            assert!(Config::parse(&bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn the_policy_that_is_meant() {
        let two = Config::parse(POLICIES).unwrap().clearances;
        assert_eq!(two.policy(Some("lax")), Ok("lax"));
        assert!(two.policy(None).unwrap_err().contains("`lax`, `strict`"));
        assert!(two.policy(Some("x")).unwrap_err().contains("`lax`, `strict`"));
        let one = Config::parse("[clearances.policies]\nonly = ['a.yaml']\n").unwrap().clearances;
        assert_eq!(one.policy(None), Ok("only"));
        assert_eq!(ClearancesConfig::default().policy(None), Ok(""));
    }
}
