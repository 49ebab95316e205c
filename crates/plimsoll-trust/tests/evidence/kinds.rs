//! The kinds of evidence that the tests make: a row each, of what it is made and what is demanded of it.

use std::cell::OnceCell;

use plimsoll_core::digest::Digest;
use plimsoll_core::evidence::{Item, LogProof, Place, Proof, Scheme, Standing};
use plimsoll_testkit::pki::{
    Bundle, BundleVersion, CosignLayer, Identity, Key, Makers, Pki, Signed, Workflow, statements,
};
use plimsoll_trust::keys::TrustedKey;
use plimsoll_trust::root::{Demands, Trust};
use plimsoll_trust::{bundle, cosign};

/// When everything is signed, and when it is judged.
pub(crate) const AT: i64 = 1_770_000_000;
pub(crate) const NOW: i64 = 1_780_000_000;

/// What is signed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum What {
    Statement,
    Image,
}

/// What it is signed with.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum By {
    Certificate,
    Key,
}

/// The log that it stands in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum LogOf {
    None,
    V1,
    V2,
}

/// How it is kept.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Form {
    Bundle(BundleVersion),
    Cosign,
}

/// One kind of evidence.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Kind {
    pub(crate) name: &'static str,
    pub(crate) what: What,
    pub(crate) by: By,
    pub(crate) form: Form,
    pub(crate) log: LogOf,
    /// Whether it has a promise of the log of certificates.
    pub(crate) sct: bool,
    /// Whether it has a time stamp.
    pub(crate) stamp: bool,
}

const fn statement(name: &'static str, version: BundleVersion, log: LogOf, stamp: bool) -> Kind {
    Kind {
        name,
        what: What::Statement,
        by: By::Certificate,
        form: Form::Bundle(version),
        log,
        sct: true,
        stamp,
    }
}

/// All kinds. What a kind does not have is not demanded of it.
pub(crate) static KINDS: &[Kind] = &[
    statement("v0.3", BundleVersion::V03, LogOf::V1, true),
    statement("v0.3 without a stamp", BundleVersion::V03, LogOf::V1, false),
    statement("v0.3 in the second log", BundleVersion::V03, LogOf::V2, true),
    statement("v0.2", BundleVersion::V02, LogOf::V1, false),
    statement("v0.1", BundleVersion::V01, LogOf::V1, false),
    Kind { sct: false, ..statement("stamp alone", BundleVersion::V03, LogOf::None, true) },
    Kind { form: Form::Cosign, ..statement("cosign .att", BundleVersion::V01, LogOf::V1, false) },
    Kind {
        form: Form::Cosign,
        what: What::Image,
        ..statement("cosign .sig", BundleVersion::V01, LogOf::V1, true)
    },
    Kind { by: By::Key, ..statement("key, v0.3", BundleVersion::V03, LogOf::V1, false) },
    Kind { by: By::Key, ..statement("key in the second log", BundleVersion::V03, LogOf::V2, true) },
    Kind { by: By::Key, ..statement("key alone", BundleVersion::V03, LogOf::None, false) },
    Kind {
        by: By::Key,
        form: Form::Cosign,
        what: What::Image,
        ..statement("key, cosign .sig", BundleVersion::V01, LogOf::V1, false)
    },
    Kind {
        by: By::Key,
        form: Form::Cosign,
        what: What::Image,
        ..statement("key alone, cosign .sig", BundleVersion::V01, LogOf::None, false)
    },
];

/// Evidence as it is handed to whoever verifies.
#[derive(Clone, Debug)]
pub(crate) enum Kept {
    Bundle(String),
    Cosign(CosignLayer),
}

/// Everything that a test of one kind is made of.
pub(crate) struct Case {
    pub(crate) kind: Kind,
    pub(crate) identity: Identity,
    pub(crate) digest: Digest,
    pub(crate) other: Digest,
    pub(crate) pki: Pki,
    pub(crate) stranger: Pki,
    whole: OnceCell<Bundle>,
    whole_of_other: OnceCell<Bundle>,
}

/// The builder of every test; its provenance agrees with its certificate.
pub(crate) fn workflow() -> Workflow {
    Workflow::release("example/app", "refs/tags/v1.0.0")
}

/// Identities of each sort.
pub(crate) fn identities() -> Vec<Identity> {
    vec![
        workflow().identity(),
        Identity::person("ada@example.test", "https://accounts.example.test"),
        Identity::service_account("promoter@project.iam.gserviceaccount.com"),
        workflow().identity().with_claim(11, "self-hosted").with_claim(23, "production"),
    ]
}

impl Case {
    pub(crate) fn new(kind: Kind, identity: Identity) -> Case {
        let (digest, other) = (Digest::sha256(&[0x11; 32]), Digest::sha256(&[0x22; 32]));
        Case {
            kind,
            identity,
            digest,
            other,
            pki: Pki::new(1),
            stranger: Pki::new(2),
            whole: OnceCell::new(),
            whole_of_other: OnceCell::new(),
        }
    }

    /// The same of a stranger's making.
    pub(crate) fn of_stranger(&self) -> Case {
        Case { pki: self.stranger.clone(), ..Case::new(self.kind, self.identity.clone()) }
    }

    /// The makers of what the kind has.
    pub(crate) fn makers(&self) -> Makers<'_> {
        let mut makers = self.pki.makers();
        makers.log = match self.kind.log {
            LogOf::None => None,
            LogOf::V1 => Some(&self.pki.log),
            LogOf::V2 => Some(&self.pki.log_v2),
        };
        makers.certificates = makers.certificates.filter(|_| self.kind.sct);
        makers.time = makers.time.filter(|_| self.kind.stamp);
        makers
    }

    pub(crate) fn key(&self) -> Key {
        self.pki.key("release")
    }

    /// Signs what is about `digest` by `makers`.
    pub(crate) fn signed_by(&self, makers: &Makers<'_>, digest: &Digest) -> Bundle {
        let name = "registry.example/app";
        let text = match self.kind.what {
            What::Statement => {
                let predicate = statements::provenance_v1(&workflow());
                statements::statement(name, digest.as_str(), statements::PROVENANCE_V1, &predicate)
            }
            What::Image => statements::simple_signing(name, digest.as_str()),
        };
        self.signs(makers, &text)
    }

    /// Signs a text by `makers`.
    pub(crate) fn signs(&self, makers: &Makers<'_>, text: &str) -> Bundle {
        let signed = match self.kind.what {
            What::Statement => Signed::Statement(text),
            What::Image => Signed::Message(text.as_bytes()),
        };
        let bundle = match self.kind.by {
            By::Certificate => makers.sign(&self.identity, &signed, AT),
            By::Key => makers.sign_with_key(&self.key(), &signed, AT),
        };
        match self.kind.form {
            Form::Bundle(version) => bundle.in_version(version),
            Form::Cosign => bundle,
        }
    }

    /// The evidence with everything that its kind has.
    pub(crate) fn full(&self) -> Bundle {
        self.whole.get_or_init(|| self.signed_by(&self.makers(), &self.digest)).clone()
    }

    /// The same about another digest.
    pub(crate) fn full_of_other(&self) -> Bundle {
        self.whole_of_other.get_or_init(|| self.signed_by(&self.makers(), &self.other)).clone()
    }

    /// The form in which the kind is kept.
    pub(crate) fn kept(&self, bundle: &Bundle) -> Kept {
        match self.kind.form {
            Form::Bundle(_) => Kept::Bundle(bundle.json()),
            Form::Cosign => Kept::Cosign(bundle.cosign_layer()),
        }
    }

    /// The key as a user trusts it, who demands a log where the kind has one.
    pub(crate) fn trusted_key(&self) -> TrustedKey {
        let mut key = TrustedKey::from_pem(Some("release"), &self.key().public_pem()).unwrap();
        key.needs_log = self.kind.log != LogOf::None;
        key
    }

    pub(crate) fn demands(&self) -> Demands {
        Demands { log: self.kind.log != LogOf::None, sct: self.kind.sct }
    }

    /// What demands all that the kind has, and trusts its makers.
    pub(crate) fn trust(&self) -> Trust {
        trust_of(&self.pki.trusted_root()).with_demands(self.demands()).with_keys(vec![self.trusted_key()])
    }

    pub(crate) fn verify(&self, kept: &Kept, digest: &Digest, trust: &Trust) -> Item {
        let place = Place { scheme: Scheme::Referrer, name: String::new() };
        match kept {
            Kept::Bundle(json) => bundle::verify(json.as_bytes(), digest, place, trust),
            Kept::Cosign(layer) => {
                let verify = match self.kind.what {
                    What::Statement => cosign::verify_attestation,
                    What::Image => cosign::verify_signature,
                };
                verify(&layer.bytes, &layer.annotations, digest, place, trust)
            }
        }
    }
}

pub(crate) fn trust_of(root: &str) -> Trust {
    Trust::from_bytes(root.as_bytes(), NOW).unwrap()
}

/// How an item stands, in one line.
pub(crate) fn told(item: &Item) -> String {
    match &item.standing {
        Standing::Refused(refusal) => refusal.kind.name().to_owned(),
        Standing::Unsigned | Standing::Unverified(_) => item.standing.name().to_owned(),
        Standing::Proven(proof) => format!("proven {}", proven(proof)),
    }
}

fn proven(proof: &Proof) -> String {
    let mut words = Vec::new();
    words.extend(proof.checked.certificate.then_some("certificate"));
    words.extend(proof.checked.sct.then_some("sct"));
    words.extend(match proof.checked.log {
        None => None,
        Some(LogProof::Promise) => Some("promise"),
        Some(LogProof::Inclusion) => Some("inclusion"),
        Some(LogProof::Both) => Some("promise+inclusion"),
    });
    let times: Vec<String> = proof.times.iter().map(|time| format!("{:?}", time.witness)).collect();
    format!("[{}] at [{}]", words.join(", "), times.join(", "))
}
