//! Patterns of repositories: `registry.example/team/*`, where `*` stands for any text, slashes included.
//!
//! Matching is linear in the text, whatever the pattern: a star is only ever tried again from the last one.

/// Repositories of registries.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Pattern {
    registry: String,
    repository: String,
}

impl Pattern {
    /// Reads `REGISTRY/NAME`; `None` where there is no name or no registry.
    pub(crate) fn parse(text: &str) -> Option<Pattern> {
        let (registry, repository) = match text {
            "*" => ("*", "*"),
            _ => text.split_once('/')?,
        };
        let is_good = !registry.is_empty() && !repository.is_empty();
        is_good.then(|| Pattern { registry: registry.to_owned(), repository: repository.to_owned() })
    }

    /// Whether a repository of a registry is among them.
    pub(crate) fn matches(&self, registry: &str, repository: &str) -> bool {
        matches(&self.registry, registry) && matches(&self.repository, repository)
    }
}

/// Whether a text is like a pattern in which `*` stands for any text.
pub(crate) fn matches(pattern: &str, text: &str) -> bool {
    let (pattern, text) = (pattern.as_bytes(), text.as_bytes());
    let (mut p, mut t) = (0, 0);
    let mut last_star = None;
    while t < text.len() {
        match pattern.get(p) {
            Some(b'*') => {
                last_star = Some((p, t));
                p += 1;
            }
            Some(byte) if *byte == text[t] => {
                p += 1;
                t += 1;
            }
            _ => {
                let Some((star, taken)) = last_star else { return false };
                last_star = Some((star, taken + 1));
                p = star + 1;
                t = taken + 1;
            }
        }
    }
    pattern[p..].iter().all(|byte| *byte == b'*')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn repositories() {
        for (pattern, registry, repository, wanted) in [
            ("r.example/team/*", "r.example", "team/app", true),
            ("r.example/team/*", "r.example", "team/deep/app", true),
            ("r.example/team/*", "r.example", "teams/app", false),
            ("r.example/team/*", "evil.example", "team/app", false),
            ("r.example/team/*", "r.example.evil", "team/app", false),
            ("r.example/team", "r.example", "team", true),
            ("r.example/team", "r.example", "team/app", false),
            ("*.example/*", "r.example", "x", true),
            ("*/library/*", "docker.io", "library/nginx", true),
            ("*", "r", "x", true),
            ("r:5000/*-prod", "r:5000", "a/b-prod", true),
            ("r:5000/*-prod", "r:5000", "a/b-prod/c", false),
            ("r/a*b*c", "r", "aXbXbYc", true),
            ("r/a*b*c", "r", "aXbXbY", false),
        ] {
            let pattern = Pattern::parse(pattern).unwrap();
            assert_eq!(pattern.matches(registry, repository), wanted, "{pattern:?} {registry}/{repository}");
        }
        for bad in ["", "registry", "/name", "registry/"] {
            assert_eq!(Pattern::parse(bad), None, "{bad}");
        }
    }
}
