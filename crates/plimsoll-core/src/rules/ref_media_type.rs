//! `ref.media-type`: do header and content agree on what the manifest is?
//!
//! What could be read as an index and as a manifest is refused before this is asked (CVE-2021-41190).

use super::{About, Rule, top};
use crate::clearance::{Answer, Case, Outcome, Weight};

/// The row.
pub(super) static RULE: Rule = Rule {
    id: "ref.media-type",
    asks: "is it of one known kind",
    about: About::Bytes,
    weight: Weight::Refuse,
    is_firm: true,
    judge,
};

fn judge(case: &Case<'_>) -> Answer {
    let top = match top(case) {
        Ok(top) => top,
        Err(answer) => return answer,
    };
    let media_type = &top.media_type;
    match &top.artifact {
        Some(kind) => Answer::new(
            Outcome::Pass,
            format!(
                "header and content say `{media_type}`; it is an artifact of type `{kind}`, not an image"
            ),
        ),
        None => Answer::new(Outcome::Pass, format!("header and content say `{media_type}`")),
    }
}
