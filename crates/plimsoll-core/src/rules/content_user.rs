//! `content.user`: does it run as somebody other than root?

use super::{About, Rule, top};
use crate::clearance::{Answer, Case, Outcome, Weight};

/// The row.
pub(super) static RULE: Rule = Rule {
    id: "content.user",
    asks: "does it run as somebody other than root",
    about: About::Content,
    weight: Weight::Warn,
    is_firm: false,
    judge,
};

fn judge(case: &Case<'_>) -> Answer {
    if let Err(answer) = top(case) {
        return answer;
    }
    let configs = case.observed.images.iter().filter_map(|image| image.config.as_ref().ok());
    let mut users: Vec<&str> =
        configs.filter(|config| config.platform.os != "windows").map(|config| config.user.as_str()).collect();
    users.sort_unstable();
    users.dedup();
    if users.is_empty() {
        return Answer::new(Outcome::NotApplicable, "there is no image whose user would be root");
    }
    let shown = users.iter().map(|user| format!("`{user}`")).collect::<Vec<_>>().join(", ");
    match users.iter().find(|user| is_root(user)) {
        Some(&"") => Answer::new(Outcome::Fail, "it names no user, so it runs as root"),
        Some(user) => Answer::new(Outcome::Fail, format!("it runs as `{user}`")),
        None => Answer::new(Outcome::Pass, format!("it runs as {shown}")),
    }
}

/// `USER[:GROUP]`, by name or number (OCI image specification, `config.md`, `User`).
fn is_root(user: &str) -> bool {
    ["", "root", "0"].contains(&user.split(':').next().unwrap_or_default())
}
