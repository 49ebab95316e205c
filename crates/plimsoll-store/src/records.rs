//! What was decided, kept for ever: each record has the digest of the one before it.
//!
//! A record's body is one JSON text; its digest is of exactly these bytes, and the next body names it. The reports are of
//! the body by their digests, so that neither can be changed without the other, and nothing can be taken out of the middle.
//! What a chain cannot show is that its end was cut off: whoever wants to know that keeps the digest of the last record
//! elsewhere, and each record is told as an event.
//!
//! What surprises: which records speak of a digest is looked up in a table of its own, but what they say is read from
//! the body, whose digest is checked each time.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use jiff::Timestamp;
use plimsoll_core::clearance::Verdict;
use plimsoll_core::digest::Digest;
use serde::{Deserialize, Serialize};
use sha2::{Digest as _, Sha256};

use crate::engine::{Columns, Transaction, as_kept, clean, json};
use crate::{Decision, Store, StoreError};

/// Compression of reports: they are text, written once and read seldom.
const ZSTD_LEVEL: i32 = 9;

/// What the first record names as the one before it.
const NONE_BEFORE: &str = "";

/// One report of a clearance.
#[derive(Clone, PartialEq, Eq)]
pub struct Report {
    /// Name of the format.
    pub format: String,
    /// Media type.
    pub media_type: String,
    /// The bytes.
    pub body: Vec<u8>,
}

impl std::fmt::Debug for Report {
    /// Without the bytes.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Report").field("format", &self.format).field("bytes", &self.body.len()).finish()
    }
}

/// What a record says of one digest.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Spoken {
    /// The digest: an index, an image of it, or an image by itself.
    pub digest: Digest,
    /// The digest that was judged: the index, or the same.
    pub subject: Digest,
    /// The repositories in which it was judged, or for which: `HOST/PATH`.
    pub repositories: Vec<String>,
    /// What came of it.
    pub verdict: Verdict,
    /// Why it is not cleared, for people; empty where it is, and for an image of an index, of which [`Record::why`] knows.
    pub why: Vec<String>,
    /// The policy's signers who vouch for it, where that was verified; sorted.
    pub signers: Vec<String>,
}

/// A record.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Record {
    /// Its number; the first is 1.
    pub number: u64,
    /// SHA-256 of its body.
    pub digest: Digest,
    /// Digest of the record before it.
    pub previous: Option<Digest>,
    /// The hearing that it ended.
    pub hearing: String,
    /// When it was decided.
    pub decided_at: Timestamp,
    /// What was decided of all of it.
    pub decision: Decision,
    /// The reports, with the digests of their bytes.
    pub reports: Vec<(String, Digest)>,
}

impl Record {
    /// Why a digest is not cleared: what is said of it, or of the index that it is an image of.
    pub fn why<'r>(&'r self, spoken: &'r Spoken) -> &'r [String] {
        if !spoken.why.is_empty() || spoken.digest == spoken.subject {
            return &spoken.why;
        }
        let of_subject = |one: &&Spoken| one.digest == spoken.subject && one.verdict == spoken.verdict;
        self.decision.spoken.iter().find(of_subject).map_or(&[], |one| &one.why)
    }
}

/// The last record of a chain.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RecordHead {
    /// Its number; 0 where there is none.
    pub number: u64,
    /// Its digest; `None` where there is none.
    pub digest: Option<Digest>,
}

/// How far a chain was found to be whole.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Checked {
    /// The last record that is as it was written.
    pub head: RecordHead,
    /// Whether there is more.
    pub ended: Ended,
}

/// Where a check came to its end.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Ended {
    /// There are no more records.
    Whole,
    /// There may be more records.
    More,
    /// The next record is not as it was written: its number as far as that is known, and what is wrong.
    Broken(u64, String),
}

/// The body, as it is written. Fields are added at the end and never changed: old bodies are read too.
#[derive(Serialize, Deserialize)]
struct Body {
    number: u64,
    previous: String,
    hearing: String,
    decided_at: String,
    verdict: String,
    holds_until: Option<String>,
    policy: String,
    policies: Vec<(String, String)>,
    database: Option<String>,
    level: String,
    spoken: Vec<BodySpoken>,
    reports: Vec<(String, String)>,
}

#[derive(Serialize, Deserialize)]
struct BodySpoken {
    digest: String,
    subject: String,
    repositories: Vec<String>,
    verdict: String,
    why: Vec<String>,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    signers: Vec<String>,
}

impl Store {
    /// The last record.
    pub fn record_head(&self) -> Result<RecordHead, StoreError> {
        self.engine.read(head)
    }

    /// A record by its number. One that is not as it was written is [`StoreError::Damaged`].
    pub fn record(&self, number: u64) -> Result<Option<Record>, StoreError> {
        let rows = self
            .engine
            .query("SELECT number, digest, body FROM records WHERE number = $1", &[number.into()])?;
        rows.into_iter().next().map(|row| read(row)?.map_err(broken)).transpose()
    }

    /// The newest record under a policy that speaks of a digest, in this repository (`HOST/PATH`) or in any.
    pub fn record_of(
        &self,
        digest: &Digest,
        policy: &str,
        repository: Option<&str>,
    ) -> Result<Option<Record>, StoreError> {
        let mut values = vec![digest.into(), policy.into()];
        let mut within = String::new();
        if let Some(repository) = repository {
            values.push(repository.into());
            within.push_str(" AND repository = $3");
        }
        let newest =
            format!("SELECT max(record) FROM record_digests WHERE digest = $1 AND policy = $2{within}");
        let sql = format!("SELECT number, digest, body FROM records WHERE number = ({newest})");
        let rows = self.engine.query(&sql, &values)?;
        rows.into_iter().next().map(|row| read(row)?.map_err(broken)).transpose()
    }

    /// Records that speak of a digest, under any policy and in any repository, the newest first.
    pub fn records_of(
        &self,
        digest: &Digest,
        before: Option<u64>,
        rows_max: u32,
    ) -> Result<Vec<Record>, StoreError> {
        let before = before.unwrap_or(u64::MAX);
        let rows = self.engine.query(
            "SELECT number, digest, body FROM records
             WHERE number IN (SELECT record FROM record_digests WHERE digest = $1) AND number < $2
             ORDER BY number DESC LIMIT $3",
            &[digest.into(), before.into(), rows_max.into()],
        )?;
        rows.into_iter().map(|row| read(row)?.map_err(broken)).collect()
    }

    /// The newest record that speaks of each of these digests, by digest, under any policy and in any repository; what is
    /// wrong with it where it is not as it was written.
    pub fn newest_records(
        &self,
        digests: &[&str],
    ) -> Result<BTreeMap<String, Result<Arc<Record>, String>>, StoreError> {
        if digests.is_empty() {
            return Ok(BTreeMap::new());
        }
        let listed: Vec<[&str; 1]> = digests.iter().map(|digest| [*digest]).collect();
        self.engine.read(|transaction| {
            let numbers = "SELECT digest, max(record) FROM record_digests
                           WHERE digest IN (SELECT listed.value->>0 FROM {rows}) GROUP BY digest";
            let mut of_digest = Vec::new();
            for mut row in transaction.query(numbers, &[json(&listed).into()])? {
                of_digest.push((row.text()?, row.number::<u64>()?));
            }
            let numbers: BTreeSet<u64> = of_digest.iter().map(|(_, number)| *number).collect();
            let numbers: Vec<[u64; 1]> = numbers.into_iter().map(|number| [number]).collect();
            let bodies = "SELECT number, digest, body FROM records
                          WHERE number IN (SELECT CAST(listed.value->>0 AS BIGINT) FROM {rows})";
            let (mut records, mut broken) = (BTreeMap::new(), Vec::new());
            for row in transaction.query(bodies, &[json(&numbers).into()])? {
                match read(row)? {
                    Ok(record) => drop(records.insert(record.number, Arc::new(record))),
                    Err(fault) => broken.push(fault),
                }
            }
            let found = |(digest, number): (String, u64)| {
                let record = records.get(&number).cloned();
                (digest, record.ok_or_else(|| format!("record {number}: {}", broken.join("; "))))
            };
            Ok(of_digest.into_iter().map(found).collect())
        })
    }

    /// A report of a record. One whose bytes are not those of the record is [`StoreError::Damaged`].
    pub fn record_report(&self, record: &Record, format: &str) -> Result<Option<Report>, StoreError> {
        self.engine.read(|transaction| report(transaction, record, format))
    }

    /// Holds up to so many records after one against what they were when they were written: that the numbers have no
    /// holes, that each names the one before it and has the digest of its bytes, that it is found by every digest that it
    /// speaks of and by no other, and that its reports are its own.
    pub fn check_records(&self, after: &RecordHead, rows_max: u32) -> Result<Checked, StoreError> {
        self.engine.read(|transaction| check(transaction, after, rows_max))
    }
}

fn check(
    transaction: &mut Transaction<'_>,
    after: &RecordHead,
    rows_max: u32,
) -> Result<Checked, StoreError> {
    let mut head = after.clone();
    let rows = transaction.query(
        "SELECT number, digest, body FROM records WHERE number > $1 ORDER BY number LIMIT $2",
        &[head.number.into(), rows_max.into()],
    )?;
    let is_full = u32::try_from(rows.len()).unwrap_or(u32::MAX) >= rows_max;
    for row in rows {
        let next = head.number + 1;
        let fault = match read(row)? {
            Err(fault) => Some(fault),
            Ok(record) if record.number != next => {
                Some(format!("record {next} is gone; {} follows {}", record.number, head.number))
            }
            Ok(record) if record.previous != head.digest => {
                Some(format!("record {next} does not name the record before it"))
            }
            Ok(record) => {
                let fault = beside(transaction, &record)?;
                if fault.is_none() {
                    head = RecordHead { number: next, digest: Some(record.digest) };
                }
                fault
            }
        };
        if let Some(fault) = fault {
            return Ok(Checked { head, ended: Ended::Broken(next, fault) });
        }
    }
    // What was read before is looked for too: it may have been taken away since.
    if !is_full && self::head(transaction)? != head {
        let fault = format!("there were {} records, and the last of them is gone", head.number);
        return Ok(Checked { ended: Ended::Broken(head.number, fault), head });
    }
    Ok(Checked { head, ended: if is_full { Ended::More } else { Ended::Whole } })
}

/// What is wrong with what stands beside a record.
fn beside(transaction: &mut Transaction<'_>, record: &Record) -> Result<Option<String>, StoreError> {
    let number = record.number;
    let rows = transaction.query(
        "SELECT digest, policy, repository FROM record_digests WHERE record = $1
         ORDER BY digest, policy, repository",
        &[number.into()],
    )?;
    let mut found = Vec::new();
    for mut row in rows {
        found.push((row.text()?, row.text()?, row.text()?));
    }
    if found != places(&record.decision) {
        return Ok(Some(format!("record {number} is not found by the digests that it speaks of")));
    }
    let formats = transaction
        .query("SELECT format FROM record_reports WHERE record = $1 ORDER BY format", &[number.into()])?;
    let formats = formats.into_iter().map(|mut row| row.text()).collect::<Result<Vec<_>, _>>()?;
    let own: Vec<&String> = record.reports.iter().map(|(format, _)| format).collect();
    if !formats.iter().eq(own) {
        return Ok(Some(format!("record {number} has other reports than it had")));
    }
    for format in &formats {
        match report(transaction, record, format) {
            Ok(_) => {}
            Err(StoreError::Damaged(fault)) => return Ok(Some(fault)),
            Err(error) => return Err(error),
        }
    }
    Ok(None)
}

fn report(
    transaction: &mut Transaction<'_>,
    record: &Record,
    format: &str,
) -> Result<Option<Report>, StoreError> {
    let number = record.number;
    let sql = "SELECT media_type, body FROM record_reports WHERE record = $1 AND format = $2";
    let Some(mut row) = transaction.row(sql, &[number.into(), format.into()])? else { return Ok(None) };
    let media_type = row.text()?;
    let body = zstd::decode_all(row.blob()?.as_slice());
    let is_own = |body: &Vec<u8>| record.reports.contains(&(format.to_owned(), digest_of(body)));
    match body {
        Ok(body) if is_own(&body) => Ok(Some(Report { format: format.to_owned(), media_type, body })),
        _ => Err(StoreError::Damaged(format!("the report `{format}` of record {number} is not what it was"))),
    }
}

fn head(transaction: &mut Transaction<'_>) -> Result<RecordHead, StoreError> {
    match transaction.row("SELECT number, digest FROM records ORDER BY number DESC LIMIT 1", &[])? {
        None => Ok(RecordHead { number: 0, digest: None }),
        Some(mut row) => Ok(RecordHead { number: row.number()?, digest: Some(row.digest()?) }),
    }
}

/// Adds a record after the last one. The transaction is alone.
pub(crate) fn add(
    transaction: &mut Transaction<'_>,
    hearing: &str,
    decision: &Decision,
    reports: &[Report],
    now: Timestamp,
) -> Result<RecordHead, StoreError> {
    let last = head(transaction)?;
    let number = last.number + 1;
    let previous = last.digest.as_ref().map_or(NONE_BEFORE, Digest::as_str);
    let body = json(&written(number, previous, hearing, decision, reports, now));
    let digest = digest_of(body.as_bytes());
    transaction.execute(
        "INSERT INTO records (number, digest, body) VALUES ($1, $2, $3)",
        &[number.into(), (&digest).into(), body.into()],
    )?;
    transaction.execute(
        "INSERT INTO record_digests (digest, policy, repository, record)
         SELECT listed.value->>0, listed.value->>1, listed.value->>2, CAST($2 AS BIGINT) FROM {rows}",
        &[json(&places(decision)).into(), number.into()],
    )?;
    for report in reports {
        let body = zstd::encode_all(report.body.as_slice(), ZSTD_LEVEL)
            .map_err(|error| StoreError::Refused(format!("a report cannot be compressed: {error}")))?;
        transaction.execute(
            "INSERT INTO record_reports (record, format, media_type, body) VALUES ($1, $2, $3, $4)",
            &[number.into(), report.format.as_str().into(), report.media_type.as_str().into(), body.into()],
        )?;
    }
    Ok(RecordHead { number, digest: Some(digest) })
}

/// By what a record is found: digest, policy and repository, sorted.
fn places(decision: &Decision) -> Vec<(String, String, String)> {
    let of = |spoken: &Spoken| {
        let digest = spoken.digest.as_str().to_owned();
        let places = spoken.repositories.iter();
        places.map(move |place| (digest.clone(), clean(&decision.policy), clean(place))).collect::<Vec<_>>()
    };
    let mut places: Vec<_> = decision.spoken.iter().flat_map(of).collect();
    places.sort_unstable();
    places.dedup();
    places
}

fn written(
    number: u64,
    previous: &str,
    hearing: &str,
    decision: &Decision,
    reports: &[Report],
    now: Timestamp,
) -> Body {
    let mut reports: Vec<(String, String)> = reports
        .iter()
        .map(|report| (report.format.clone(), digest_of(&report.body).as_str().to_owned()))
        .collect();
    reports.sort_unstable();
    Body {
        number,
        previous: previous.to_owned(),
        hearing: hearing.to_owned(),
        decided_at: as_kept(now).to_string(),
        verdict: decision.verdict.name().to_owned(),
        holds_until: decision.holds_until.map(|until| as_kept(until).to_string()),
        policy: clean(&decision.policy),
        policies: decision
            .policies
            .iter()
            .map(|(name, digest)| (name.clone(), digest.as_str().to_owned()))
            .collect(),
        database: decision.database.clone(),
        level: decision.level.clone(),
        spoken: decision
            .spoken
            .iter()
            .map(|spoken| BodySpoken {
                digest: spoken.digest.as_str().to_owned(),
                subject: spoken.subject.as_str().to_owned(),
                repositories: spoken.repositories.iter().map(|place| clean(place)).collect(),
                verdict: spoken.verdict.name().to_owned(),
                why: spoken.why.clone(),
                signers: spoken.signers.clone(),
            })
            .collect(),
        reports,
    }
}

fn digest_of(bytes: &[u8]) -> Digest {
    Digest::sha256(&Sha256::digest(bytes).into())
}

fn broken(fault: String) -> StoreError {
    StoreError::Damaged(fault)
}

/// A record; what is wrong with it where it is not as it was written.
fn read(mut row: Columns) -> Result<Result<Record, String>, StoreError> {
    let number: u64 = row.number()?;
    let (digest, body) = (row.text()?, row.text()?);
    let actual = digest_of(body.as_bytes());
    if actual.as_str() != digest {
        return Ok(Err(format!("record {number} is not what its digest says")));
    }
    Ok(understood(&body, actual)
        .filter(|record| record.number == number)
        .ok_or_else(|| format!("record {number} cannot be understood")))
}

fn understood(body: &str, digest: Digest) -> Option<Record> {
    let body: Body = serde_json::from_str(body).ok()?;
    let pairs = |pairs: Vec<(String, String)>| -> Option<Vec<(String, Digest)>> {
        pairs.into_iter().map(|(name, digest)| Some((name, digest.parse().ok()?))).collect()
    };
    let spoken = body.spoken.into_iter().map(|spoken| {
        Some(Spoken {
            digest: spoken.digest.parse().ok()?,
            subject: spoken.subject.parse().ok()?,
            repositories: spoken.repositories,
            verdict: verdict_of(&spoken.verdict)?,
            why: spoken.why,
            signers: spoken.signers,
        })
    });
    let previous = match body.previous.as_str() {
        NONE_BEFORE => None,
        previous => Some(previous.parse().ok()?),
    };
    let holds_until = match body.holds_until {
        None => None,
        Some(until) => Some(until.parse().ok()?),
    };
    Some(Record {
        number: body.number,
        digest,
        previous,
        hearing: body.hearing,
        decided_at: body.decided_at.parse().ok()?,
        decision: Decision {
            verdict: verdict_of(&body.verdict)?,
            holds_until,
            policy: body.policy,
            policies: pairs(body.policies)?,
            database: body.database,
            level: body.level,
            spoken: spoken.collect::<Option<_>>()?,
        },
        reports: pairs(body.reports)?,
    })
}

/// The verdict of a name.
pub(crate) fn verdict_of(name: &str) -> Option<Verdict> {
    [Verdict::Cleared, Verdict::Undecided, Verdict::Refused].into_iter().find(|one| one.name() == name)
}
