//! A world of its own for each test: a folder with feeds, images and a data directory, and the binary run in it.
//!
//! The binary sees nothing of the machine: its environment is empty but for `PATH`, its home is the folder, and
//! all names are relative to it, so that what it prints is the same everywhere. What still differs from run to
//! run (times, database ids, the folder's own name in URLs) is replaced before a snapshot is compared.

// Each test file takes what it needs.
#![allow(dead_code)]

use std::collections::BTreeSet;
use std::fmt;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

use serde_json::Value;

pub(crate) mod browser;
pub(crate) mod demo;
pub(crate) mod feeds;
pub(crate) mod harbor;
pub(crate) mod images;
pub(crate) mod layer;
pub(crate) mod quay;
pub(crate) mod receivers;
pub(crate) mod registry;
pub(crate) mod scripted;
pub(crate) mod serving;

/// The folder of one test, removed with it.
pub(crate) struct World {
    folder: tempfile::TempDir,
}

impl World {
    /// An empty folder.
    pub(crate) fn new() -> World {
        World { folder: tempfile::tempdir().unwrap() }
    }

    /// A folder with feeds, and a database that was made from them.
    pub(crate) fn with_database() -> World {
        let world = World::new();
        feeds::write_all(&world);
        let updated = world.plimsoll(&["feeds", "update", "alpine-secdb", "epss", "kev", "osv-pypi"]);
        assert_eq!(updated.code, 0, "{updated}");
        world
    }

    /// The path of something in the folder.
    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    /// Writes a file and the folders above it.
    pub(crate) fn write(&self, name: &str, content: impl AsRef<[u8]>) {
        let path = self.path(name);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, content).unwrap();
    }

    /// The `file` URL of something in the folder.
    pub(crate) fn url(&self, name: &str) -> String {
        format!("file://{}", self.path(name).display())
    }

    /// The binary, about to be run in the folder.
    pub(crate) fn command(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_plimsoll"));
        command
            .args(arguments)
            .current_dir(self.folder.path())
            .env_clear()
            .envs(std::env::var_os("PATH").map(|path| ("PATH", path)))
            .env("HOME", self.folder.path())
            .env("PLIMSOLL_DATA_DIR", "data")
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped());
        if self.path("config.toml").exists() {
            command.env("PLIMSOLL_CONFIG", "config.toml");
        }
        command
    }

    /// Runs the binary to its end.
    pub(crate) fn plimsoll(&self, arguments: &[&str]) -> Ran {
        self.finish(self.spawn(arguments))
    }

    /// Starts the binary.
    pub(crate) fn spawn(&self, arguments: &[&str]) -> Child {
        self.command(arguments).spawn().unwrap()
    }

    /// Waits for the binary's end.
    pub(crate) fn finish(&self, child: Child) -> Ran {
        let output = child.wait_with_output().unwrap();
        let text = |bytes| String::from_utf8(bytes).expect("the binary writes UTF-8");
        Ran {
            code: output.status.code().expect("the binary is not killed"),
            stdout: text(output.stdout),
            stderr: text(output.stderr),
        }
    }

    /// Scans into JSON.
    pub(crate) fn scan(&self, arguments: &[&str]) -> (i32, Value) {
        let ran = self.plimsoll(&[&["scan", "--format", "json"], arguments].concat());
        (ran.code, ran.json())
    }

    /// Names of all files below a folder, relative to it.
    pub(crate) fn files(&self, folder: &str) -> BTreeSet<String> {
        let mut files = BTreeSet::new();
        let top = self.path(folder);
        let mut folders = vec![top.clone()];
        while let Some(folder) = folders.pop() {
            let Ok(entries) = fs::read_dir(&folder) else { continue };
            for path in entries.map(|entry| entry.unwrap().path()) {
                if path.is_dir() {
                    folders.push(path);
                } else {
                    files.insert(path.strip_prefix(&top).unwrap().display().to_string());
                }
            }
        }
        files
    }

    /// How many layers the cache holds.
    pub(crate) fn cached_layers(&self) -> usize {
        self.files("data/layers").len()
    }

    /// Snapshot settings that replace what differs from run to run.
    pub(crate) fn settings(&self) -> insta::Settings {
        let mut settings = insta::Settings::clone_current();
        settings.set_omit_expression(true);
        for path in [self.folder.path().to_owned(), self.folder.path().canonicalize().unwrap()] {
            settings.add_filter(&quoted(&path), "[DIR]");
        }
        settings.add_filter(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?Z", "[TIME]");
        // As wide as a date or time in a table, so that columns stay.
        settings.add_filter(r"\b20\d\d-\d\d-\d\dT\d\d:\d\d:\d\d\b", "[      TIME       ]");
        settings.add_filter(r"\b20\d\d-\d\d-\d\d\b", "[  DATE  ]");
        // Compressed times and dates.
        settings.add_filter(r"\(\d+ bytes\)", "([SIZE])");
        settings.add_filter(r"rows, \d+ bytes", "rows, [SIZE]");
        // How many feeds there are beside those of the test.
        settings.add_filter(r"; \d+ off", "; [OTHERS] off");
        // A file that is renamed when it is whole.
        settings.add_filter(r"/\.tmp\w+", "/[ASIDE]");
        // A database's identity holds the time at which it was built; digests of images stay.
        settings
            .add_filter(r#"(database |unchanged: |\[SIZE\], |"id": ")sha256:[0-9a-f]{64}"#, "$1[DATABASE]");
        // So does that of a bundle.
        settings.add_filter(r"\b(bundle|since|bundle `)( ?)[0-9a-f]{64}", "$1$2[BUNDLE]");
        settings
    }
}

/// A path as a regular expression that matches only it.
fn quoted(path: &Path) -> String {
    let mut quoted = String::new();
    for c in path.display().to_string().chars() {
        if !c.is_ascii_alphanumeric() {
            quoted.push('\\');
        }
        quoted.push(c);
    }
    quoted
}

/// What became of one run of the binary.
pub(crate) struct Ran {
    pub(crate) code: i32,
    pub(crate) stdout: String,
    pub(crate) stderr: String,
}

impl Ran {
    /// Its standard output as JSON.
    #[track_caller]
    pub(crate) fn json(&self) -> Value {
        serde_json::from_str(&self.stdout).unwrap_or_else(|error| panic!("{error}\n{self}"))
    }

    /// Fails the test unless it ended with this code.
    #[track_caller]
    pub(crate) fn expect(self, code: i32) -> Ran {
        assert_eq!(self.code, code, "{self}");
        self
    }
}

impl fmt::Display for Ran {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "exit code {}", self.code)?;
        for (name, text) in [("stdout", &self.stdout), ("stderr", &self.stderr)] {
            if !text.is_empty() {
                write!(f, "--- {name}\n{text}")?;
            }
        }
        Ok(())
    }
}

/// Runs the binary and holds all that the user sees against a snapshot. A macro, so that the snapshot is named
/// after the file of the test.
#[allow(unused_macros)]
macro_rules! assert_run {
    ($world:expr, $name:expr, $arguments:expr) => {{
        let ran = $world.plimsoll(&$arguments);
        $world
            .settings()
            .bind(|| insta::assert_snapshot!($name, format!("$ plimsoll {}\n{ran}", $arguments.join(" "))));
        ran
    }};
}
#[allow(unused_imports)]
pub(crate) use assert_run;

/// Whether the second tier is on and its programs are installed; says so if not.
pub(crate) fn second_tier(programs: &[&str]) -> bool {
    if std::env::var_os("PLIMSOLL_TIER2").is_none_or(|value| value != "1") {
        println!("skipped: needs {}; run with PLIMSOLL_TIER2=1", programs.join(", "));
        return false;
    }
    let path = std::env::var_os("PATH").unwrap_or_default();
    let is_there =
        |program: &&&str| std::env::split_paths(&path).any(|folder| folder.join(program).is_file());
    match programs.iter().find(|program| !is_there(program)) {
        Some(program) => {
            println!("skipped: `{program}` is not installed");
            false
        }
        None => true,
    }
}

/// A report without what says where the image came from: its identity, and the digests of its layers, which
/// are those of the compressed bytes, of the unpacked ones, or none.
pub(crate) fn without_identity(mut report: Value) -> Value {
    report.as_object_mut().unwrap().remove("image");
    without_layers(&mut report);
    report
}

fn without_layers(value: &mut Value) {
    match value {
        Value::Object(fields) => {
            fields.remove("layer");
            fields.values_mut().for_each(without_layers);
        }
        Value::Array(elements) => elements.iter_mut().for_each(without_layers),
        _ => {}
    }
}

/// `id package` of each finding, in the report's order.
pub(crate) fn findings(report: &Value) -> Vec<String> {
    let text = |value: &Value| value.as_str().unwrap().to_owned();
    let findings = report["findings"].as_array().unwrap();
    findings.iter().map(|one| format!("{} {}", text(&one["id"]), text(&one["package"]["name"]))).collect()
}
