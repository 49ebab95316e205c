//! Feeds as Clair's update operations: each feed of the database is the newest operation of its updater, and the only
//! one, because the database keeps nothing that is not current.

use std::collections::BTreeMap;

use plimsoll_core::advisory::FeedRecord;
use schemars::JsonSchema;
use serde::Serialize;

use super::report;

/// One update of a feed.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, JsonSchema)]
pub(super) struct Operation {
    /// A UUID.
    #[serde(rename = "ref")]
    pub(super) reference: String,
    /// The feed.
    updater: String,
    /// What tells its data from later data.
    fingerprint: String,
    /// When it was fetched.
    date: String,
    /// `vulnerability`, or `enrichment` for a feed that only says more of flaws.
    kind: &'static str,
}

/// All kinds of operations.
pub(super) const KINDS: [&str; 2] = ["vulnerability", "enrichment"];

impl Operation {
    fn of(feed: &FeedRecord) -> Operation {
        let fingerprint = feed.data_date.clone().unwrap_or_else(|| feed.fetched_at.clone());
        let kind = if feed.namespaces.is_empty() { KINDS[1] } else { KINDS[0] };
        let records = feed.records.to_string();
        Operation {
            reference: uuid_of(&report::id(&[
                "operation",
                &feed.name,
                &feed.fetched_at,
                &fingerprint,
                &records,
            ])),
            updater: feed.name.clone(),
            fingerprint,
            date: feed.fetched_at.clone(),
            kind,
        }
    }
}

/// The operations of one kind, by updater.
pub(super) fn by_updater(feeds: &[FeedRecord], kind: &str) -> BTreeMap<String, Vec<Operation>> {
    let operations = feeds.iter().map(Operation::of).filter(|operation| operation.kind == kind);
    operations.map(|operation| (operation.updater.clone(), vec![operation])).collect()
}

/// The newest of all.
pub(super) fn newest(operations: &BTreeMap<String, Vec<Operation>>) -> Option<&Operation> {
    operations.values().flatten().max_by(|a, b| (&a.date, &a.updater).cmp(&(&b.date, &b.updater)))
}

/// The operation with a UUID.
pub(super) fn by_reference(feeds: &[FeedRecord], reference: &str) -> Option<Operation> {
    feeds.iter().map(Operation::of).find(|operation| operation.reference == reference)
}

/// Thirty-two hexadecimal digits as a UUID of version 8, which means nothing but itself (RFC 9562, section 5.8).
fn uuid_of(digits: &str) -> String {
    format!(
        "{}-{}-8{}-8{}-{}",
        &digits[..8],
        &digits[8..12],
        &digits[13..16],
        &digits[17..20],
        &digits[20..32]
    )
}

#[cfg(test)]
mod tests {
    use super::super::uuid;
    use super::*;

    #[test]
    fn feeds_are_operations() {
        let feed = |name: &str, fetched_at: &str, namespaces: &[&str]| FeedRecord {
            name: name.to_owned(),
            fetched_at: fetched_at.to_owned(),
            namespaces: namespaces.iter().map(|&namespace| namespace.to_owned()).collect(),
            ..FeedRecord::default()
        };
        let feeds = [
            feed("osv-npm", "2030-01-02T00:00:00Z", &["npm"]),
            feed("alpine-secdb", "2030-01-03T00:00:00Z", &["alpine:3.20"]),
            feed("kev", "2030-01-04T00:00:00Z", &[]),
        ];
        let operations = by_updater(&feeds, KINDS[0]);
        assert_eq!(operations.keys().collect::<Vec<_>>(), ["alpine-secdb", "osv-npm"]);
        let newest = newest(&operations).unwrap();
        assert_eq!(newest.updater, "alpine-secdb");
        assert_eq!(uuid(&newest.reference).as_ref(), Ok(&newest.reference));
        assert_eq!(by_reference(&feeds, &newest.reference).as_ref(), Some(newest));
        assert_eq!(by_updater(&feeds, KINDS[1]).keys().collect::<Vec<_>>(), ["kev"]);
    }
}
