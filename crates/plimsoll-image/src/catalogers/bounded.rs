//! What line-wise package databases state, bounded: a file of short lines takes a hundred times its size once
//! each line is a package or a problem.

use super::{Found, FoundPackage, OwnedFiles, Problem};

/// Packages of one database. Images have thousands.
pub(super) const PACKAGES_MAX: usize = 100_000;

/// Problems that are told one by one; of the rest only the number is.
pub(super) const PROBLEMS_MAX: usize = 50;

/// Paths that the packages of one database own together.
pub(super) const PATHS_MAX: usize = 1_000_000;

/// Takes what a parser finds, up to the limits.
#[derive(Debug)]
pub(super) struct Bounded {
    found: Found,
    packages_left_out: usize,
    problems_left_out: usize,
    paths_left: usize,
    paths_left_out: usize,
}

impl Bounded {
    pub(super) fn new() -> Bounded {
        Bounded {
            found: Found::default(),
            packages_left_out: 0,
            problems_left_out: 0,
            paths_left: PATHS_MAX,
            paths_left_out: 0,
        }
    }

    pub(super) fn package(&mut self, package: FoundPackage) {
        if self.found.packages.len() < PACKAGES_MAX {
            self.found.packages.push(package);
        } else {
            self.packages_left_out += 1;
        }
    }

    pub(super) fn problem(&mut self, problem: Problem) {
        if self.found.problems.len() < PROBLEMS_MAX {
            self.found.problems.push(problem);
        } else {
            self.problems_left_out += 1;
        }
    }

    /// Whether one more path is within the limit.
    pub(super) fn takes_path(&mut self) -> bool {
        let left = self.paths_left.checked_sub(1);
        self.paths_left = left.unwrap_or(0);
        self.paths_left_out += usize::from(left.is_none());
        left.is_some()
    }

    pub(super) fn owned(&mut self, owned: OwnedFiles) {
        if !owned.paths.is_empty() {
            self.found.owned.push(owned);
        }
    }

    /// What was found, with what was left out.
    pub(super) fn finish(self) -> Found {
        let mut found = self.found;
        if self.problems_left_out > 0 {
            let detail = format!("{} more problems are not told one by one", self.problems_left_out);
            found.problems.push(Problem::unreadable(detail));
        }
        for (what, left_out, max) in [
            ("packages", self.packages_left_out, PACKAGES_MAX),
            ("paths of owned files", self.paths_left_out, PATHS_MAX),
        ] {
            if left_out > 0 {
                let detail = format!("{left_out} {what} beyond the limit of {max} are left out");
                found.problems.push(Problem::limit(detail));
            }
        }
        found
    }
}

#[cfg(test)]
mod tests {
    use plimsoll_core::ecosystems;

    use super::*;

    #[test]
    fn what_is_beyond_a_limit_is_counted() {
        let mut bounded = Bounded::new();
        for _ in 0..PACKAGES_MAX + 3 {
            bounded.package(FoundPackage::new(&ecosystems::DEB, "", ""));
        }
        let taken = (0..PATHS_MAX + 2).filter(|_| bounded.takes_path()).count();
        for _ in 0..PROBLEMS_MAX + 1 {
            bounded.problem(Problem::unreadable("x"));
        }
        let found = bounded.finish();
        assert_eq!((found.packages.len(), taken), (PACKAGES_MAX, PATHS_MAX));
        let told: Vec<&str> = found.problems.iter().skip(PROBLEMS_MAX).map(|p| p.detail.as_str()).collect();
        assert_eq!(
            told,
            [
                "1 more problems are not told one by one",
                "3 packages beyond the limit of 100000 are left out",
                "2 paths of owned files beyond the limit of 1000000 are left out",
            ]
        );
    }
}
