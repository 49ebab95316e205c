//! Patterns of repositories and tags: `team/*`, `!team/scratch-*`, `**`.
//!
//! `*` stands for any characters of one part of a name, `**` for any characters and parts, `?` for one character. A name
//! is chosen where a pattern fits and none after `!` does, in whatever order they stand.

use anyhow::bail;

/// Most patterns of a list.
const PATTERNS_MAX: usize = 256;
/// Longest pattern, in bytes.
const PATTERN_BYTES_MAX: usize = 255;

/// A list of patterns.
#[derive(Clone, Debug)]
pub(crate) struct Patterns {
    chosen: Vec<String>,
    taken_away: Vec<String>,
}

impl Patterns {
    /// Reads a list.
    pub(crate) fn read(texts: &[String]) -> anyhow::Result<Patterns> {
        if texts.len() > PATTERNS_MAX {
            bail!("there are {} patterns; there may be {PATTERNS_MAX}", texts.len());
        }
        let (mut chosen, mut taken_away) = (Vec::new(), Vec::new());
        for text in texts {
            let (list, pattern) = match text.strip_prefix('!') {
                Some(pattern) => (&mut taken_away, pattern),
                None => (&mut chosen, text.as_str()),
            };
            if pattern.is_empty() {
                bail!("a pattern is empty; write, for example, `team/*`");
            }
            let is_sign = |c: char| c.is_ascii_alphanumeric() || "._-/*?".contains(c);
            if pattern.len() > PATTERN_BYTES_MAX || !pattern.chars().all(is_sign) {
                bail!(
                    "`{text}` is no pattern; it may have letters, digits, `.`, `_`, `-`, `/`, `*` and `?`, up to \
                     {PATTERN_BYTES_MAX} of them"
                );
            }
            list.push(pattern.to_owned());
        }
        if chosen.is_empty() {
            bail!("the list chooses nothing; write, for example, `team/*`");
        }
        Ok(Patterns { chosen, taken_away })
    }

    /// Whether a name is chosen.
    pub(crate) fn choose(&self, name: &str) -> bool {
        self.chosen.iter().any(|pattern| fits(pattern, name))
            && !self.taken_away.iter().any(|pattern| fits(pattern, name))
    }

    /// The names themselves, where no pattern is needed to know them; `None` where one is.
    pub(crate) fn names(&self) -> Option<Vec<String>> {
        if self.chosen.iter().any(|pattern| pattern.contains(['*', '?'])) {
            return None;
        }
        let mut names: Vec<String> =
            self.chosen.iter().filter(|name| self.choose(name)).map(String::to_owned).collect();
        names.sort_unstable();
        names.dedup();
        Some(names)
    }
}

/// Whether a pattern fits a whole name. It takes their lengths multiplied, whatever stars there are.
pub(crate) fn fits(pattern: &str, name: &str) -> bool {
    let (pattern, name) = (pattern.as_bytes(), name.as_bytes());
    // For each length of the name's beginning: whether the pattern so far fits it.
    let mut fitting = vec![false; name.len() + 1];
    if let Some(first) = fitting.first_mut() {
        *first = true;
    }
    let mut at = 0;
    while let Some(sign) = pattern.get(at).copied() {
        let is_double = sign == b'*' && pattern.get(at + 1) == Some(&b'*');
        at += if is_double { 2 } else { 1 };
        let mut next = vec![false; name.len() + 1];
        for (length, is_fitting) in next.iter_mut().enumerate() {
            let before = length.checked_sub(1);
            let last = before.and_then(|before| name.get(before)).copied();
            *is_fitting = match (sign, last) {
                (b'*', _) if fitting.get(length) == Some(&true) => true,
                (_, None) => false,
                (b'*', Some(_)) => false,
                (b'?', Some(last)) => last != b'/' && before.and_then(|b| fitting.get(b)) == Some(&true),
                (sign, Some(last)) => sign == last && before.and_then(|b| fitting.get(b)) == Some(&true),
            };
        }
        if sign == b'*' {
            // A star that fits a beginning fits it with one character more.
            for length in 1..next.len() {
                let may_grow = is_double || name.get(length - 1) != Some(&b'/');
                let grows = may_grow && next.get(length - 1) == Some(&true);
                if let Some(is_fitting) = next.get_mut(length) {
                    *is_fitting |= grows;
                }
            }
        }
        fitting = next;
    }
    fitting.last() == Some(&true)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn patterns(texts: &[&str]) -> Patterns {
        Patterns::read(&texts.iter().map(|text| (*text).to_owned()).collect::<Vec<_>>()).unwrap()
    }

    #[test]
    fn patterns_fit_names() {
        for (texts, fitting, others) in [
            (&["team/*"][..], &["team/a", "team/"][..], &["team", "team/a/b", "other/a"][..]),
            (&["team/**"], &["team/a", "team/a/b"], &["team", "other/team/a"]),
            (&["**"], &["a", "a/b", "a/b/c", ""], &[]),
            (&["*"], &["a", "v1.0", ""], &["a/b"]),
            (&["**/app"], &["team/app", "a/b/app"], &["app", "team/apps"]),
            (&["v?.*"], &["v1.0", "v2."], &["v10.0", "v1", "1.0"]),
            (&["a*b*c"], &["abc", "aXbYc", "abbc"], &["ab", "aXb/c", "abcd"]),
            (&["team/*", "!team/scratch-*"], &["team/a"], &["team/scratch-1"]),
            (&["!team/b", "team/*"], &["team/a"], &["team/b"]),
            (&["team/a", "team/b"], &["team/a", "team/b"], &["team/c"]),
        ] {
            let patterns = patterns(texts);
            for name in fitting {
                assert!(patterns.choose(name), "{texts:?} {name}");
            }
            for name in others {
                assert!(!patterns.choose(name), "{texts:?} {name}");
            }
        }
        let many = format!("{}b", "a*".repeat(60));
        assert!(!patterns(&[&many]).choose(&"a".repeat(255)));
    }

    #[test]
    fn names_without_signs_are_known_without_a_list() {
        assert_eq!(
            patterns(&["b", "a", "a", "c", "!c*"]).names(),
            Some(vec!["a".to_owned(), "b".to_owned()])
        );
        assert_eq!(patterns(&["a", "b*"]).names(), None);
    }
}
