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

/// Entries that are shown; the document has all.
const ENTRIES_MAX: usize = 100;

/// Pieces of evidence of one list, and flaws of one entry.
const ROWS_MAX: usize = 20;

/// A document as a record keeps it.
#[derive(Debug, Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
pub struct Told {
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
    /// If it is no such document.
    pub fn read(json: &[u8]) -> Result<Told, serde_json::Error> {
        serde_json::from_slice(json)
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

/// All entries, those open that are not cleared.
pub fn clearance(told: &Told) -> Markup {
    html! {
        @if !told.checks.is_empty() { h3 { "The manifests" } (checks(&told.checks)) }
        @for entry in told.entries.iter().take(ENTRIES_MAX) { (one(entry)) }
        @if told.entries.len() > ENTRIES_MAX { p.banner.warning { (told.entries.len() - ENTRIES_MAX) " more are not shown here; the document has all." } }
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
                    dd { (image.platform.as_deref().map_or_else(|| "platform unread".to_owned(), shown)) ", " (image.layers.len()) " layers, "
                        (size(image.layers.iter().fold(0, |sum, layer| sum.saturating_add(layer.size)))) }
                }
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
        (_, "refuse") => ("✕", "late"),
        _ => ("!", "late"),
    }
}

fn checks(checks: &[Check]) -> Markup {
    let (not_asked, asked): (Vec<&Check>, Vec<&Check>) =
        checks.iter().partition(|check| check.outcome == "N/A");
    html! {
        h4 { "Checks" }
        div.scroll tabindex="0" role="region" aria-label="Checks" { table.checks {
            thead { tr { th scope="col" { "Outcome" } th scope="col" { "Question" } th scope="col" { "What was seen" } } }
            tbody { @for check in asked {
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
        @if !found.unseen.is_empty() {
            p { strong { "Could not be looked at" } }
            ul {
                @for one in found.unseen.iter().take(ROWS_MAX) { li { (shown(&one.scheme)) " " (shown(&one.place)) ": " (sentence(&one.detail)) } }
                (more(found.unseen.len()))
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
        @if let Some(built) = piece.statement.as_ref().and_then(|statement| statement.provenance.as_ref()) {
            dl.facts {
                @for (name, value) in [
                    ("Builder", &built.builder), ("Source", &built.source_repository), ("Commit", &built.commit),
                    ("Ref", &built.source_ref), ("Run", &built.run), ("Finished", &built.finished),
                ] { @if let Some(value) = value { dt { (name) } dd { (shown(value)) } } }
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
            div.scroll tabindex="0" role="region" aria-label="Flaws" { table {
                thead { tr { th scope="col" { "Flaw" } th scope="col" { "Severity" } th scope="col" { "Package" } th scope="col" { "Fixed in" } th scope="col" { "New" } th scope="col" { "By the policy" } } }
                tbody { @for flaw in sorted.iter().take(ROWS_MAX) { tr {
                    th scope="row" { bdi { (shown(&flaw.id)) } }
                    td { (marks::severity(flaw.severity.as_deref().and_then(Severity::from_vendor_word))) }
                    td { bdi { (shown(&flaw.package)) } " " bdi { (shown(&flaw.version)) } }
                    td { @match &flaw.fixed_in { Some(version) => bdi { (shown(version)) }, None => span.quiet { "no fix is stated" } } }
                    td { @match flaw.is_new { Some(true) => "new", Some(false) => "inherited", None => "not known" } }
                    td { @if flaw.held == "by-none" { "not held" } @else { (shown(&flaw.held)) } }
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
        assert!(Told::read(b"[1]").is_err());
    }
}
