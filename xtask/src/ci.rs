//! `cargo xtask ci`: all that must hold before a change goes in, in both tiers, with one line of counts at the
//! end.
//!
//! The first tier needs a toolchain and nothing else; once the dependencies are fetched it is offline. The
//! second needs programs that Debian packages; where one is missing it is skipped, and says so. A step that
//! fails does not stop the others, so that one run shows everything.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command as Process, Stdio};
use std::time::Instant;

use anyhow::Context as _;

use crate::tree::Tree;
use crate::{Command, tidy};

/// The row.
pub(crate) static COMMAND: Command =
    Command { name: "ci", about: "runs every check and every test there is; ends with the counts", run };

/// One check.
struct Step {
    /// Name, for people and of its log.
    name: &'static str,
    /// What is run.
    program: &'static [&'static str],
    /// Variables that are set.
    env: &'static [(&'static str, &'static str)],
    /// Programs that it needs; without them it is skipped.
    needs: &'static [Tool],
    /// Texts of its output that make of a failure a skip: what it needs cannot be had here.
    skips_on: &'static [&'static str],
    /// Whether its output has `test result:` lines.
    has_tests: bool,
    /// Whether it may reach the network.
    is_online: bool,
}

/// A program, and the Debian package that has it, or how else to get it.
type Tool = (&'static str, &'static str);

const PLAIN: Step =
    Step { name: "", program: &[], env: &[], needs: &[], skips_on: &[], has_tests: false, is_online: false };
const DENY: &[Tool] = &[("cargo-deny", "`cargo install cargo-deny --locked`")];

/// What makes the first tier offline; it changes nothing where everything is here.
static FETCH: Step =
    Step { name: "fetch", program: &["cargo", "fetch", "--locked"], is_online: true, ..PLAIN };

/// The first tier, in order; `tidy` runs before it in this process.
static FIRST_TIER: &[Step] = &[
    Step { name: "fmt", program: &["cargo", "fmt", "--all", "--check"], ..PLAIN },
    Step {
        name: "clippy",
        program: &[
            "cargo",
            "clippy",
            "--workspace",
            "--all-targets",
            "--all-features",
            "--",
            "-D",
            "warnings",
        ],
        ..PLAIN
    },
    Step {
        name: "test",
        program: &["cargo", "test", "--workspace", "--no-fail-fast", "--", "--show-output"],
        has_tests: true,
        ..PLAIN
    },
    Step {
        name: "doc",
        program: &["cargo", "doc", "--workspace", "--no-deps", "--document-private-items"],
        env: &[("RUSTDOCFLAGS", "-D warnings")],
        ..PLAIN
    },
    Step {
        name: "deny",
        program: &["cargo", "deny", "check", "licenses", "bans", "sources"],
        needs: DENY,
        ..PLAIN
    },
    Step {
        name: "advisories",
        program: &["cargo", "deny", "check", "advisories"],
        needs: DENY,
        skips_on: &["failed to fetch advisory database"],
        is_online: true,
        ..PLAIN
    },
];

/// Where [`SCHEMAS`] puts what it fetches.
const SCHEMAS_FOLDER: &str = "target/schemas";

/// Fetches the schemas that reports are held to.
static SCHEMAS: Step = Step {
    name: "schemas",
    program: &["tools/fetch-schemas.sh", SCHEMAS_FOLDER],
    needs: &[("python3", "python3-venv"), ("npm", "npm")],
    skips_on: &["No matching distribution found", "ENOTFOUND", "EAI_AGAIN", "ETIMEDOUT", "ECONNREFUSED"],
    is_online: true,
    ..PLAIN
};

/// Fuzzes every parser of bytes for a minute each.
static FUZZ: Step = Step {
    name: "fuzz",
    program: &["sh", "fuzz/run.sh", "60"],
    needs: &[("c++", "g++")],
    is_online: true,
    ..PLAIN
};

/// What the tests of the second tier run, and the packages that have it.
static SECOND_TIER_TOOLS: &[Tool] = &[
    ("docker-registry", "docker-registry"),
    ("htpasswd", "apache2-utils"),
    ("mmdebstrap", "mmdebstrap"),
    ("pigz", "pigz"),
    ("python3", "python3"),
    ("rpm", "rpm"),
    ("zstd", "zstd"),
];

/// What a file of tests holds that has tests of the second tier.
const SECOND_TIER: [&str; 2] = ["PLIMSOLL_TIER2", "PLIMSOLL_SCHEMAS"];

/// What came of a run of tests, or of several.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
struct Counts {
    passed: usize,
    failed: usize,
    skipped: usize,
}

enum Outcome {
    Passed,
    Failed,
    Skipped(String),
}

/// A run of all steps.
struct Run<'a> {
    root: &'a Path,
    logs: PathBuf,
    counts: Counts,
    /// Steps that failed without a failed test.
    failed_steps: usize,
}

fn run(root: &Path, _: &[String]) -> anyhow::Result<bool> {
    let logs = root.join("target/ci");
    fs::create_dir_all(&logs).with_context(|| format!("cannot make `{}`", logs.display()))?;
    let mut run = Run { root, logs, counts: Counts::default(), failed_steps: 0 };
    run.step(&FETCH, &[])?;
    run.tidy()?;
    for step in FIRST_TIER {
        run.step(step, &[])?;
    }
    run.second_tier()?;
    let Counts { passed, failed, skipped } = run.counts;
    println!("{passed} passed, {} failed, {skipped} skipped", failed + run.failed_steps);
    Ok(failed + run.failed_steps == 0)
}

impl Run<'_> {
    fn tidy(&mut self) -> anyhow::Result<()> {
        let started = Instant::now();
        let is_tidy = tidy::print(&Tree::read(self.root)?);
        report("tidy", if is_tidy { "ok" } else { "FAILED" }, started);
        self.failed_steps += usize::from(!is_tidy);
        Ok(())
    }

    /// Runs the test binaries that have tests of the second tier.
    fn second_tier(&mut self) -> anyhow::Result<()> {
        let mut arguments = vec!["test".to_owned(), "--no-fail-fast".to_owned()];
        arguments.extend(second_tier_targets(&Tree::read(self.root)?));
        arguments.extend(["--".to_owned(), "--show-output".to_owned()]);
        let schemas = self.root.join(SCHEMAS_FOLDER);
        let mut env = vec![("PLIMSOLL_TIER2", "1".to_owned())];
        let validators = schemas.join("validators/bin");
        // A folder of before it had the last of them is filled anew.
        let is_filled = validators.is_dir() && schemas.join("axe.min.js").is_file();
        if is_filled || matches!(self.step(&SCHEMAS, &[])?, Outcome::Passed) {
            env.push(("PLIMSOLL_SCHEMAS", schemas.display().to_string()));
            let path = std::env::var("PATH").unwrap_or_default();
            env.push(("PATH", format!("{}:{path}", validators.display())));
        }
        // What the first tier skipped counts as skipped only if it is skipped here too.
        let skipped_before = std::mem::take(&mut self.counts.skipped);
        let step = Step {
            name: "second tier",
            needs: SECOND_TIER_TOOLS,
            has_tests: true,
            program: &["cargo"],
            ..PLAIN
        };
        let outcome = self.step_with(&step, &arguments, &env)?;
        if matches!(outcome, Outcome::Skipped(_)) {
            self.counts.skipped = skipped_before;
        }
        self.step(&FUZZ, &[])?;
        Ok(())
    }

    fn step(&mut self, step: &Step, arguments: &[String]) -> anyhow::Result<Outcome> {
        self.step_with(step, arguments, &[])
    }

    fn step_with(
        &mut self,
        step: &Step,
        arguments: &[String],
        env: &[(&str, String)],
    ) -> anyhow::Result<Outcome> {
        let started = Instant::now();
        let missing: Vec<&Tool> = step.needs.iter().filter(|(tool, _)| !is_installed(tool)).collect();
        let outcome = if missing.is_empty() {
            self.execute(step, arguments, env)?
        } else {
            let from = |(tool, package): &&Tool| format!("`{tool}` ({package})");
            Outcome::Skipped(format!("needs {}", missing.iter().map(from).collect::<Vec<_>>().join(", ")))
        };
        let said = match &outcome {
            Outcome::Passed => "ok".to_owned(),
            Outcome::Failed => "FAILED".to_owned(),
            Outcome::Skipped(why) => format!("skipped: {why}"),
        };
        report(step.name, &said, started);
        Ok(outcome)
    }

    fn execute(
        &mut self,
        step: &Step,
        arguments: &[String],
        env: &[(&str, String)],
    ) -> anyhow::Result<Outcome> {
        let log = self.logs.join(format!("{}.log", step.name.replace(' ', "-")));
        let out = fs::File::create(&log).with_context(|| format!("cannot write `{}`", log.display()))?;
        let (program, fixed) = step.program.split_first().context("a step without a program")?;
        let mut process = Process::new(program);
        process.args(fixed).args(arguments).current_dir(self.root).stdin(Stdio::null());
        process.stderr(out.try_clone()?).stdout(out).env("CARGO_TERM_COLOR", "never");
        if !step.is_online {
            process.env("CARGO_NET_OFFLINE", "true");
        }
        process.envs(step.env.iter().copied()).envs(env.iter().map(|(name, value)| (name, value)));
        let status = process.status().with_context(|| format!("cannot run `{program}`"))?;
        let text = String::from_utf8_lossy(&fs::read(&log)?).into_owned();
        let counts = if step.has_tests { count(&text) } else { Counts::default() };
        self.counts.passed += counts.passed;
        self.counts.failed += counts.failed;
        self.counts.skipped += counts.skipped;
        if status.success() {
            return Ok(Outcome::Passed);
        }
        if let Some(why) = step.skips_on.iter().find(|why| text.contains(**why)) {
            return Ok(Outcome::Skipped((*why).to_owned()));
        }
        self.failed_steps += usize::from(counts.failed == 0);
        println!("{}", text.trim_end());
        Ok(Outcome::Failed)
    }
}

fn report(name: &str, said: &str, started: Instant) {
    println!("ci: {name:<12} {:>6.1} s  {said}", started.elapsed().as_secs_f64());
}

/// Whether a program is on the path.
pub(crate) fn is_installed(tool: &str) -> bool {
    let path = std::env::var_os("PATH").unwrap_or_default();
    std::env::split_paths(&path).any(|folder| folder.join(tool).is_file())
}

/// Adds up what the test binaries say. A test that is skipped passes and prints `skipped: why`, or
/// `NAME is skipped: why`; it is not counted as passed.
fn count(output: &str) -> Counts {
    let mut counts = Counts::default();
    for line in output.lines() {
        if line.starts_with("skipped: ") || line.contains(" is skipped: ") {
            counts.skipped += 1;
        }
        let Some(result) = line.strip_prefix("test result: ") else { continue };
        for part in result.split(['.', ';']) {
            let mut words = part.split_whitespace();
            let (Some(Ok(number)), Some(word)) = (words.next().map(str::parse::<usize>), words.next()) else {
                continue;
            };
            match word {
                "passed" => counts.passed += number,
                "failed" => counts.failed += number,
                _ => {}
            }
        }
    }
    counts.passed = counts.passed.saturating_sub(counts.skipped);
    counts
}

/// The arguments of `cargo test` for the binaries that have tests of the second tier.
fn second_tier_targets(tree: &Tree) -> Vec<String> {
    let mut arguments = Vec::new();
    for file in tree.rust().filter(|file| SECOND_TIER.iter().any(|text| file.text.contains(text))) {
        let Some((package, inside)) = file.path.strip_prefix("crates/").and_then(|path| path.split_once('/'))
        else {
            continue;
        };
        let is_program = tree.file(&format!("crates/{package}/src/main.rs")).is_some();
        let target = match inside.strip_prefix("tests/").and_then(|inside| inside.strip_suffix(".rs")) {
            Some(test) if !test.contains('/') => vec!["--test".to_owned(), test.to_owned()],
            // What tests share asks on their behalf.
            Some(_) => continue,
            None if is_program => vec!["--bins".to_owned()],
            None => vec!["--lib".to_owned()],
        };
        for argument in [vec!["--package".to_owned(), package.to_owned()], target] {
            if !arguments.contains(&argument) {
                arguments.push(argument);
            }
        }
    }
    arguments.concat()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn results_are_added_up_and_skips_do_not_pass() {
        let output = "running 3 tests\n\
            ---- a stdout ----\nskipped: needs x\n---- b stdout ----\nb is skipped: run y\n\
            test result: ok. 3 passed; 0 failed; 0 ignored; 0 measured; 0 filtered out; finished in 0.01s\n\
            test result: FAILED. 4 passed; 2 failed; 0 ignored; 0 measured; 0 filtered out; finished in 1.10s\n";
        assert_eq!(count(output), Counts { passed: 5, failed: 2, skipped: 2 });
        assert_eq!(count("error: could not compile"), Counts::default());
    }

    #[test]
    fn the_second_tier_is_found_by_what_it_asks_for() {
        let tier = SECOND_TIER[0];
        let text = format!("std::env::var_os(\"{tier}\")");
        let tree = Tree::of_texts(&[
            ("crates/a/tests/b.rs", &text),
            ("crates/a/tests/c.rs", &text),
            ("crates/d/src/e.rs", &text),
            ("crates/d/src/f.rs", "nothing"),
            ("crates/g/src/main.rs", "nothing"),
            ("crates/g/src/h.rs", &text),
            ("crates/g/tests/support/mod.rs", &text),
            ("xtask/src/ci.rs", &text),
        ]);
        assert_eq!(
            second_tier_targets(&tree).join(" "),
            "--package a --test b --test c --package d --lib --package g --bins"
        );
    }
}
