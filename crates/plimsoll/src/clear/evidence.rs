//! Verifies what speaks of a candidate, by a policy's roots and signers: what registries keep beside it, and files that the
//! user names.
//!
//! What surprises: a file is held against a candidate only where it says itself that it is about it; a file that is about none is
//! told, since whoever named it thought otherwise.

use std::path::{Path, PathBuf};

use anyhow::{Context as _, bail};
use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use plimsoll_core::clearance::{Candidate, Check, EvidenceSeen, ListSeen, Outcome, Piece, Weight};
use plimsoll_core::digest::{Digest, hex};
use plimsoll_core::evidence::{
    Content, Item, Place, Predicate, RefusalKind, Scheme, Standing, VexStatement, VexStatus,
};
use plimsoll_core::image::Image;
use plimsoll_core::inventory::Inventory;
use plimsoll_core::purl;
use plimsoll_image::attached::{Attached, Collected, Form};
use plimsoll_trust::{bundle, claim, cosign, gcb, statement};
use serde_json::Value;

use super::files::Files;
use super::lists;
use super::policy::Vouching;
use super::policy::flaws::Flaw;

/// Most files of evidence, and most lines of one.
const FILES_MAX: usize = 10_000;

/// Why nothing was verified.
const NO_SIGNERS: &str = "no policy names signers, so nobody verified it";
const NO_ROOTS: &str = "the policy names no `trust`, so no certificate is believed";

/// A file of evidence, or one line of it.
pub(crate) struct SideFile {
    name: String,
    form: SideForm,
    /// What it says that it is about.
    subjects: Vec<Digest>,
}

enum SideForm {
    Known(Form),
    GoogleCloudBuild(Vec<u8>),
    /// It is nothing that is known here: why.
    Unreadable(String),
}

/// Reads files of evidence, and those of folders.
pub(crate) fn side_files(paths: &[PathBuf], files: &Files) -> anyhow::Result<Vec<SideFile>> {
    let mut all = Vec::new();
    for path in paths {
        let inside = match path.is_dir() {
            true => files
                .names(path)?
                .into_iter()
                .map(|name| path.join(name))
                .filter(|path| path.is_file())
                .collect(),
            false => vec![path.clone()],
        };
        for file in inside {
            let bytes =
                files.read(&file)?.with_context(|| format!("there is no file `{}`", file.display()))?;
            all.extend(of_bytes(&file, &bytes));
            if all.len() > FILES_MAX {
                bail!("there are more than {FILES_MAX} pieces of evidence (FILES_MAX)");
            }
        }
    }
    Ok(all)
}

/// The pieces of a file: one, or one a line.
fn of_bytes(file: &Path, bytes: &[u8]) -> Vec<SideFile> {
    let name = file.display().to_string();
    let lines: Vec<&[u8]> =
        bytes.split(|byte| *byte == b'\n').filter(|line| !line.trim_ascii().is_empty()).collect();
    let is_json = |bytes: &[u8]| serde_json::from_slice::<serde::de::IgnoredAny>(bytes).is_ok();
    if lines.len() > 1 && !is_json(bytes) && lines.iter().all(|line| is_json(line)) {
        let numbered = lines.iter().zip(1..);
        return numbered.map(|(line, at)| piece(format!("{name} line {at}"), line)).collect();
    }
    vec![piece(name, bytes)]
}

/// Takes a piece for what its fields say.
fn piece(name: String, bytes: &[u8]) -> SideFile {
    let unreadable =
        |name, why: &str| SideFile { name, form: SideForm::Unreadable(why.to_owned()), subjects: Vec::new() };
    let value: Value = match serde_json::from_slice(bytes) {
        Ok(value) => value,
        Err(error) => return unreadable(name, &format!("it is not JSON: {error}")),
    };
    let known = |form, subjects| (SideForm::Known(form), subjects);
    let bytes = bytes.to_vec();
    let (form, subjects) = if value.get("verificationMaterial").is_some() {
        let subjects = bundle_subjects(&value);
        known(Form::Bundle(bytes), subjects)
    } else if value.get("provenance_summary").is_some() {
        let subject = value.pointer("/image_summary/digest").and_then(Value::as_str);
        (SideForm::GoogleCloudBuild(bytes), subject.and_then(|text| text.parse().ok()).into_iter().collect())
    } else if value.get("payloadType").is_some() {
        let subjects = payload_subjects(&value);
        known(Form::Envelope(bytes, Default::default()), subjects)
    } else if value.get("_type").is_some() {
        let subjects = statement_subjects(&bytes);
        known(Form::Statement(bytes), subjects)
    } else {
        return unreadable(name, "it is no bundle, envelope, statement or provenance of Google Cloud Build");
    };
    SideFile { name, form, subjects }
}

fn bundle_subjects(bundle: &Value) -> Vec<Digest> {
    if let Some(envelope) = bundle.get("dsseEnvelope") {
        return payload_subjects(envelope);
    }
    let digest = bundle.pointer("/messageSignature/messageDigest/digest").and_then(Value::as_str);
    let bytes = digest.and_then(|text| BASE64_STANDARD.decode(text).ok());
    bytes.and_then(|bytes| format!("sha256:{}", hex(&bytes)).parse().ok()).into_iter().collect()
}

fn payload_subjects(envelope: &Value) -> Vec<Digest> {
    let payload = envelope.get("payload").and_then(Value::as_str);
    let bytes = payload.and_then(|text| BASE64_STANDARD.decode(text).ok());
    bytes.map_or(Vec::new(), |bytes| statement_subjects(&bytes))
}

fn statement_subjects(bytes: &[u8]) -> Vec<Digest> {
    let read = statement::read(statement::PAYLOAD_TYPE, bytes);
    read.map_or(Vec::new(), |read| read.subjects.into_iter().flat_map(|subject| subject.digests).collect())
}

/// What becomes of the files as a whole: those that cannot be read, and those that are about nothing that is asked.
pub(crate) fn check_of_files(files: &[SideFile], subjects: &[Digest]) -> Option<Check> {
    if files.is_empty() {
        return None;
    }
    let odd: Vec<String> = files
        .iter()
        .filter_map(|file| match &file.form {
            SideForm::Unreadable(why) => Some(format!("`{}`: {why}", file.name)),
            _ if file.subjects.iter().any(|subject| subjects.contains(subject)) => None,
            _ => Some(format!("`{}` is about nothing that is asked", file.name)),
        })
        .collect();
    let (outcome, detail) = match odd.is_empty() {
        true => (Outcome::Pass, format!("each of {} files is about something that is asked", files.len())),
        false => (Outcome::Fail, odd.join("; ")),
    };
    Some(Check { id: "evidence.files", outcome, weight: Weight::Warn, detail })
}

/// Verifies what was collected and the files that are about it.
pub(crate) fn verify(
    candidate: &Candidate,
    collected: Collected,
    files: &[SideFile],
    subjects: &[Digest],
    vouching: Option<&Vouching>,
    now: i64,
) -> EvidenceSeen {
    let mut seen =
        EvidenceSeen { pieces: Vec::new(), unseen: collected.unseen, is_verified: vouching.is_some() };
    let mut add = |subject: Digest, items: Vec<Item>| {
        for mut item in items {
            let signers = match (&item.standing, vouching) {
                (Standing::Proven(proof), Some(vouching)) => vouching.signers_of(proof),
                _ => Vec::new(),
            };
            let is_named = is_named(candidate, &item);
            item.standing = without_roots(item.standing, vouching);
            seen.pieces.push(Piece { subject: subject.clone(), item, signers, is_named });
        }
    };
    for Attached { subject, place, form } in collected.found {
        let item = of_form(form, &subject, place, vouching);
        add(subject, vec![item]);
    }
    for file in files {
        for subject in file.subjects.iter().filter(|subject| subjects.contains(subject)) {
            let place = Place { scheme: Scheme::File, name: file.name.clone() };
            let items = match (&file.form, vouching) {
                (SideForm::Known(form), _) => vec![of_form(form.clone(), subject, place, vouching)],
                (SideForm::GoogleCloudBuild(bytes), Some(vouching)) => {
                    gcb::verify(bytes, subject, &place, &vouching.gcb, now)
                }
                (SideForm::GoogleCloudBuild(_), None) => {
                    let standing = Standing::Unverified(NO_SIGNERS.to_owned());
                    vec![Item { place, standing, content: Content::Unread }]
                }
                (SideForm::Unreadable(_), _) => Vec::new(),
            };
            add(subject.clone(), items);
        }
    }
    seen.pieces.sort_by(|a, b| (&a.subject, &a.item.place).cmp(&(&b.subject, &b.item.place)));
    seen
}

fn of_form(form: Form, subject: &Digest, place: Place, vouching: Option<&Vouching>) -> Item {
    let unread = |place, standing| Item { place, standing, content: Content::Unread };
    let form = match form {
        // Nobody has to be trusted for what nobody signed.
        Form::Statement(bytes) => return claim::read_claim(&bytes, subject, place),
        Form::Unknown(kind) => {
            let why = format!("it is `{}`, which is not verified here", kind.escape_default());
            return unread(place, Standing::Unverified(why));
        }
        Form::Refused(refusal) => return unread(place, Standing::Refused(refusal)),
        // What BuildKit puts into an index has no signature.
        Form::Unread if place.scheme == Scheme::Buildkit => return unread(place, Standing::Unsigned),
        form => form,
    };
    let Some(vouching) = vouching else {
        return unread(place, Standing::Unverified(NO_SIGNERS.to_owned()));
    };
    let trust = &vouching.trust;
    match form {
        Form::Bundle(bytes) => bundle::verify(&bytes, subject, place, trust),
        Form::CosignSignature(bytes, annotations) => {
            cosign::verify_signature(&bytes, &annotations, subject, place, trust)
        }
        Form::Envelope(bytes, annotations) => {
            cosign::verify_attestation(&bytes, &annotations, subject, place, trust)
        }
        Form::Statement(_) | Form::Unknown(_) | Form::Refused(_) | Form::Unread => {
            unread(place, Standing::Unverified("its bytes were not asked for".to_owned()))
        }
    }
}

/// A certificate that no root was chosen for is not bad: nobody can tell.
fn without_roots(standing: Standing, vouching: Option<&Vouching>) -> Standing {
    use RefusalKind::{Certificate, Log, Sct, Time};
    match standing {
        Standing::Refused(refusal)
            if vouching.is_some_and(|vouching| !vouching.has_roots)
                && matches!(refusal.kind, Certificate | Log | Sct | Time) =>
        {
            Standing::Unverified(NO_ROOTS.to_owned())
        }
        standing => standing,
    }
}

/// Whether the name that was written down in a signature is one of the candidate's; `None` where there is none.
fn is_named(candidate: &Candidate, item: &Item) -> Option<bool> {
    let name = match &item.content {
        Content::Signature { image_name } => image_name.as_deref()?,
        Content::Statement(statement) => statement.subjects.first()?.name.as_str(),
        Content::Unread => return None,
    };
    if name.is_empty() {
        return None;
    }
    // A tag or digest may follow; a port comes before the last slash.
    let name = name.split('@').next().unwrap_or(name);
    let plain = match name.rsplit_once(':') {
        Some((repository, tag)) if !tag.contains('/') => repository,
        _ => name,
    };
    let own = std::iter::once(&candidate.source).chain(&candidate.destinations);
    Some(own.into_iter().any(|own| own == plain))
}

/// Holds attested lists against what is aboard.
pub(crate) fn compare_lists(
    seen: &EvidenceSeen,
    top: &Digest,
    aboard: &[(Image, Inventory)],
) -> Vec<ListSeen> {
    let lists = seen.pieces.iter().filter(|piece| piece.proof().is_some()).filter_map(|piece| {
        match &piece.statement()?.predicate {
            Predicate::Sbom(list) => Some((piece, list)),
            _ => None,
        }
    });
    lists
        .map(|(piece, list)| {
            let is_of =
                |image: &Image| piece.subject == *top || image.digest.as_ref() == Some(&piece.subject);
            let inventories: Vec<&Inventory> =
                aboard.iter().filter(|(image, _)| is_of(image)).map(|(_, inventory)| inventory).collect();
            ListSeen {
                subject: piece.subject.clone(),
                signers: piece.signers.clone(),
                format: list.format,
                compared: lists::compare(list, &inventories),
            }
        })
        .collect()
}

/// Statements of VEX by signers whose word counts, each with the signer.
pub(crate) struct Vex<'a> {
    statements: Vec<(&'a str, &'a VexStatement)>,
    subjects: &'a [Digest],
}

impl<'a> Vex<'a> {
    /// Those of a candidate's evidence; `None` where the policy names nobody whose VEX counts.
    pub(crate) fn of(
        seen: Option<&'a EvidenceSeen>,
        subjects: &'a [Digest],
        vouching: Option<&Vouching>,
    ) -> Option<Vex<'a>> {
        let from = &vouching.filter(|vouching| !vouching.vex_from.is_empty())?.vex_from;
        let mut statements = Vec::new();
        for piece in seen.iter().flat_map(|seen| &seen.pieces).filter(|piece| piece.proof().is_some()) {
            let signer = piece.signers.iter().find(|signer| from.contains(signer));
            if let (Some(signer), Some(Predicate::Vex(all))) =
                (signer, piece.statement().map(|statement| &statement.predicate))
            {
                statements.extend(all.iter().map(|one| (signer.as_str(), one)));
            }
        }
        Some(Vex { statements, subjects })
    }

    /// How many there are.
    pub(crate) fn count(&self) -> usize {
        self.statements.len()
    }

    /// Who says of a flaw that it does no harm here, and what. Of several statements the latest counts; of those of one
    /// time the one that says that it does.
    pub(crate) fn of_flaw(&self, flaw: &Flaw) -> Option<(&'a str, String)> {
        let about = self.statements.iter().filter(|(_, statement)| self.is_about(statement, flaw));
        let (signer, latest) =
            about.max_by_key(|(_, statement)| (when(statement), !is_harmless(statement.status)))?;
        is_harmless(latest.status).then(|| {
            let why = latest.justification.as_deref().or(latest.impact.as_deref());
            let why = why.map_or(String::new(), |why| format!(" ({why})"));
            (*signer, format!("{}{why}", latest.status.name()))
        })
    }

    /// Whether a statement is about a flaw here: by the flaw's name, and of these very bytes.
    fn is_about(&self, statement: &VexStatement, flaw: &Flaw) -> bool {
        let is_here = |product: &plimsoll_core::evidence::VexProduct| {
            let is_named = |id: &String| {
                let id = id.replace("%3A", ":").replace("%3a", ":");
                self.subjects.iter().any(|subject| id.contains(subject.as_str()))
            };
            let is_product = product.digests.iter().any(|digest| self.subjects.contains(digest))
                || product.ids.iter().any(is_named);
            is_product
                && (product.subcomponents.is_empty()
                    || product.subcomponents.iter().any(|id| is_part(id, flaw)))
        };
        statement.vulnerabilities.iter().any(|name| flaw.is_called(name))
            && statement.products.iter().any(is_here)
    }
}

/// The package of a flaw, named by its package URL; a version may be left out.
fn is_part(id: &str, flaw: &Flaw) -> bool {
    let (Some(part), Some(own)) = (purl::identity(id), purl::identity(&flaw.purl)) else { return false };
    part == own || own.strip_prefix(&part).is_some_and(|rest| rest.starts_with('@'))
}

fn is_harmless(status: VexStatus) -> bool {
    matches!(status, VexStatus::NotAffected | VexStatus::Fixed)
}

/// When it was stated. What says no time that can be read is the oldest.
fn when(statement: &VexStatement) -> Option<jiff::Timestamp> {
    statement.timestamp.as_deref()?.parse().ok()
}
