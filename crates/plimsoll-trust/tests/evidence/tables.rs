//! Tables: what cosign's objects may say, what each limit refuses, what may be demanded, files of Google Cloud Build, and roots that
//! cannot be loaded.

use std::fs;

use plimsoll_core::digest::Digest;
use plimsoll_core::evidence::{Content, Item, Place, Predicate, RefusalKind, Scheme, Standing};
use plimsoll_testkit::pki::{Bundle, CosignLayer, GcbForm, Key, Makers, Pki, gcb_file, statements};
use plimsoll_trust::gcb::{self, GcbKey, SignedForm};
use plimsoll_trust::root::{Demands, RootError, Trust, TrustRoot};
use plimsoll_trust::{bundle, claim, limits};
use serde_json::{Value, json};

use crate::kinds::{AT, Case, KINDS, Kept, NOW, told, workflow};

fn case(name: &str) -> Case {
    let kind = KINDS.iter().find(|kind| kind.name == name).unwrap();
    Case::new(*kind, workflow().identity())
}

fn place() -> Place {
    Place { scheme: Scheme::File, name: String::new() }
}

fn layer(bundle: &Bundle) -> CosignLayer {
    bundle.cosign_layer()
}

#[test]
fn what_a_cosign_signature_says_must_be_a_signature_of_the_image() {
    let case = case("cosign .sig");
    let digest = case.digest.as_str();
    let payload = |change: fn(&mut Value)| {
        let mut value: Value =
            serde_json::from_str(&statements::simple_signing("registry.example/app", digest)).unwrap();
        change(&mut value);
        value.to_string()
    };
    let proven = "proven [certificate, sct, promise] at [Log, TimestampAuthority]";
    for (text, expected, name) in [
        (payload(|_| {}), proven, Some("registry.example/app")),
        (
            payload(|value| value["critical"]["type"] = json!("atomic container signature")),
            proven,
            Some("registry.example/app"),
        ),
        (
            payload(|value| value["critical"]["type"] = json!("a letter")),
            "unsupported",
            Some("registry.example/app"),
        ),
        (
            payload(|value| value["critical"]["type"] = Value::Null),
            "unsupported",
            Some("registry.example/app"),
        ),
        (payload(|value| value["critical"]["identity"] = json!({})), proven, None),
        (payload(|value| value["critical"]["image"] = json!({})), "malformed", Some("registry.example/app")),
        (
            payload(|value| value["critical"]["image"]["docker-manifest-digest"] = json!("sha256:22")),
            "subject",
            Some("registry.example/app"),
        ),
        ("{}".to_owned(), "unsupported", None),
        ("no JSON".to_owned(), "malformed", None),
    ] {
        let item = case.verify(&case.kept(&case.signs(&case.makers(), &text)), &case.digest, &case.trust());
        assert_eq!(told(&item), expected, "{text}");
        if let Content::Signature { image_name } = &item.content {
            assert_eq!(image_name.as_deref(), name, "{text}");
        }
    }
}

#[test]
fn what_cosign_annotates_must_follow_its_form() {
    let case = case("cosign .att");
    let whole = layer(&case.full());
    let entry: Value = serde_json::from_str(&whole.annotations["dev.sigstore.cosign/bundle"]).unwrap();
    let with_entry = |pointer: &str, value: Value| {
        let mut entry = entry.clone();
        *entry.pointer_mut(pointer).unwrap() = value;
        entry.to_string()
    };
    for (name, text, expected) in [
        ("dev.sigstore.cosign/certificate", "no PEM".to_owned(), "malformed"),
        (
            "dev.sigstore.cosign/certificate",
            "-----BEGIN CERTIFICATE-----\n!\n-----END CERTIFICATE-----".to_owned(),
            "malformed",
        ),
        ("dev.sigstore.cosign/certificate", String::new(), "signature"),
        ("dev.sigstore.cosign/bundle", String::new(), "log"),
        ("dev.sigstore.cosign/bundle", "no JSON".to_owned(), "malformed"),
        ("dev.sigstore.cosign/bundle", with_entry("/Payload/logID", json!("zz")), "malformed"),
        ("dev.sigstore.cosign/bundle", with_entry("/Payload/logIndex", json!("7")), "malformed"),
        ("dev.sigstore.cosign/bundle", with_entry("/Payload/body", json!("!")), "malformed"),
        ("dev.sigstore.cosign/bundle", with_entry("/Payload/body", json!("e30=")), "malformed"),
        ("dev.sigstore.cosign/rfc3161timestamp", "no JSON".to_owned(), "malformed"),
        ("dev.sigstore.cosign/rfc3161timestamp", "{}".to_owned(), "malformed"),
        ("dev.sigstore.cosign/rfc3161timestamp", r#"{"SignedRFC3161Timestamp":"AAAA"}"#.to_owned(), "time"),
    ] {
        let mut spoilt = whole.clone();
        spoilt.annotations.insert(name.to_owned(), text.clone());
        let item = case.verify(&Kept::Cosign(spoilt), &case.digest, &case.trust());
        assert_eq!(told(&item), expected, "{name}: {text}");
    }
    let mut kind = entry.clone();
    // An entry of 2022, which says too little to be held against the signature.
    let body = json!({"apiVersion": "0.0.1", "kind": "intoto", "spec": {}}).to_string();
    kind["Payload"]["body"] = json!(base64(body.as_bytes()));
    let mut older = whole;
    older.annotations.insert("dev.sigstore.cosign/bundle".to_owned(), kind.to_string());
    assert_eq!(told(&case.verify(&Kept::Cosign(older), &case.digest, &case.trust())), "unsupported");
}

fn base64(bytes: &[u8]) -> String {
    use base64::Engine;
    base64::prelude::BASE64_STANDARD.encode(bytes)
}

#[test]
fn each_demand_is_a_demand_by_itself() {
    let (log, sct) = (case("v0.3"), case("v0.3"));
    let no_log = log.signed_by(&Makers { log: None, ..log.makers() }, &log.digest);
    let no_sct = sct.signed_by(&Makers { certificates: None, ..sct.makers() }, &sct.digest);
    let neither = log.signed_by(&Makers { log: None, certificates: None, ..log.makers() }, &log.digest);
    let (without_log, without_sct) = (Demands { log: false, sct: true }, Demands { log: true, sct: false });
    let nothing = Demands { log: false, sct: false };
    let (all, time) = (Demands::default(), "[TimestampAuthority]");
    for (name, bundle, demands, expected) in [
        ("no log", &no_log, all, "log".to_owned()),
        ("no log", &no_log, without_sct, "log".to_owned()),
        ("no log", &no_log, without_log, format!("proven [certificate, sct] at {time}")),
        ("no log", &no_log, nothing, format!("proven [certificate] at {time}")),
        ("no sct", &no_sct, all, "sct".to_owned()),
        ("no sct", &no_sct, without_log, "sct".to_owned()),
        (
            "no sct",
            &no_sct,
            without_sct,
            "proven [certificate, promise+inclusion] at [Log, TimestampAuthority]".to_owned(),
        ),
        ("neither", &neither, without_log, "sct".to_owned()),
        ("neither", &neither, without_sct, "log".to_owned()),
        ("neither", &neither, nothing, format!("proven [certificate] at {time}")),
    ] {
        let trust = log.trust().with_demands(demands);
        let item = log.verify(&log.kept(bundle), &log.digest, &trust);
        assert_eq!(told(&item), expected, "{name}, {demands:?}: {:?}", item.standing);
    }
}

/// Evidence of each sort that has a limit, with one more than that.
#[test]
fn what_is_above_a_limit_is_refused_and_the_limit_told() {
    let bundles = case("v0.3");
    let att = case("cosign .att");
    let sig = case("cosign .sig");
    let full = bundles.full();
    let many = |count: usize| vec![full.entries[0].clone(); count];
    let stamps = |count: usize| vec![full.stamps[0].clone(); count];
    let subjects: Vec<Value> =
        (0..=limits::SUBJECTS_MAX).map(|index| json!({"name": index.to_string(), "digest": {}})).collect();
    let statement =
        json!({"_type": "https://in-toto.io/Statement/v1", "predicateType": "k", "subject": subjects});
    let blank = |more: usize| " ".repeat(more + 1);
    let annotated = |name: &str, bytes: usize| {
        let mut layer = layer(&att.full());
        layer.annotations.insert(name.to_owned(), blank(bytes));
        att.verify(&Kept::Cosign(layer), &att.digest, &att.trust())
    };
    let kept = |bundle: &Bundle| bundles.verify(&bundles.kept(bundle), &bundles.digest, &bundles.trust());
    let of_text = |text: &[u8]| bundle::verify(text, &bundles.digest, place(), &bundles.trust());
    let of_layer = |case: &Case, bytes: usize| {
        let layer = CosignLayer { bytes: blank(bytes).into_bytes(), ..layer(&case.full()) };
        case.verify(&Kept::Cosign(layer), &case.digest, &case.trust())
    };
    for (what, item) in [
        ("a bundle", of_text(blank(limits::BUNDLE_BYTES_MAX).as_bytes())),
        ("entries", kept(&Bundle { entries: many(limits::LOG_ENTRIES_MAX + 1), ..full.clone() })),
        ("stamps", kept(&Bundle { stamps: stamps(limits::TIMESTAMPS_MAX + 1), ..full.clone() })),
        ("a claim", claim::read_claim(blank(limits::BUNDLE_BYTES_MAX).as_bytes(), &att.digest, place())),
        ("subjects", claim::read_claim(statement.to_string().as_bytes(), &att.digest, place())),
        ("an envelope", of_layer(&att, limits::BUNDLE_BYTES_MAX)),
        ("a signed text", of_layer(&sig, limits::SIMPLE_SIGNING_BYTES_MAX)),
        ("a certificate", annotated("dev.sigstore.cosign/certificate", limits::CERTIFICATE_BYTES_MAX)),
        ("a stamp", annotated("dev.sigstore.cosign/rfc3161timestamp", limits::CERTIFICATE_BYTES_MAX)),
        ("an entry", annotated("dev.sigstore.cosign/bundle", limits::LOG_ENTRY_BYTES_MAX)),
        ("a file of Google's", of_gcb(&blank(limits::GCB_BYTES_MAX))),
    ] {
        assert!(limit_reached(&item), "{what}: {:?}", item.standing);
    }
    let most = kept(&Bundle { entries: many(limits::LOG_ENTRIES_MAX), ..full.clone() });
    assert!(told(&most).starts_with("proven"), "{:?}", most.standing);
}

/// A predicate of which too much is stated is unreadable, not cut off.
#[test]
fn a_predicate_above_a_limit_is_unreadable() {
    let digest = Digest::sha256(&[0x11; 32]);
    let materials = vec![json!({"uri": "m"}); limits::MATERIALS_MAX + 1];
    let mut provenance = statements::provenance_v1(&workflow());
    provenance["buildDefinition"]["resolvedDependencies"] = json!(materials);
    let mut statements_of_vex = statements::openvex("ada", "CVE-2026-1", "pkg:oci/app", "fixed");
    let mut products = statements_of_vex.clone();
    let one = statements_of_vex["statements"][0].clone();
    products["statements"][0]["products"] = json!(vec!["p"; limits::VEX_STATEMENTS_MAX + 1]);
    statements_of_vex["statements"] = json!(vec![one; limits::VEX_STATEMENTS_MAX + 1]);
    for (kind, predicate) in [
        (statements::PROVENANCE_V1, provenance),
        (statements::OPENVEX, statements_of_vex),
        (statements::OPENVEX, products),
    ] {
        let text = statements::statement("app", digest.as_str(), kind, &predicate);
        let item = claim::read_claim(text.as_bytes(), &digest, place());
        let Content::Statement(statement) = &item.content else { panic!("{:?}", item.standing) };
        let Predicate::Unreadable(why) = &statement.predicate else { panic!("{:?}", statement.predicate) };
        assert!(why.contains("at most 10000 are read"), "{why}");
    }
}

fn limit_reached(item: &Item) -> bool {
    matches!(&item.standing, Standing::Refused(refusal) if refusal.kind == RefusalKind::LimitReached)
}

const KEY_ID: &str =
    "projects/verified-builder/locations/global/keyRings/attestor/cryptoKeys/test/cryptoKeyVersions/1";
const IMAGE: &str = "registry.example/app";

fn of_gcb(text: &str) -> Item {
    gcb::verify(text.as_bytes(), &Digest::sha256(&[0x11; 32]), &place(), &[], NOW).remove(0)
}

fn gcb_of(form: GcbForm, key: &Key) -> Value {
    let digest = Digest::sha256(&[0x11; 32]);
    let commit = workflow().commit;
    let (kind, predicate) = match form {
        GcbForm::V0_1 => (statements::PROVENANCE_V0_1, statements::provenance_v0_1(&workflow())),
        GcbForm::V1 => {
            let repository = "https://github.com/example/app";
            (statements::PROVENANCE_V1, statements::cloud_build_v1(repository, "refs/heads/main", &commit))
        }
    };
    let statement = statements::statement(IMAGE, digest.as_str(), kind, &predicate);
    gcb_file(form, key, KEY_ID, IMAGE, digest.as_str(), &statement)
}

/// What is changed in a file, and how its provenances stand then.
type GcbRow = (&'static str, fn(&mut Value), &'static str);

static GCB_ROWS: &[GcbRow] = &[
    ("nothing", |_| {}, "proven [] at []"),
    ("no provenance", |file| file["provenance_summary"] = json!({}), "malformed"),
    ("another kind", |file| provenance(file)["kind"] = json!("DISCOVERY"), "disagreement"),
    ("another summary", |file| file["image_summary"]["digest"] = json!("sha256:22"), "disagreement"),
    ("no summary", |file| file["image_summary"] = json!({}), "disagreement"),
    (
        "another resource",
        |file| provenance(file)["resourceUri"] = json!("https://registry.example/app@sha256:22"),
        "disagreement",
    ),
    (
        "a resource without a digest",
        |file| provenance(file)["resourceUri"] = json!("https://registry.example/app"),
        "disagreement",
    ),
    ("no text beside it", |file| provenance(file)["build"] = json!({}), "malformed"),
    (
        "another text",
        |file| text_of(file)["predicateType"] = json!("https://slsa.dev/provenance/v9"),
        "disagreement",
    ),
    ("a field more in the text", |file| text_of(file)["more"] = json!(1), "disagreement"),
    ("no signature", |file| provenance(file)["envelope"]["signatures"] = json!([]), "signature"),
    ("another key's name", |file| signature(file)["keyid"] = json!("projects/other"), "key-unknown"),
    ("no key's name", |file| drop(signature(file).as_object_mut().unwrap().remove("keyid")), "key-unknown"),
    ("no base64", |file| signature(file)["sig"] = json!("!"), "malformed"),
    ("another signature", |file| signature(file)["sig"] = json!("AAAA"), "signature"),
    ("another payload", |file| provenance(file)["envelope"]["payload"] = json!("e30="), "malformed"),
    (
        "another type of payload",
        |file| provenance(file)["envelope"]["payloadType"] = json!("text/plain"),
        "unsupported",
    ),
    (
        "a signature of nobody's before it",
        |file| {
            let signatures = &mut provenance(file)["envelope"]["signatures"];
            let good = signatures[0].clone();
            *signatures = json!([{"keyid": "projects/other", "sig": "AAAA"}, good]);
        },
        "proven [] at []",
    ),
    (
        "too many signatures",
        |file| {
            let good = signature(file).clone();
            provenance(file)["envelope"]["signatures"] = json!(vec![good; limits::GCB_SIGNATURES_MAX + 1]);
        },
        "limit-reached",
    ),
    (
        "too many provenances",
        |file| {
            let good = provenance(file).clone();
            file["provenance_summary"]["provenance"] = json!(vec![good; limits::GCB_PROVENANCES_MAX + 1]);
        },
        "limit-reached",
    ),
    (
        "a second that is spoilt",
        |file| {
            let good = provenance(file).clone();
            let mut spoilt = good.clone();
            spoilt["kind"] = json!("DISCOVERY");
            file["provenance_summary"]["provenance"] = json!([spoilt, good]);
        },
        "disagreement, proven [] at []",
    ),
];

fn provenance(file: &mut Value) -> &mut Value {
    &mut file["provenance_summary"]["provenance"][0]
}

fn signature(file: &mut Value) -> &mut Value {
    &mut provenance(file)["envelope"]["signatures"][0]
}

fn text_of(file: &mut Value) -> &mut Value {
    provenance(file)["build"].as_object_mut().unwrap().values_mut().next().unwrap()
}

#[test]
fn files_of_google_cloud_build_are_refused_each_for_its_own_reason() {
    let key = Pki::new(1).key("google");
    for (form, signed) in [(GcbForm::V0_1, SignedForm::Payload), (GcbForm::V1, SignedForm::Pae)] {
        let keys = |form| vec![GcbKey::from_pem(KEY_ID, form, &key.public_pem()).unwrap()];
        let verify = |file: &Value, digest: &Digest, keys: &[GcbKey]| {
            let items = gcb::verify(file.to_string().as_bytes(), digest, &place(), keys, NOW);
            items.iter().map(told).collect::<Vec<_>>().join(", ")
        };
        let (whole, digest) = (gcb_of(form, &key), Digest::sha256(&[0x11; 32]));
        for (what, change, expected) in GCB_ROWS {
            let mut file = whole.clone();
            change(&mut file);
            assert_eq!(verify(&file, &digest, &keys(signed)), *expected, "{form:?}, {what}");
        }
        let other_form = if signed == SignedForm::Pae { SignedForm::Payload } else { SignedForm::Pae };
        assert_eq!(verify(&whole, &digest, &keys(other_form)), "signature", "{form:?}");
        assert_eq!(verify(&whole, &Digest::sha256(&[0x22; 32]), &keys(signed)), "subject", "{form:?}");
        let mut ended = keys(signed);
        ended[0].key.until = Some(AT);
        assert_eq!(verify(&whole, &digest, &ended), "key-expired", "{form:?}");
    }
}

#[test]
fn a_root_that_is_not_what_was_chosen_is_not_used() {
    let folder = tempfile::tempdir().unwrap();
    let write = |name: &str, bytes: &[u8]| {
        let path = folder.path().join(name);
        fs::write(&path, bytes).unwrap();
        path
    };
    let root = Pki::new(1).trusted_root();
    let good = write("good.json", root.as_bytes());
    let pin: Digest = plimsoll_testkit::image::digest(root.as_bytes()).parse().unwrap();
    let too_large = vec![b' '; usize::try_from(limits::ROOT_BYTES_MAX).unwrap() + 1];
    let load = |file, digest: Option<&Digest>| {
        Trust::load(&TrustRoot::Pinned { file, digest: digest.cloned() }, NOW).err()
    };
    assert!(load(good.clone(), None).is_none());
    assert!(load(good.clone(), Some(&pin)).is_none());
    let error = load(good, Some(&Digest::sha256(&[0; 32]))).unwrap();
    assert!(matches!(&error, RootError::OtherDigest { found, .. } if *found == pin), "{error}");
    assert!(matches!(load(folder.path().join("gone"), None), Some(RootError::Unreadable { .. })));
    assert!(matches!(load(write("large", &too_large), None), Some(RootError::TooLarge(_))));
    let mut without_key: Value = serde_json::from_str(&root).unwrap();
    without_key["tlogs"][0]["publicKey"]["rawBytes"] = json!("AAAA");
    let mut twice: Value = serde_json::from_str(&root).unwrap();
    twice["tlogs"][1] = twice["tlogs"][0].clone();
    for text in ["", "{}", "[]", "\u{fffd}", &without_key.to_string(), &twice.to_string()] {
        let error = load(write("bad", text.as_bytes()), None);
        assert!(matches!(error, Some(RootError::Malformed(..))), "{text}: {error:?}");
        assert!(matches!(Trust::from_bytes(text.as_bytes(), NOW), Err(RootError::Malformed(..))));
    }
}
