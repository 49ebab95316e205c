//! Which names lead to which digests, as registries said.

use std::collections::BTreeMap;

use jiff::Timestamp;
use plimsoll_core::digest::Digest;

use crate::engine::{Alone, Columns, Transaction, Value, clean, json};
use crate::{EventKind, NewEvent, Store, StoreError};

const COLUMNS: &str = "registry, repository, tag, digest, since, seen_at";

/// Repositories that are read at once.
const REPOSITORIES_AT_ONCE_MAX: u32 = 1_000;

/// A name and where it leads.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Tag {
    /// `HOST[:PORT]`.
    pub registry: String,
    /// `NAMESPACE/NAME`.
    pub repository: String,
    /// The tag.
    pub tag: String,
    /// Where it leads: a manifest or an index.
    pub digest: Digest,
    /// When it was first seen to lead there.
    pub since: Timestamp,
    /// When it was last seen.
    pub seen_at: Timestamp,
}

/// A repository.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Repository {
    /// `HOST[:PORT]`.
    pub registry: String,
    /// `NAMESPACE/NAME`.
    pub repository: String,
    /// Tags that are known.
    pub tags: u64,
    /// When one was last seen.
    pub seen_at: Timestamp,
}

/// Which tags are listed: all that fit the fields that are not empty.
#[derive(Clone, Debug, Default)]
pub struct TagFilter {
    /// Only of this registry.
    pub registry: String,
    /// Only of this repository.
    pub repository: String,
    /// Only those that lead here.
    pub digest: Option<Digest>,
    /// Only after this tag, in the order of registry, repository and tag.
    pub after: Option<(String, String, String)>,
    /// Most rows.
    pub rows_max: u32,
}

impl Store {
    /// Notes that tags lead to digests. Returns those that are new or lead elsewhere than before; each of these is an
    /// event. What was seen of a tag later than what is noted here stays: who looks for long does not undo what came
    /// meanwhile.
    pub fn note_tags(&self, tags: &[Tag], now: Timestamp) -> Result<Vec<Tag>, StoreError> {
        // Of two that are one, the last counts.
        let tags: BTreeMap<[String; 3], &Tag> = tags
            .iter()
            .map(|tag| ([clean(&tag.registry), clean(&tag.repository), clean(&tag.tag)], tag))
            .collect();
        self.engine.transaction(|transaction| note(transaction, &tags, now))
    }

    /// Forgets the tags of a repository that were last seen before a time; returns them. Each is an event.
    pub fn forget_tags(
        &self,
        registry: &str,
        repository: &str,
        seen_before: Timestamp,
        now: Timestamp,
    ) -> Result<Vec<Tag>, StoreError> {
        let values = [registry.into(), repository.into(), seen_before.into()];
        self.engine.transaction(|transaction| {
            transaction.alone(Alone::Tagging)?;
            let forgotten = transaction.query(
                &format!(
                    "DELETE FROM tags WHERE registry = $1 AND repository = $2 AND seen_at < $3 RETURNING {COLUMNS}"
                ),
                &values,
            )?;
            went(transaction, forgotten, now)
        })
    }

    /// Forgets tags, as far as each still leads to its digest; returns those. Each is an event.
    pub fn forget_these_tags(&self, tags: &[Tag], now: Timestamp) -> Result<Vec<Tag>, StoreError> {
        let rows: Vec<[String; 4]> = tags
            .iter()
            .map(|Tag { registry, repository, tag, digest, .. }| {
                [clean(registry), clean(repository), clean(tag), digest.as_str().to_owned()]
            })
            .collect();
        self.engine.transaction(|transaction| {
            transaction.alone(Alone::Tagging)?;
            let forgotten = transaction.query(
                &format!(
                    "DELETE FROM tags WHERE (registry, repository, tag, digest) IN
                     (SELECT listed.value->>0, listed.value->>1, listed.value->>2, listed.value->>3 FROM {{rows}})
                     RETURNING {COLUMNS}"
                ),
                &[json(&rows).into()],
            )?;
            went(transaction, forgotten, now)
        })
    }

    /// Tags, sorted.
    pub fn tags(&self, filter: &TagFilter) -> Result<Vec<Tag>, StoreError> {
        let (registry, repository, tag) = filter.after.clone().unwrap_or_default();
        let mut values: Vec<Value> =
            vec![filter.rows_max.into(), registry.into(), repository.into(), tag.into()];
        let mut sql = format!("SELECT {COLUMNS} FROM tags WHERE (registry, repository, tag) > ($2, $3, $4)");
        for (column, wanted) in [
            ("registry", filter.registry.as_str()),
            ("repository", &filter.repository),
            ("digest", filter.digest.as_ref().map_or("", |digest| digest.as_str())),
        ] {
            if !wanted.is_empty() {
                values.push(wanted.into());
                sql.push_str(&format!(" AND {column} = ${}", values.len()));
            }
        }
        sql.push_str(" ORDER BY registry, repository, tag LIMIT $1");
        self.engine.query(&sql, &values)?.into_iter().map(tag_of).collect()
    }

    /// Repositories with tags, sorted, after one of them.
    pub fn repositories(
        &self,
        after: Option<(&str, &str)>,
        rows_max: u32,
    ) -> Result<Vec<Repository>, StoreError> {
        let (registry, repository) = after.unwrap_or_default();
        let rows = self.engine.query(
            "SELECT registry, repository, count(*), max(seen_at) FROM tags
             WHERE (registry, repository) > ($1, $2)
             GROUP BY registry, repository ORDER BY registry, repository LIMIT $3",
            &[registry.into(), repository.into(), rows_max.into()],
        )?;
        let repository = |mut row: Columns| {
            Ok(Repository {
                registry: row.text()?,
                repository: row.text()?,
                tags: row.number()?,
                seen_at: row.time()?,
            })
        };
        rows.into_iter().map(repository).collect()
    }

    /// The same, of those alone that `is_within` says of: registry, repository. Goes on until there are so many, or no more.
    pub fn repositories_within(
        &self,
        after: Option<(&str, &str)>,
        rows_max: u32,
        is_within: &dyn Fn(&str, &str) -> bool,
    ) -> Result<Vec<Repository>, StoreError> {
        let rows_max = usize::try_from(rows_max).unwrap_or(usize::MAX);
        let (mut registry, mut name) = after.map(|(a, b)| (a.to_owned(), b.to_owned())).unwrap_or_default();
        let mut within = Vec::new();
        loop {
            let some = self.repositories(Some((&registry, &name)), REPOSITORIES_AT_ONCE_MAX)?;
            let Some(last) = some.last() else { return Ok(within) };
            (registry, name) = (last.registry.clone(), last.repository.clone());
            within.extend(some.into_iter().filter(|one| is_within(&one.registry, &one.repository)));
            if within.len() >= rows_max {
                within.truncate(rows_max);
                return Ok(within);
            }
        }
    }
}

fn tag_of(mut row: Columns) -> Result<Tag, StoreError> {
    Ok(Tag {
        registry: row.text()?,
        repository: row.text()?,
        tag: row.text()?,
        digest: row.digest()?,
        since: row.time()?,
        seen_at: row.time()?,
    })
}

fn note(
    transaction: &mut Transaction<'_>,
    tags: &BTreeMap<[String; 3], &Tag>,
    now: Timestamp,
) -> Result<Vec<Tag>, StoreError> {
    transaction.alone(Alone::Tagging)?;
    let names: Vec<&[String; 3]> = tags.keys().collect();
    let known = transaction.query(
        "SELECT tags.registry, tags.repository, tags.tag, tags.digest, tags.since, tags.seen_at FROM {rows}
         JOIN tags ON tags.registry = listed.value->>0 AND tags.repository = listed.value->>1
         AND tags.tag = listed.value->>2",
        &[json(&names).into()],
    )?;
    let known = known.into_iter().map(tag_of).collect::<Result<Vec<Tag>, StoreError>>()?;
    let known: BTreeMap<[String; 3], Tag> = known
        .into_iter()
        .map(|tag| ([tag.registry.clone(), tag.repository.clone(), tag.tag.clone()], tag))
        .collect();
    let (mut rows, mut changed) = (Vec::with_capacity(tags.len()), Vec::new());
    for (name, tag) in tags {
        let [registry, repository, text] = name;
        let before = known.get(name);
        // In microseconds, as it is kept.
        let is_later = |before: &Tag| before.seen_at.as_microsecond() > tag.seen_at.as_microsecond();
        if before.is_some_and(is_later) {
            continue;
        }
        let is_new = before.is_none_or(|before| before.digest != tag.digest);
        let since = before.filter(|_| !is_new).map_or(tag.since, |before| before.since);
        let digest = tag.digest.as_str();
        let (since_number, seen_number) = (since.as_microsecond(), tag.seen_at.as_microsecond());
        rows.push((registry, repository, text, digest, since_number, seen_number));
        if is_new {
            transaction.note(moved(tag, Some(&tag.digest), before.map(|before| &before.digest)), now);
            changed.push((*tag).clone());
        }
    }
    transaction.execute(
        "INSERT INTO tags (registry, repository, tag, digest, since, seen_at)
         SELECT listed.value->>0, listed.value->>1, listed.value->>2, listed.value->>3,
                CAST(listed.value->>4 AS BIGINT), CAST(listed.value->>5 AS BIGINT)
         FROM {rows} WHERE true ON CONFLICT (registry, repository, tag)
         DO UPDATE SET digest = excluded.digest, since = excluded.since, seen_at = excluded.seen_at",
        &[json(&rows).into()],
    )?;
    Ok(changed)
}

/// Forgets the tags that lead to a digest.
pub(crate) fn forget_leading_to(
    transaction: &mut Transaction<'_>,
    digest: &str,
    now: Timestamp,
) -> Result<(), StoreError> {
    let forgotten = transaction
        .query(&format!("DELETE FROM tags WHERE digest = $1 RETURNING {COLUMNS}"), &[digest.into()])?;
    went(transaction, forgotten, now).map(drop)
}

fn went(
    transaction: &mut Transaction<'_>,
    forgotten: Vec<Columns>,
    now: Timestamp,
) -> Result<Vec<Tag>, StoreError> {
    let mut forgotten = forgotten.into_iter().map(tag_of).collect::<Result<Vec<Tag>, StoreError>>()?;
    forgotten.sort_unstable_by(|a, b| {
        (&a.registry, &a.repository, &a.tag).cmp(&(&b.registry, &b.repository, &b.tag))
    });
    for tag in &forgotten {
        transaction.note(moved(tag, None, Some(&tag.digest)), now);
    }
    Ok(forgotten)
}

/// The event of a tag that came, moved or went.
fn moved(tag: &Tag, digest: Option<&Digest>, before: Option<&Digest>) -> NewEvent {
    let Tag { registry, repository, tag, .. } = tag;
    let body = TagChanged {
        registry,
        repository,
        tag,
        digest: digest.map(|digest| digest.as_str()),
        before: before.map(|digest| digest.as_str()),
    };
    let subject = format!("{registry}/{repository}:{tag}");
    NewEvent { kind: EventKind::TagChanged, subject, body: json(&body) }
}

/// The body of an event: where the tag leads, and where it led before.
#[derive(serde::Serialize)]
struct TagChanged<'a> {
    registry: &'a str,
    repository: &'a str,
    tag: &'a str,
    digest: Option<&'a str>,
    before: Option<&'a str>,
}
