//! What was decided of each digest of a clearance: checks, evidence, waivers, flaws.
//!
//! It is made of the JSON document, since that is what a record keeps; a field that a document does not have is empty.
//! Evidence of different worth is never in one list.

use maud::{Markup, html};
use plimsoll_core::advisory::Severity;
use plimsoll_core::rules::RULES;
use serde::Deserialize;

use super::marks;
use super::said::{sentence, shown, size};
use crate::clearance::json::SCHEMA;

/// Bytes of entries that are shown, so that a page stays one; the document has all.
const BYTES_MAX: usize = 200_000;

/// Pieces of evidence of one list, images and flaws of one entry.
const ROWS_MAX: usize = 20;

/// Checks of one table: more than there are rules.
const CHECKS_MAX: usize = 80;

/// A document as a record keeps it.
#[derive(Debug, Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
pub struct Told {
    schema: String,
    checks: Vec<Check>,
    entries: Vec<Entry>,
    unchecked: Vec<String>,
}

impl Told {
    /// The name of the format that it is read of.
    pub const FORMAT: &str = crate::clearance::json::FORMAT.name;

    /// Reads `plimsoll/clearance/1`.
    ///
    /// # Errors
    ///
    /// If it is no such document: what is wrong, for people.
    pub fn read(json: &[u8]) -> Result<Told, String> {
        let told: Told = serde_json::from_slice(json).map_err(|error| error.to_string())?;
        match told.schema.as_str() {
            SCHEMA => Ok(told),
            other => Err(format!("it is of the schema `{}`, not `{SCHEMA}`", shown(other))),
        }
    }
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Check {
    id: String,
    outcome: String,
    weight: String,
    detail: String,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Entry {
    name: String,
    source: String,
    digest: Option<String>,
    seen: Option<String>,
    tags: Vec<String>,
    verdict: String,
    policy: Option<String>,
    checks: Vec<Check>,
    images: Vec<Image>,
    evidence: Option<Evidence>,
    flaws: Option<Vec<Flaw>>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Image {
    platform: Option<String>,
    layers: Vec<Layer>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Layer {
    size: u64,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
struct Evidence {
    pieces: Vec<Piece>,
    unseen: Vec<Unseen>,
    lists: Vec<List>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct List {
    signers: Vec<String>,
    format: String,
    error: Option<String>,
    both: usize,
    unlisted: Vec<String>,
    absent: Vec<String>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
struct Piece {
    scheme: String,
    place: String,
    standing: String,
    reason: Option<String>,
    signer: Option<Signer>,
    signers: Vec<String>,
    content: String,
    statement: Option<Statement>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Signer {
    san: Option<String>,
    issuer: Option<String>,
    key: Option<String>,
    checked: Vec<String>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
struct Statement {
    predicate_type: String,
    unreadable: Option<String>,
    provenance: Option<Provenance>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
struct Provenance {
    builder: Option<String>,
    source_repository: Option<String>,
    commit: Option<String>,
    source_ref: Option<String>,
    run: Option<String>,
    finished: Option<String>,
    disagreeing: Vec<String>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Unseen {
    scheme: String,
    place: String,
    detail: String,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
struct Flaw {
    id: String,
    package: String,
    version: String,
    severity: Option<String>,
    fixed_in: Option<String>,
    is_new: Option<bool>,
    held: String,
    waiver: Option<Waiver>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Waiver {
    owner: String,
    reason: String,
    expires: String,
}

/// All entries, those first and open that are not cleared.
pub fn clearance(told: &Told) -> Markup {
    let mut sorted: Vec<&Entry> = told.entries.iter().collect();
    sorted.sort_by_key(|entry| match entry.verdict.as_str() {
        "cleared" => 2,
        "undecided" => 1,
        _ => 0,
    });
    let (mut entries, mut bytes) = (Vec::new(), 0);
    for entry in sorted {
        if bytes > BYTES_MAX {
            break;
        }
        let entry = one(entry);
        bytes += entry.0.len();
        entries.push(entry);
    }
    html! {
        @if !told.checks.is_empty() { h3 { "The manifests" } (checks(&told.checks)) }
        @for entry in &entries { (entry) }
        @let left_out = told.entries.len() - entries.len();
        @if left_out > 0 { p.banner.warning { (left_out) " more are not shown here; the document has all." } }
        @if !told.unchecked.is_empty() {
            h3 { "Not checked" }
            ul { @for line in &told.unchecked { li { (sentence(line)) } } }
        }
    }
}

fn one(entry: &Entry) -> Markup {
    let digest = entry.digest.as_ref().or(entry.seen.as_ref());
    html! {
        details.part open[entry.verdict != "cleared"] {
            summary { h3 {
                (shown(&entry.name)) @if let Some(tags) = tags(entry) { " " (shown(&tags)) }
                ": " (shown(&entry.verdict))
            } }
            dl.facts {
                @if let Some(digest) = digest { dt { "Digest" } dd { code { (shown(digest)) } } }
                dt { "Repository" } dd { (shown(&entry.source)) }
                @if let Some(policy) = &entry.policy { dt { "Policy" } dd { (shown(policy)) } }
                @for image in entry.images.iter().take(ROWS_MAX) {
                    dt { "Image" }
                    dd { (image.platform.as_deref().map_or_else(|| "platform unread".to_owned(), shown)) ", " (crate::heading::count(image.layers.len(), "layer")) ", "
                        (size(image.layers.iter().fold(0, |sum, layer| sum.saturating_add(layer.size)))) }
                }
                @if entry.images.len() > ROWS_MAX { dt { "Images" } dd { "and " (entry.images.len() - ROWS_MAX) " more" } }
            }
            (checks(&entry.checks))
            @if let Some(found) = &entry.evidence { (evidence(found)) }
            @if let Some(found) = &entry.flaws { (waivers(found)) (flaws(found)) }
        }
    }
}

/// The tags of an entry that its name does not have.
fn tags(entry: &Entry) -> Option<String> {
    let is_in_name = |tag: &&String| entry.name.ends_with(&format!(":{tag}"));
    let tags: Vec<&str> = entry.tags.iter().filter(|tag| !is_in_name(tag)).map(String::as_str).collect();
    (!tags.is_empty()).then(|| tags.join(", "))
}

/// The sign of an outcome, and the class that says how it is to be taken.
fn sign(check: &Check) -> (&'static str, &'static str) {
    match (check.outcome.as_str(), check.weight.as_str()) {
        ("PASS", _) => ("✓", "good"),
        ("WAIVED", _) => ("✓", "late"),
        // It could not be told.
        ("ERROR", _) => ("?", "late"),
        (_, "refuse") => ("✕", "late"),
        _ => ("!", "late"),
    }
}

fn checks(checks: &[Check]) -> Markup {
    let (not_asked, asked): (Vec<&Check>, Vec<&Check>) =
        checks.iter().partition(|check| check.outcome == "N/A");
    html! {
        h4 { "Checks" }
        div.scroll tabindex="0" role="region" aria-label="Checks" { table.tags.checks {
            thead { tr { th scope="col" { "Outcome" } th scope="col" { "Question" } th scope="col" { "What was seen" } } }
            tbody { @for check in asked.iter().take(CHECKS_MAX) {
                @let (sign, class) = sign(check);
                tr {
                    td { span class={ "state " (class) } { span aria-hidden="true" { (sign) } " " (shown(&check.outcome)) } }
                    th scope="row" {
                        code { (shown(&check.id)) }
                        @if let Some(rule) = RULES.iter().find(|rule| rule.id == check.id) { " " span.quiet { (rule.asks) "?" } }
                        @if check.weight != "refuse" { " " span.tag { (shown(&check.weight)) "s only" } }
                    }
                    td { (sentence(&check.detail)) }
                }
            } }
        } }
        @if asked.len() > CHECKS_MAX { p.quiet { "and " (asked.len() - CHECKS_MAX) " more in the document" } }
        @if !not_asked.is_empty() {
            p.quiet { "Not asked, or nothing to ask of: " (shown_list(not_asked.iter().map(|check| check.id.as_str()))) "." }
        }
    }
}

fn shown_list<'a>(texts: impl Iterator<Item = &'a str>) -> String {
    texts.map(shown).collect::<Vec<_>>().join(", ")
}

/// Standings of evidence, each with what its list is called.
const STANDINGS: [(&str, &str); 4] = [
    ("proven", "Verified"),
    ("refused", "There, and refused"),
    ("unverified", "There, and not verified"),
    ("unsigned", "Claims that nobody signed, not counted"),
];

fn evidence(found: &Evidence) -> Markup {
    html! {
        h4 { "Evidence" }
        @if found.pieces.is_empty() && found.unseen.is_empty() { p { "None was found." } }
        @for (standing, title) in STANDINGS {
            @let pieces: Vec<&Piece> = found.pieces.iter().filter(|piece| piece.standing == standing).collect();
            @if !pieces.is_empty() {
                p { strong { (title) } }
                ul {
                    @for one in pieces.iter().take(ROWS_MAX) { li { (piece(one)) } }
                    (more(pieces.len()))
                }
            }
        }
        @let unknown = found.pieces.iter().filter(|piece| !STANDINGS.iter().any(|(known, _)| piece.standing == *known)).count();
        @if unknown > 0 { p { strong { (unknown) " of a standing that this version does not know" } "; the document has them." } }
        @if !found.unseen.is_empty() {
            p { strong { "Could not be looked at" } }
            ul {
                @for one in found.unseen.iter().take(ROWS_MAX) { li { (shown(&one.scheme)) " " (shown(&one.place)) ": " (sentence(&one.detail)) } }
                (more(found.unseen.len()))
            }
        }
        @for list in found.lists.iter().take(ROWS_MAX) { (listed(list)) }
    }
}

/// An attested list of packages, held against what is aboard.
fn listed(list: &List) -> Markup {
    html! {
        p {
            (shown(&list.format)) " list of " (shown_list(list.signers.iter().map(String::as_str))) ": "
            @match &list.error {
                Some(error) => { "could not be compared: " (sentence(error)) },
                None => {
                    (list.both) " packages are listed and aboard, " (list.unlisted.len()) " aboard and not listed, " (list.absent.len()) " listed and not found aboard"
                    @for (what, names) in [("not listed", &list.unlisted), ("not found", &list.absent)] {
                        @if !names.is_empty() { "; " (what) ": " (shown_list(names.iter().take(ROWS_MAX).map(String::as_str))) @if names.len() > ROWS_MAX { " …" } }
                    }
                },
            }
        }
    }
}

fn more(count: usize) -> Markup {
    html! { @if count > ROWS_MAX { li.quiet { "and " (count - ROWS_MAX) " more" } } }
}

fn piece(piece: &Piece) -> Markup {
    html! {
        @match &piece.statement {
            Some(statement) => code { (shown(&statement.predicate_type)) },
            None => (shown(&piece.content)),
        }
        " at " (shown(&piece.scheme)) " " (shown(&piece.place))
        @if let Some(signer) = &piece.signer {
            ", by "
            @match (&signer.san, &signer.key) {
                (Some(san), _) => { bdi { (shown(san)) } @if let Some(issuer) = &signer.issuer { " of " bdi { (shown(issuer)) } } },
                (None, Some(key)) => { "the key " code { (shown(key)) } },
                (None, None) => "a signer that is not named",
            }
            @if piece.signers.is_empty() { ", who is none of the policy's signers" }
            @else { ", who is " strong { (shown_list(piece.signers.iter().map(String::as_str))) } }
            @if !signer.checked.is_empty() { "; verified: " (shown_list(signer.checked.iter().map(String::as_str))) }
        }
        @if let Some(reason) = &piece.reason { ": " (sentence(reason)) }
        @if let Some(why) = piece.statement.as_ref().and_then(|statement| statement.unreadable.as_ref()) { "; what it says cannot be read: " (sentence(why)) }
        @if let Some(built) = piece.statement.as_ref().and_then(|statement| statement.provenance.as_ref()) {
            dl.facts {
                @for (name, value) in [
                    ("Builder", &built.builder), ("Source", &built.source_repository), ("Commit", &built.commit),
                    ("Ref", &built.source_ref), ("Run", &built.run), ("Finished", &built.finished),
                ] { @if let Some(value) = value { dt { (name) } dd { (shown(value)) } } }
                @if !built.disagreeing.is_empty() { dt { "Not as the certificate says" } dd { (shown_list(built.disagreeing.iter().map(String::as_str))) } }
            }
        }
    }
}

/// Flaws that somebody answers for, and those whose waiver has run out.
fn waivers(found: &[Flaw]) -> Markup {
    let waived: Vec<(&Flaw, &Waiver)> =
        found.iter().filter_map(|flaw| Some((flaw, flaw.waiver.as_ref()?))).collect();
    let expired: Vec<&Flaw> = found.iter().filter(|flaw| flaw.held == "expired").collect();
    html! {
        @if !waived.is_empty() || !expired.is_empty() {
            h4 { "Waivers" }
            ul {
                @for (flaw, waiver) in waived.iter().take(ROWS_MAX) { li {
                    bdi { (shown(&flaw.id)) } " in " bdi { (shown(&flaw.package)) } ": " (shown(&waiver.owner)) " answers for it until "
                    strong { (shown(&waiver.expires)) } ": " (sentence(&waiver.reason))
                } }
                (more(waived.len()))
                @for flaw in expired.iter().take(ROWS_MAX) { li { bdi { (shown(&flaw.id)) } " in " bdi { (shown(&flaw.package)) } ": " strong { "the waiver has run out" } } }
                (more(expired.len()))
            }
        }
    }
}

fn flaws(found: &[Flaw]) -> Markup {
    // What decides comes first; the document has them by severity.
    let rank = |flaw: &Flaw| match flaw.held.as_str() {
        "refused" | "expired" => 0,
        "untold" => 1,
        "waived" => 2,
        "warned" => 3,
        _ => 4,
    };
    let mut sorted: Vec<&Flaw> = found.iter().collect();
    sorted.sort_by_key(|flaw| rank(flaw));
    html! {
        h4 { "Flaws" }
        @if found.is_empty() { p { "None is known." } } @else {
            div.scroll tabindex="0" role="region" aria-label="Flaws" { table.tags {
                thead { tr { th scope="col" { "Flaw" } th scope="col" { "Severity" } th scope="col" { "Package" } th scope="col" { "Fixed in" } th scope="col" { "New" } th scope="col" { "By the policy" } } }
                tbody { @for flaw in sorted.iter().take(ROWS_MAX) { tr {
                    th scope="row" { bdi { (shown(&flaw.id)) } }
                    td { (marks::severity(flaw.severity.as_deref().and_then(Severity::from_vendor_word))) }
                    td { bdi { (shown(&flaw.package)) } " " bdi { (shown(&flaw.version)) } }
                    td data-label="Fixed in" { @match &flaw.fixed_in { Some(version) => bdi { (shown(version)) }, None => span.quiet { "no fix is stated" } } }
                    td data-label="New" { @match flaw.is_new { Some(true) => "new", Some(false) => "inherited", None => "not known" } }
                    td data-label="By the policy" { @if flaw.held == "by-none" { "not held" } @else { (shown(&flaw.held)) } }
                } } }
            } }
            @if sorted.len() > ROWS_MAX { p.quiet { "and " (sorted.len() - ROWS_MAX) " more in the document" } }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hostile_documents_are_text() {
        let evil = "<script>alert(1)</script>\u{202e}";
        let document = serde_json::json!({
            "schema": SCHEMA,
            "checks": [{"id": evil, "outcome": "FAIL", "weight": evil, "detail": evil}],
            "entries": [{
                "name": evil, "source": "javascript:alert(1)", "verdict": evil, "tags": [evil],
                "evidence": {"isVerified": true, "pieces": [
                    {"standing": "proven", "scheme": evil, "place": evil, "signer": {"san": evil, "issuer": evil, "checked": [evil]}},
                    {"standing": "refused", "reason": evil, "statement": {"predicateType": evil, "provenance": {"builder": evil}}},
                ], "unseen": [{"scheme": evil, "place": evil, "detail": evil}]},
                "flaws": [{"id": evil, "severity": "critical", "held": "waived", "waiver": {"owner": evil, "reason": evil, "expires": evil}}],
            }],
            "unchecked": [evil],
        });
        let page = clearance(&Told::read(document.to_string().as_bytes()).unwrap()).into_string();
        assert!(!page.contains("<script") && !page.contains('\u{202e}') && !page.contains("<a "), "{page}");
        assert!(
            page.contains("Verified")
                && page.contains("There, and refused")
                && page.contains("answers for it"),
            "{page}"
        );
        for (bad, why) in
            [("[1]", "invalid"), ("{}", "it is of the schema ``"), ("{\"schema\": \"x/2\"}", "`x/2`")]
        {
            let error = Told::read(bad.as_bytes()).unwrap_err();
            assert!(error.contains(why), "{bad}: {error}");
        }
    }

    #[test]
    fn evidence_is_listed_by_its_worth_and_waivers_with_their_end() {
        let document = serde_json::json!({
            "schema": SCHEMA,
            "entries": [{
                "name": "app", "source": "r.example/app", "digest": "sha256:aa", "tags": ["1.2"], "verdict": "cleared", "policy": "ship",
                "checks": [
                    {"id": "sig.present", "outcome": "PASS", "weight": "refuse", "detail": "one signature"},
                    {"id": "vuln.refuse", "outcome": "WAIVED", "weight": "refuse", "detail": "CVE-2030-1: ana answers for it"},
                    {"id": "vuln.warn", "outcome": "FAIL", "weight": "warn", "detail": "CVE-2030-2"},
                    {"id": "sbom.valid", "outcome": "ERROR", "weight": "refuse", "detail": "the list cannot be read"},
                    {"id": "dest.mirrors", "outcome": "N/A", "weight": "refuse", "detail": ""},
                ],
                "images": [{"digest": "sha256:aa", "platform": "linux/amd64", "layers": [{"size": 1_500_000}]}],
                "evidence": {
                    "pieces": [
                        {"standing": "proven", "scheme": "referrer", "place": "sha256:bb", "content": "statement", "signers": ["release"],
                         "signer": {"san": "https://ci.example/release", "issuer": "https://ci.example", "checked": ["certificate", "log-inclusion"]},
                         "statement": {"predicateType": "https://slsa.dev/provenance/v1", "provenance": {"builder": "b", "commit": "c", "disagreeing": ["ref"]}}},
                        {"standing": "refused", "scheme": "cosign-signature", "place": "sha256-aa.sig", "content": "signature", "reason": "of another digest"},
                        {"standing": "unverified", "scheme": "file", "place": "x.json", "content": "unread", "reason": "no root is trusted"},
                        {"standing": "unsigned", "scheme": "buildkit", "place": "sha256:cc", "content": "statement",
                         "statement": {"predicateType": "https://spdx.dev/Document", "unreadable": "no document"}},
                    ],
                    "unseen": [{"scheme": "referrer", "place": "r.example/app", "detail": "503"}],
                    "lists": [{"signers": ["release"], "format": "SPDX", "both": 7, "unlisted": ["hull 1"], "absent": []}],
                },
                "flaws": [
                    {"id": "CVE-2030-2", "package": "rope", "version": "1", "severity": "low", "held": "warned", "isNew": false},
                    {"id": "CVE-2030-1", "package": "hull", "version": "1", "severity": "high", "fixedIn": "2", "held": "waived", "isNew": true,
                     "waiver": {"owner": "ana", "reason": "not reached", "expires": "2030-02-01"}},
                    {"id": "CVE-2030-3", "package": "keel", "version": "1", "held": "expired"},
                ],
            }],
            "unchecked": ["who built it"],
        });
        let page = clearance(&Told::read(document.to_string().as_bytes()).unwrap()).into_string();
        insta::assert_snapshot!("whole", page.replace("><", ">\n<"));
    }

    #[test]
    fn what_is_not_known_is_counted_and_a_page_has_an_end() {
        let entry = |name: usize, verdict: &str| {
            serde_json::json!({
                "name": format!("image-{name}"), "verdict": verdict,
                "checks": (0..40).map(|at| serde_json::json!({"id": format!("check-{at}"), "outcome": "PASS", "detail": "x".repeat(900)})).collect::<Vec<_>>(),
                "evidence": {"pieces": [{"standing": "novel"}]},
            })
        };
        let mut entries: Vec<_> = (0..40).map(|at| entry(at, "cleared")).collect();
        entries.push(entry(40, "refused"));
        let document = serde_json::json!({"schema": SCHEMA, "entries": entries});
        let page = clearance(&Told::read(document.to_string().as_bytes()).unwrap()).into_string();
        assert!(page.len() < 300_000, "{}", page.len());
        assert!(page.contains("1 of a standing that this version does not know"));
        let shown = page.matches("<summary>").count();
        assert!(page.contains(&format!("{} more are not shown here", 41 - shown)), "{shown}");
        assert!(
            page.find("image-40").unwrap() < page.find("image-0:").unwrap_or(usize::MAX),
            "what is refused comes first"
        );
    }
}
