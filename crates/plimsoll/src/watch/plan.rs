//! What is to be done after a look at a repository. Pure.
//!
//! What is new is submitted before its tag is noted: whoever is killed in between submits it again, which changes nothing,
//! instead of never.

use std::collections::{BTreeMap, BTreeSet};

use jiff::Timestamp;
use plimsoll_core::digest::Digest;
use plimsoll_store::Tag;

/// What was seen of a repository.
#[derive(Clone, Debug, Default)]
pub(super) struct Seen {
    /// All its tags; `None` where they could not be listed to the end.
    pub(super) listed: Option<BTreeSet<String>>,
    /// Where those lead that were chosen and asked for.
    pub(super) digests: BTreeMap<String, Digest>,
}

/// What is to be done.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Plan {
    /// Tags that are new or lead elsewhere, and where they lead: one of each digest.
    pub(super) submit: Vec<(String, Digest)>,
    /// Tags to note.
    pub(super) note: Vec<Tag>,
    /// Whether tags are to be forgotten that are not noted.
    pub(super) forgets: bool,
}

/// Decides by what is known of the repository and what was seen of it.
pub(super) fn plan(registry: &str, repository: &str, known: &[Tag], seen: &Seen, now: Timestamp) -> Plan {
    let before: BTreeMap<&str, &Tag> = known.iter().map(|tag| (tag.tag.as_str(), tag)).collect();
    let mut submitted: BTreeSet<&Digest> = BTreeSet::new();
    let mut plan = Plan { forgets: seen.listed.is_some(), ..Plan::default() };
    for (tag, digest) in &seen.digests {
        let is_new = before.get(tag.as_str()).is_none_or(|before| before.digest != *digest);
        if is_new && submitted.insert(digest) {
            plan.submit.push((tag.clone(), digest.clone()));
        }
        plan.note.push(Tag {
            registry: registry.to_owned(),
            repository: repository.to_owned(),
            tag: tag.clone(),
            digest: digest.clone(),
            since: now,
            seen_at: now,
        });
    }
    // Tags that are still there but were not asked for, or not answered, stay as they are.
    let is_there = |tag: &&Tag| {
        !seen.digests.contains_key(&tag.tag) && seen.listed.as_ref().is_some_and(|all| all.contains(&tag.tag))
    };
    plan.note.extend(known.iter().filter(is_there).map(|tag| Tag { seen_at: now, ..tag.clone() }));
    plan
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(second: i64) -> Timestamp {
        Timestamp::from_second(1_893_456_000 + second).unwrap()
    }

    fn digest(number: u8) -> Digest {
        Digest::sha256(&[number; 32])
    }

    fn tag(name: &str, number: u8) -> Tag {
        Tag {
            registry: "r.example".to_owned(),
            repository: "team/app".to_owned(),
            tag: name.to_owned(),
            digest: digest(number),
            since: at(0),
            seen_at: at(0),
        }
    }

    #[test]
    fn what_is_new_or_moved_is_submitted_and_what_is_gone_is_forgotten() {
        for (known, listed, asked, submit, note, forgets) in [
            // Nothing is known yet; two tags of one image are one submission.
            (&[][..], Some("a b c"), &[("a", 1), ("b", 1), ("c", 2)][..], "a=1 c=2", "a=1 b=1 c=2", true),
            (&[("a", 1), ("b", 1)], Some("a b"), &[("a", 1), ("b", 1)], "", "a=1 b=1", true),
            (&[("a", 1)], Some("a"), &[("a", 2)], "a=2", "a=2", true),
            // `b` is gone; `c` was not chosen; `d` did not answer.
            (&[("b", 1), ("c", 2), ("d", 3)], Some("c d e"), &[("e", 4)], "e=4", "e=4 c=2 d=3", true),
            // The list broke off: nothing may be forgotten.
            (&[("a", 1)], None, &[("b", 2)], "b=2", "b=2", false),
            (&[("a", 1)], Some(""), &[], "", "", true),
        ] {
            let known: Vec<Tag> = known.iter().map(|(name, number)| tag(name, *number)).collect();
            let seen = Seen {
                listed: listed.map(|names| names.split_whitespace().map(str::to_owned).collect()),
                digests: asked.iter().map(|(name, number)| ((*name).to_owned(), digest(*number))).collect(),
            };
            let plan = plan("r.example", "team/app", &known, &seen, at(9));
            let number = |digest: &Digest| u8::from_str_radix(&digest.hex()[..2], 16).unwrap();
            let submitted: Vec<String> =
                plan.submit.iter().map(|(tag, digest)| format!("{tag}={}", number(digest))).collect();
            let noted: Vec<String> =
                plan.note.iter().map(|tag| format!("{}={}", tag.tag, number(&tag.digest))).collect();
            assert_eq!((submitted.join(" ").as_str(), noted.join(" ").as_str()), (submit, note));
            assert_eq!(plan.forgets, forgets);
            assert!(plan.note.iter().all(|tag| tag.seen_at == at(9)));
        }
    }
}
