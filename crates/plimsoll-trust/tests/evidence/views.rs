//! What a user may trust and demand when evidence is verified: a row each. Under some of them the whole evidence is refused,
//! and then everything that is made of it must be.

use plimsoll_core::digest::Digest;
use plimsoll_core::evidence::{Item, LogProof, Proof, Standing};
use plimsoll_trust::keys::TrustedKey;
use plimsoll_trust::root::{Demands, Trust};
use serde_json::json;

use crate::kinds::{AT, Case, NOW, trust_of};

/// One way to look at evidence.
pub(crate) struct View {
    pub(crate) name: &'static str,
    pub(crate) trust: fn(&Case) -> Trust,
    /// Whether it is looked at for another digest.
    pub(crate) other_digest: bool,
}

const fn view(name: &'static str, trust: fn(&Case) -> Trust) -> View {
    View { name, trust, other_digest: false }
}

/// All ways; the first demands what the kind has, and trusts who made it.
pub(crate) static VIEWS: &[View] = &[
    view("as it should be", Case::trust),
    View { other_digest: true, ..view("for another digest", Case::trust) },
    view("with a stranger's roots", |case| rooted(case, &case.stranger.trusted_root())),
    view("without authorities", |case| without(case, "certificateAuthorities")),
    view("without logs of certificates", |case| without(case, "ctlogs")),
    view("without transparency logs", |case| without(case, "tlogs")),
    view("without time authorities", |case| without(case, "timestampAuthorities")),
    view("demanding everything", |case| {
        let key = with(case.trusted_key(), |key| key.needs_log = true);
        case.trust().with_demands(Demands { log: true, sct: true }).with_keys(vec![key])
    }),
    view("demanding nothing", |case| {
        let key = with(case.trusted_key(), |key| key.needs_log = false);
        case.trust().with_demands(Demands { log: false, sct: false }).with_keys(vec![key])
    }),
    view("with no key", |case| case.trust().with_keys(Vec::new())),
    view("with another key first", |case| {
        case.trust().with_keys(vec![another_key(case), case.trusted_key()])
    }),
    view("with another key alone", |case| case.trust().with_keys(vec![another_key(case)])),
    view("with a key that ended", |case| {
        case.trust().with_keys(vec![with(case.trusted_key(), |key| key.until = Some(AT - 1))])
    }),
    view("with a key that begins later", |case| {
        case.trust().with_keys(vec![with(case.trusted_key(), |key| key.from = Some(AT + 600))])
    }),
    view("with a key that ended since", |case| {
        case.trust().with_keys(vec![with(case.trusted_key(), |key| key.until = Some(NOW - 1))])
    }),
];

impl View {
    pub(crate) fn digest<'a>(&self, case: &'a Case) -> &'a Digest {
        if self.other_digest { &case.other } else { &case.digest }
    }
}

fn rooted(case: &Case, root: &str) -> Trust {
    trust_of(root).with_demands(case.demands()).with_keys(vec![case.trusted_key()])
}

fn without(case: &Case, field: &str) -> Trust {
    let mut root = case.pki.trusted_root_value();
    root[field] = json!([]);
    rooted(case, &root.to_string())
}

fn another_key(case: &Case) -> TrustedKey {
    let mut key = TrustedKey::from_pem(Some("other"), &case.pki.key("other").public_pem()).unwrap();
    key.needs_log = case.trusted_key().needs_log;
    key
}

fn with(mut key: TrustedKey, change: impl FnOnce(&mut TrustedKey)) -> TrustedKey {
    change(&mut key);
    key
}

/// In what `item` stands better than `whole`, if it does.
pub(crate) fn better(item: &Item, whole: &Item) -> Option<String> {
    let proof = match &item.standing {
        Standing::Proven(proof) => proof,
        Standing::Refused(_) => return None,
        // Signed evidence never becomes a mere claim, which a policy might take for something else.
        other => return Some(format!("it is {}", other.name())),
    };
    let Standing::Proven(of_whole) = &whole.standing else {
        return Some("it is proven, and the whole is refused".to_owned());
    };
    if item.content != whole.content {
        return Some("it says something else".to_owned());
    }
    better_proof(proof, of_whole)
}

fn better_proof(proof: &Proof, whole: &Proof) -> Option<String> {
    if proof.signer != whole.signer {
        return Some("somebody else signed it".to_owned());
    }
    if let Some(time) = proof.times.iter().find(|time| !whole.times.contains(time)) {
        return Some(format!("it has the time {time:?}"));
    }
    let logs = |log: Option<LogProof>| match log {
        None => (false, false),
        Some(LogProof::Promise) => (true, false),
        Some(LogProof::Inclusion) => (false, true),
        Some(LogProof::Both) => (true, true),
    };
    let (promise, inclusion) = logs(proof.checked.log);
    let (of_promise, of_inclusion) = logs(whole.checked.log);
    let more = proof.checked.certificate && !whole.checked.certificate
        || proof.checked.sct && !whole.checked.sct
        || promise && !of_promise
        || inclusion && !of_inclusion;
    more.then(|| format!("{:?} is more than {:?}", proof.checked, whole.checked))
}
