//! What bringing feeds up to date costs: the first time, and when nothing has changed.
//!
//! The "internet" is a server of this process, which counts what it is asked. It knows files and their
//! validators, and answers one request a connection: enough for a client that is given nothing else.

use std::fs;
use std::io::{self, BufRead as _, BufReader, Write as _};
use std::net::{TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::process::Command as Process;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Instant;

use anyhow::{Context as _, ensure};

use super::{Bench, line, mebibytes, watched};

/// Feeds, and the folder or file of each below the server's root.
const FEEDS: [(&str, &str); 7] = [
    ("alpine-secdb", "alpine-secdb"),
    ("debian-tracker", "debian-tracker/json"),
    ("epss", "epss/epss_scores-current.csv.gz"),
    ("osv-go", "osv"),
    ("osv-maven", "osv"),
    ("osv-npm", "osv"),
    ("osv-pypi", "osv"),
];

impl Bench {
    /// Updates an empty data directory from the synthetic feeds, and once more.
    pub(super) fn feeds(&self) -> anyhow::Result<()> {
        let root = self.folder.join("feeds");
        if !root.join("epss").exists() {
            println!("making synthetic feeds in {}", root.display());
            let status = Process::new(&self.measure).arg("feeds").arg(&root).status()?;
            ensure!(status.success(), "cannot make the feeds");
        }
        let data = self.folder.join("feeds-data");
        if data.exists() {
            fs::remove_dir_all(&data)?;
        }
        let server = Server::start(&root)?;
        let update = || {
            let mut process = Process::new(&self.plimsoll);
            process.args(["--quiet", "--data-dir"]).arg(&data).args(["feeds", "update"]);
            for (feed, place) in FEEDS {
                process.arg(feed).arg("--feed-url").arg(format!("{feed}={}/{place}", server.url));
            }
            process
        };
        let started = Instant::now();
        let (output, peak) = watched(&mut update())?;
        let seconds = started.elapsed().as_secs_f64();
        let first_requests = server.requests.swap(0, Ordering::Relaxed);
        let database = data.join("database.plimsoll").metadata().context("there is no database")?.len();
        let rows = built_rows(&output).context("the update does not say how many rows it built")?;
        let fetched = size_of(&data.join("snapshots"))?;
        println!(
            "\nfeeds: {rows} affected-package rows from {:.0} MB in {} feeds",
            fetched / 1e6,
            FEEDS.len()
        );
        line("first update: fetch, verify, build", &format!("{seconds:.1} s"), "60 s");
        line("peak memory", &mebibytes(peak), "500 MiB");
        let bytes = database as f64;
        line("size of the database", &format!("{:.1} MB, {:.1} bytes a row", bytes / 1e6, bytes / rows), "");
        line("snapshots beside it", &format!("{:.1} bytes a row", fetched / rows), "");
        let started = Instant::now();
        watched(&mut update())?;
        let seconds = started.elapsed().as_secs_f64();
        line("update without a change", &format!("{:.0} ms", seconds * 1e3), "");
        let requests = server.requests.load(Ordering::Relaxed);
        let not_modified = server.not_modified.load(Ordering::Relaxed);
        line(
            "its requests",
            &format!("{requests} (of the first: {first_requests}), {not_modified} answered 304"),
            "one a file",
        );
        Ok(())
    }
}

/// `database built: 3 advisories, 7 affected-package rows, ..`
fn built_rows(output: &str) -> Option<f64> {
    let line = output.lines().find(|line| line.starts_with("database built:"))?;
    line.split(", ").find_map(|part| part.strip_suffix(" affected-package rows"))?.parse().ok()
}

fn size_of(folder: &Path) -> io::Result<f64> {
    let mut bytes = 0.0;
    for entry in fs::read_dir(folder)? {
        let entry = entry?;
        let metadata = entry.metadata()?;
        bytes += if metadata.is_dir() { size_of(&entry.path())? } else { metadata.len() as f64 };
    }
    Ok(bytes)
}

/// Serves a folder on a port of its own until the process ends.
struct Server {
    url: String,
    requests: Arc<AtomicU64>,
    not_modified: Arc<AtomicU64>,
}

impl Server {
    fn start(root: &Path) -> anyhow::Result<Server> {
        let listener = TcpListener::bind("127.0.0.1:0").context("cannot listen")?;
        let url = format!("http://{}", listener.local_addr()?);
        let (requests, not_modified) = (Arc::<AtomicU64>::default(), Arc::<AtomicU64>::default());
        let server = Server { url, requests: Arc::clone(&requests), not_modified: Arc::clone(&not_modified) };
        let root: PathBuf = root.to_owned();
        std::thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                requests.fetch_add(1, Ordering::Relaxed);
                if let Ok(true) = answer(&root, stream) {
                    not_modified.fetch_add(1, Ordering::Relaxed);
                }
            }
        });
        Ok(server)
    }
}

/// Answers one request; whether with "not modified". The size stands for the content.
fn answer(root: &Path, stream: TcpStream) -> io::Result<bool> {
    let mut lines = BufReader::new(&stream).lines();
    let request = lines.next().transpose()?.unwrap_or_default();
    let path = request.split(' ').nth(1).unwrap_or_default().trim_start_matches('/').to_owned();
    let mut known = String::new();
    for line in lines {
        let line = line?;
        match line.split_once(':') {
            None => break,
            Some((name, value)) if name.eq_ignore_ascii_case("if-none-match") => {
                known = value.trim().to_owned()
            }
            Some(_) => {}
        }
    }
    let mut stream = stream;
    let Ok(mut file) = fs::File::open(root.join(&path)) else {
        write!(stream, "HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\nConnection: close\r\n\r\n")?;
        return Ok(false);
    };
    let length = file.metadata()?.len();
    let etag = format!("\"{length:x}\"");
    if known == etag {
        write!(stream, "HTTP/1.1 304 Not Modified\r\nETag: {etag}\r\nConnection: close\r\n\r\n")?;
        return Ok(true);
    }
    let head =
        format!("HTTP/1.1 200 OK\r\nContent-Length: {length}\r\nETag: {etag}\r\nConnection: close\r\n\r\n");
    stream.write_all(head.as_bytes())?;
    io::copy(&mut file, &mut stream)?;
    Ok(false)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rows_are_read_from_what_an_update_says() {
        let output =
            "kev: unchanged\ndatabase built: 3 advisories, 7 affected-package rows, 9 bytes, sha256:0\n";
        assert_eq!(built_rows(output), Some(7.0));
        assert_eq!(built_rows("database unchanged: sha256:0\n"), None);
    }
}
