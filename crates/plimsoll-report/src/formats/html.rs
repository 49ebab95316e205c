//! The report as one file for a browser: nothing is loaded, nothing is run, and the file's own policy says so.

use std::io::{self, Write};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use maud::{DOCTYPE, Markup, html};
use plimsoll_core::assessment::Assessment;
use sha2::{Digest as _, Sha256};

use super::{Context, Format};
use crate::html::{self, STYLE, emblem, marks, shown};

/// Packages of an image that a file lists: those with findings come first, and the JSON report has all.
const PACKAGES_MAX: usize = 2_000;

pub(super) static FORMAT: Format = Format {
    name: "html",
    title: "A page for a browser, in one file that needs nothing else",
    media_type: "text/html; charset=utf-8",
    write,
};

fn write(assessments: &[Assessment], context: &Context, out: &mut dyn Write) -> io::Result<()> {
    out.write_all(page(assessments, context).into_string().as_bytes())?;
    out.write_all(b"\n")
}

fn page(assessments: &[Assessment], context: &Context) -> Markup {
    let style = STANDARD.encode(Sha256::digest(STYLE));
    let policy =
        format!("default-src 'none'; style-src 'sha256-{style}'; base-uri 'none'; form-action 'none'");
    let title =
        assessments.first().map_or_else(|| "no image".to_owned(), |first| shown(&first.image.reference));
    html! {
        (DOCTYPE)
        html lang="en" {
            head {
                meta charset="utf-8";
                meta http-equiv="Content-Security-Policy" content=(policy);
                meta name="viewport" content="width=device-width, initial-scale=1";
                title { (title) " · Plimsoll" }
                // The policy lets through these very bytes, so they are not to be escaped. They are ours.
                style { (maud::PreEscaped(STYLE)) }
            }
            body.file {
                (marks::shapes())
                header.top { div.inside { span.brand { (emblem()) " Plimsoll" } } }
                main.inside {
                    @if assessments.is_empty() { p { "There is no image to report on." } }
                    @for (place, assessment) in assessments.iter().enumerate() { (image(assessment, place)) }
                }
                footer.inside { p.quiet { "Written by Plimsoll " (context.version) "." } }
            }
        }
    }
}

fn image(assessment: &Assessment, place: usize) -> Markup {
    let (packages, count) = html::packages(assessment, "", 0, PACKAGES_MAX);
    html! {
        article aria-labelledby={ "image-" (place) } {
            h1 id={ "image-" (place) } { (shown(&assessment.image.reference)) }
            (html::first_lines(assessment))
            (html::tallies(assessment, None))
            (html::facts(assessment))
            h2 { "Findings" }
            (html::whole(assessment))
            details.part { summary { h2 { "Gaps " span.quiet { "(" (assessment.gaps().len()) ")" } } } (html::gaps(assessment)) }
            details.part { summary { h2 { "Coverage" } } (html::coverage(assessment)) }
            details.part { summary { h2 { "Layers " span.quiet { "(" (assessment.image.layers.len()) ")" } } } (html::layers(assessment, None)) }
            details.part {
                summary { h2 { "Packages " span.quiet { "(" (count) ")" } } }
                (packages)
                @if count > PACKAGES_MAX { p.quiet { "and " (count - PACKAGES_MAX) " more, in the JSON report" } }
            }
        }
    }
}
