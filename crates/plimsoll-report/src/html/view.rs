//! Which findings a page shows, and in which order: a query, so that each view of a report has an address.

use std::cmp::Ordering;
use std::collections::BTreeMap;

use plimsoll_core::advisory::{Severity, Status};
use plimsoll_core::assessment::Assessment;
use plimsoll_core::finding::Finding;
use plimsoll_core::inventory::Package;
use plimsoll_core::windows::components::Scope;

use super::marks;

/// Longest text that is looked for, in characters.
const TEXT_CHARS_MAX: usize = 200;

/// A view of an image's findings.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct View {
    /// Looked for in the flaw's names, the package and its versions, whatever the case.
    pub text: String,
    /// Only these severities; all where there is none. `Some(None)` has what nobody rates.
    pub severities: Vec<Option<Severity>>,
    /// Only what has a fix.
    pub only_fixable: bool,
    /// Only what is known to be exploited.
    pub only_exploited: bool,
    /// Only packages of this ecosystem; all where it is empty.
    pub ecosystem: String,
    /// Only packages of this layer; all where it is empty.
    pub layer: String,
    /// Only findings of this status.
    pub status: Option<Status>,
    /// Only findings that do harm here.
    pub scope: Option<Scope>,
    /// The order.
    pub sort: Sort,
    /// Whether the order is turned around.
    pub is_reversed: bool,
    /// Which page, from 0.
    pub page: usize,
}

/// What findings are sorted by.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Sort {
    /// The worst first.
    #[default]
    Severity,
    /// By the flaw's name.
    Id,
    /// By the package's name.
    Package,
    /// What has a fix first.
    Fix,
    /// The highest CVSS score first.
    Score,
    /// What is most likely exploited first: known to be, then by EPSS.
    Likelihood,
}

impl Sort {
    /// All.
    pub const ALL: [Sort; 6] =
        [Sort::Severity, Sort::Id, Sort::Package, Sort::Fix, Sort::Score, Sort::Likelihood];

    /// Name in queries.
    pub fn name(self) -> &'static str {
        match self {
            Sort::Severity => "severity",
            Sort::Id => "id",
            Sort::Package => "package",
            Sort::Fix => "fix",
            Sort::Score => "score",
            Sort::Likelihood => "likelihood",
        }
    }
}

/// What of a query means nothing.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("`{key}` is `{value}`, which means nothing here; {hint}")]
pub struct BadView {
    key: &'static str,
    value: String,
    hint: String,
}

/// The keys that a view takes.
pub const KEYS: [&str; 10] =
    ["exploited", "fixable", "layer", "page", "scope", "severity", "sort", "status", "text", "type"];

impl View {
    /// Reads a query. Keys that are empty, as those of a form, ask for nothing; keys of others are not looked at.
    pub fn read(query: &BTreeMap<String, String>) -> Result<View, BadView> {
        let text = |key: &str| query.get(key).map(|value| value.trim()).filter(|value| !value.is_empty());
        let bad = |key, value: &str, hint: String| BadView {
            key,
            value: value.chars().take(TEXT_CHARS_MAX).collect(),
            hint,
        };
        let is = |key| match text(key) {
            None | Some("0" | "false") => Ok(false),
            Some("1" | "true") => Ok(true),
            Some(value) => Err(bad(key, value, "write 1 or 0".to_owned())),
        };
        let mut severities = Vec::new();
        for word in text("severity").into_iter().flat_map(|words| words.split(',')) {
            let found = marks::SEVERITIES.into_iter().find(|severity| marks::word(*severity) == word);
            severities
                .push(found.ok_or_else(|| bad("severity", word, one_of(marks::SEVERITIES, marks::word)))?);
        }
        let named = |key, all: &[(&'static str, usize)]| match text(key) {
            None => Ok(None),
            Some(value) => match all.iter().find(|(name, _)| *name == value) {
                Some((_, place)) => Ok(Some(*place)),
                None => Err(bad(key, value, one_of(all.iter(), |(name, _)| name))),
            },
        };
        let places = |names: &[&'static str]| -> Vec<(&'static str, usize)> {
            names.iter().enumerate().map(|(place, name)| (*name, place)).collect()
        };
        let status = named("status", &places(&STATUSES.map(Status::name)))?;
        let scope = named("scope", &places(&Scope::ALL.map(Scope::name)))?;
        let (sort, is_reversed) = match text("sort") {
            None => (Sort::default(), false),
            Some(value) => {
                let name = value.strip_prefix('-').unwrap_or(value);
                let sort = Sort::ALL.into_iter().find(|sort| sort.name() == name);
                (sort.ok_or_else(|| bad("sort", value, one_of(Sort::ALL, Sort::name)))?, name != value)
            }
        };
        let page = match text("page") {
            None => 1,
            Some(value) => value
                .parse::<usize>()
                .ok()
                .filter(|page| *page > 0)
                .ok_or_else(|| bad("page", value, "pages are counted from 1".to_owned()))?,
        };
        Ok(View {
            text: text("text").unwrap_or_default().chars().take(TEXT_CHARS_MAX).collect(),
            severities,
            only_fixable: is("fixable")?,
            only_exploited: is("exploited")?,
            ecosystem: text("type").unwrap_or_default().to_owned(),
            layer: text("layer").unwrap_or_default().to_owned(),
            status: status.and_then(|place| STATUSES.get(place).copied()),
            scope: scope.and_then(|place| Scope::ALL.get(place).copied()),
            sort,
            is_reversed,
            page: page - 1,
        })
    }

    /// The query of the view, `?severity=critical&page=2`; empty for the view that nobody asked for.
    pub fn query(&self) -> String {
        let severities: Vec<&str> = self.severities.iter().map(|severity| marks::word(*severity)).collect();
        let flag = |is: bool| if is { "1" } else { "" };
        let sort = match (self.sort, self.is_reversed) {
            (Sort::Severity, false) => String::new(),
            (sort, false) => sort.name().to_owned(),
            (sort, true) => format!("-{}", sort.name()),
        };
        let page = if self.page > 0 { (self.page + 1).to_string() } else { String::new() };
        query_of(&[
            ("text", &self.text),
            ("severity", &severities.join(",")),
            ("fixable", flag(self.only_fixable)),
            ("exploited", flag(self.only_exploited)),
            ("type", &self.ecosystem),
            ("layer", &self.layer),
            ("status", self.status.map_or("", Status::name)),
            ("scope", self.scope.map_or("", Scope::name)),
            ("sort", &sort),
            ("page", &page),
        ])
    }

    /// Whether it leaves findings out.
    pub fn is_filtered(&self) -> bool {
        let whole =
            View { sort: self.sort, is_reversed: self.is_reversed, page: self.page, ..View::default() };
        *self != whole
    }

    /// The findings of the view, all pages, in its order.
    pub fn of<'a>(&self, assessment: &'a Assessment) -> Vec<&'a Finding> {
        let wanted = self.text.to_lowercase();
        let packages = &assessment.inventory.packages;
        let all = assessment.findings.findings.iter();
        let mut found: Vec<&Finding> =
            all.filter(|finding| self.has(finding, packages.get(finding.package), &wanted)).collect();
        let name =
            |finding: &Finding| packages.get(finding.package).map_or("", |package| package.name.as_str());
        // The findings are sorted already: the worst first, then by id and package. Sorting is stable.
        match self.sort {
            Sort::Severity => {}
            Sort::Id => found.sort_by(|a, b| a.id.cmp(&b.id)),
            Sort::Package => found.sort_by(|a, b| name(a).cmp(name(b))),
            Sort::Fix => found.sort_by_key(|finding| finding.fixed_in.is_none()),
            Sort::Score => found.sort_by(|a, b| descending(score(a), score(b))),
            Sort::Likelihood => found.sort_by(|a, b| descending(likelihood(a), likelihood(b))),
        }
        if self.is_reversed {
            found.reverse();
        }
        found
    }

    fn has(&self, finding: &Finding, package: Option<&Package>, wanted: &str) -> bool {
        let Some(package) = package else { return false };
        let layer = package.layer.as_ref().map_or("", |layer| layer.as_str());
        let is_exploited = finding.kev.is_some() || finding.is_exploited;
        (self.severities.is_empty() || self.severities.contains(&finding.severity))
            && (!self.only_fixable || finding.fixed_in.is_some())
            && (!self.only_exploited || is_exploited)
            && (self.ecosystem.is_empty() || self.ecosystem == package.ecosystem.name)
            && (self.layer.is_empty() || self.layer == layer)
            && self.status.is_none_or(|status| status == finding.status)
            && self.scope.is_none_or(|scope| scope == finding.scope)
            && (wanted.is_empty() || texts(finding, package).any(|text| text.to_lowercase().contains(wanted)))
    }
}

/// The statuses that a finding may have.
pub const STATUSES: [Status; 2] = [Status::Affected, Status::UnderInvestigation];

/// The highest score of a finding.
pub(super) fn score(finding: &Finding) -> f64 {
    finding.cvss.iter().map(|cvss| cvss.score).fold(0.0, f64::max)
}

/// What is known to be exploited is more likely than all that is only likely to be.
fn likelihood(finding: &Finding) -> f64 {
    let is_exploited = finding.kev.is_some() || finding.is_exploited;
    f64::from(u8::from(is_exploited)) * 2.0 + finding.epss.map_or(0.0, |epss| epss.score)
}

fn descending(a: f64, b: f64) -> Ordering {
    b.total_cmp(&a)
}

/// What a text is looked for in.
fn texts<'a>(finding: &'a Finding, package: &'a Package) -> impl Iterator<Item = &'a str> {
    let aliases = finding.aliases.iter().map(String::as_str);
    let own = [finding.id.as_str(), &finding.advisory, &package.name, &package.version];
    let rest = [finding.fixed_in.as_deref(), finding.update.as_deref()].into_iter().flatten();
    own.into_iter().chain(aliases).chain(rest)
}

fn one_of<T>(all: impl IntoIterator<Item = T>, name: impl Fn(T) -> &'static str) -> String {
    let names: Vec<&str> = all.into_iter().map(name).collect();
    format!("it is one of {}", names.join(", "))
}

/// A query of the pairs whose value is not empty, with its `?`.
pub fn query_of(pairs: &[(&str, &str)]) -> String {
    let mut query = String::new();
    for (key, value) in pairs.iter().filter(|(_, value)| !value.is_empty()) {
        query.push(if query.is_empty() { '?' } else { '&' });
        query.push_str(key);
        query.push('=');
        query.push_str(&crate::link::of_value(value));
    }
    query
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(query: &str) -> Result<View, BadView> {
        let pairs = query.split('&').filter_map(|pair| pair.split_once('='));
        View::read(&pairs.map(|(key, value)| (key.to_owned(), value.to_owned())).collect())
    }

    #[test]
    fn views_have_one_address_each() {
        for query in [
            "",
            "?text=open%20ssl%26",
            "?severity=critical,unknown&fixable=1&page=3",
            "?type=npm&layer=sha256%3Aab&status=under_investigation&scope=host-kernel&sort=-package",
        ] {
            let decoded = query.trim_start_matches('?').replace("%20", " ").replace("%3A", ":");
            // An ampersand in a value is one that the server has decoded.
            let view = match decoded.strip_suffix("%26") {
                Some(text) => View { text: format!("{}&", &text[5..]), ..View::default() },
                None => read(&decoded).unwrap(),
            };
            assert_eq!(view.query(), query);
        }
        assert_eq!(read("text=&severity=&page=").unwrap(), View::default());
    }

    #[test]
    fn what_means_nothing_is_refused() {
        for (query, wanted) in [
            ("severity=terrible", "one of critical, high"),
            ("sort=colour", "one of severity, id"),
            ("page=0", "from 1"),
            ("page=x", "from 1"),
            ("fixable=maybe", "1 or 0"),
            ("status=fixed", "affected, under_investigation"),
            ("scope=moon", "image, host-kernel"),
        ] {
            let said = read(query).unwrap_err().to_string();
            assert!(said.contains(wanted), "{query}: {said}");
        }
    }
}
