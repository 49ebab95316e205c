//! `cargo xtask example`: the main job on the image and the feeds in `examples/`, with the real binary.
//!
//! `--write` packs `examples/image`, `examples/feeds/osv` and the [harbour] of the demo from `examples/source` first.
//! They are committed, so that nothing but the binary is needed to try it.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command as Process;

use anyhow::{Context as _, bail};
use flate2::Compression;

use crate::Command;
use crate::pack::{Layout, zip};

mod harbour;

/// The row.
pub(crate) static COMMAND: Command = Command {
    name: "example",
    about: "scans the image in examples/ against the feeds there; --write packs both again",
    run,
};

/// Feeds, and the file or folder of each below `examples/feeds`.
static FEEDS: &[(&str, &str)] = &[
    ("alpine-secdb", "alpine-secdb"),
    ("epss", "epss/epss_scores-current.csv"),
    ("kev", "kev/known_exploited_vulnerabilities.json"),
    ("osv-npm", "osv"),
    ("osv-pypi", "osv"),
];

fn run(root: &Path, arguments: &[String]) -> anyhow::Result<bool> {
    match arguments {
        [] => {}
        [option] if option == "--write" => {
            write(root, &root.join("examples"))?;
            harbour::write(root, &root.join(harbour::ARCHIVE))?;
        }
        _ => bail!("`cargo xtask example` takes `--write` or nothing"),
    }
    let data = root.join("target/example");
    if data.exists() {
        fs::remove_dir_all(&data).with_context(|| format!("cannot clear `{}`", data.display()))?;
    }
    let mut update = vec!["feeds".to_owned(), "update".to_owned()];
    for (feed, place) in FEEDS {
        let url = format!("file://{}", root.join("examples/feeds").join(place).display());
        update.extend([(*feed).to_owned(), "--feed-url".to_owned(), format!("{feed}={url}")]);
    }
    if !plimsoll(root, &data, &update)? {
        return Ok(false);
    }
    plimsoll(root, &data, &["scan".to_owned(), "oci:examples/image".to_owned()])
}

/// Runs the binary and shows what it says; says whether it succeeded.
fn plimsoll(root: &Path, data: &Path, arguments: &[String]) -> anyhow::Result<bool> {
    println!("$ plimsoll {}", arguments.join(" "));
    let status = Process::new("cargo")
        .args([
            "run",
            "--quiet",
            "--release",
            "--package",
            "plimsoll",
            "--",
            "--config",
            "examples/config.toml",
        ])
        .arg("--data-dir")
        .arg(data)
        .args(arguments)
        .current_dir(root)
        .status()
        .context("cannot run `cargo`")?;
    Ok(status.success())
}

/// Packs the image and the OSV zips of a source tree into `examples`, in place of what is there.
fn write(root: &Path, examples: &Path) -> anyhow::Result<()> {
    let source = root.join("examples/source");
    let image = examples.join("image");
    if image.exists() {
        fs::remove_dir_all(&image)?;
    }
    let mut layout = Layout::new(&image)?;
    for layer in ["base", "app"] {
        let root = source.join(layer);
        let files = files(&root)?;
        // Stored, not deflated: the bytes must not change with the next version of the compressor.
        layout.layer(Compression::none(), |tar| {
            for (path, content) in &files {
                match content {
                    None => tar.directory(path)?,
                    Some(content) => tar.file(path, 0o644, content)?,
                }
            }
            Ok(())
        })?;
    }
    layout.finish("linux", "example")?;
    let osv = examples.join("feeds/osv");
    for ecosystem in ["PyPI", "npm"] {
        let records = files(&source.join("osv").join(ecosystem))?;
        let records: Vec<(String, Vec<u8>)> =
            records.into_iter().filter_map(|(path, content)| Some((path, content?))).collect();
        fs::create_dir_all(osv.join(ecosystem))?;
        fs::write(osv.join(ecosystem).join("all.zip"), zip(&records))?;
    }
    Ok(())
}

/// All folders and files below a folder, by path, sorted; folders have no content.
fn files(root: &Path) -> anyhow::Result<Vec<(String, Option<Vec<u8>>)>> {
    let mut found = Vec::new();
    let mut folders = vec![root.to_owned()];
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(&folder).with_context(|| format!("cannot read `{}`", folder.display()))? {
            let path: PathBuf = entry?.path();
            let name = path.strip_prefix(root)?.to_string_lossy().replace('\\', "/");
            if path.is_dir() {
                found.push((name, None));
                folders.push(path);
            } else {
                found.push((name, Some(fs::read(&path)?)));
            }
        }
    }
    found.sort();
    Ok(found)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_packed_is_what_the_sources_say() {
        let root = crate::root();
        let folder = tempfile::tempdir().unwrap();
        write(&root, folder.path()).unwrap();
        let again = files(folder.path()).unwrap();
        assert!(again.iter().any(|(path, _)| path == "image/index.json"), "{again:?}");
        for (path, content) in again {
            let Some(content) = content else { continue };
            let committed = fs::read(root.join("examples").join(&path)).unwrap_or_default();
            assert!(
                committed == content,
                "{path} is not packed from its sources: `cargo xtask example --write`"
            );
        }
    }

    #[test]
    fn every_feed_is_there() {
        for (feed, place) in FEEDS {
            assert!(crate::root().join("examples/feeds").join(place).exists(), "{feed}");
        }
    }
}
