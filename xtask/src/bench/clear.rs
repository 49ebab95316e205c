//! A manifest of a hundred digests, cleared against a registry in this process: requests made and time, against one `HEAD` for
//! each object as the floor.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::io::{self, BufRead as _, BufReader, Write as _};
use std::net::{TcpListener, TcpStream};
use std::process::Command as Process;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Instant;

use anyhow::{Context as _, ensure};
use plimsoll_testkit::image::{Image, MANIFEST, digest};
use plimsoll_testkit::layer::Layer;

use super::{Bench, TURNS, line, median, spread, timed};

/// Images, and how many of them share a layer of their own beside the one that all have.
const IMAGES: usize = 100;
const SHARE: usize = 5;
/// Bytes of the layer that all have.
const BASE_BYTES: usize = 4 << 20;
/// Requests that the floor has in flight, as many as a clearance.
const TOGETHER: usize = 8;

/// What the registry has, by path below `/v2/`: media type and bytes.
type Things = BTreeMap<String, (&'static str, Vec<u8>)>;

struct Registry {
    host: String,
    asked: Arc<AtomicU64>,
}

impl Registry {
    fn start(things: Things) -> anyhow::Result<Registry> {
        let listener = TcpListener::bind("127.0.0.1:0").context("cannot listen")?;
        let host = format!("localhost:{}", listener.local_addr()?.port());
        let (asked, things) = (Arc::<AtomicU64>::default(), Arc::new(things));
        let registry = Registry { host, asked: Arc::clone(&asked) };
        std::thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                let (asked, things) = (Arc::clone(&asked), Arc::clone(&things));
                std::thread::spawn(move || answer(stream, &things, &asked));
            }
        });
        Ok(registry)
    }

    /// How often it was asked since the last time.
    fn asked(&self) -> u64 {
        self.asked.swap(0, Ordering::Relaxed)
    }
}

/// Answers the requests of one connection.
fn answer(stream: TcpStream, things: &Things, asked: &AtomicU64) -> io::Result<()> {
    stream.set_nodelay(true)?;
    let mut writer = stream.try_clone()?;
    let mut reader = BufReader::new(stream);
    loop {
        let mut first = String::new();
        if reader.read_line(&mut first)? == 0 {
            return Ok(());
        }
        let mut line = String::new();
        while line.trim() != "" || line.is_empty() {
            line.clear();
            if reader.read_line(&mut line)? == 0 {
                return Ok(());
            }
        }
        asked.fetch_add(1, Ordering::Relaxed);
        let is_head = first.starts_with("HEAD ");
        let path = first.split(' ').nth(1).and_then(|path| path.strip_prefix("/v2/")).unwrap_or_default();
        let mut out = Vec::new();
        match things.get(path) {
            Some((media_type, bytes)) => {
                write!(
                    out,
                    "HTTP/1.1 200 OK\r\nContent-Type: {media_type}\r\nContent-Length: {}\r\n\r\n",
                    bytes.len()
                )?;
                if !is_head {
                    out.extend_from_slice(bytes);
                }
            }
            None => {
                let said = r#"{"errors":[{"code":"MANIFEST_UNKNOWN"}]}"#;
                write!(out, "HTTP/1.1 404 Not Found\r\nContent-Length: {}\r\n\r\n", said.len())?;
                out.extend_from_slice(if is_head { b"" } else { said.as_bytes() });
            }
        }
        writer.write_all(&out)?;
    }
}

/// The images of a release: one layer that all have, one of five, one of its own.
fn things() -> (Things, Vec<(String, String)>) {
    let mut things = Things::new();
    let mut list = Vec::new();
    let noise: Vec<u8> =
        (0_u32..).map(|n| n.wrapping_mul(2_654_435_761).to_le_bytes()[3]).take(BASE_BYTES).collect();
    let base =
        Layer::new().file("etc/os-release", "ID=alpine\nVERSION_ID=3.20.3\n").file("lib/noise", &noise);
    for number in 0..IMAGES {
        let group = Layer::new().file("group", (number / SHARE).to_string());
        let own = Layer::new().file("own", number.to_string());
        let image = Image { os: "linux".to_owned(), ..Image::default() }
            .layer("ADD base", &base)
            .layer("COPY group", &group)
            .layer("COPY own", &own);
        let (manifest, name) = (image.manifest(), format!("app-{number:03}"));
        let of_manifest = digest(&manifest);
        for (digest, bytes) in image.blobs() {
            things.insert(format!("from/{name}/blobs/{digest}"), ("application/octet-stream", bytes));
        }
        for reference in [of_manifest.as_str(), "v1.0.0"] {
            things.insert(format!("from/{name}/manifests/{reference}"), (MANIFEST, manifest.clone()));
        }
        list.push((name, of_manifest));
    }
    (things, list)
}

impl Bench {
    /// What a clearance of a hundred digests costs.
    pub(super) fn clear(&self) -> anyhow::Result<()> {
        let (things, list) = things();
        // One `HEAD` for each manifest, config and layer, for each tag, and for each tag of the destination.
        let objects: BTreeSet<String> = things
            .keys()
            .cloned()
            .chain(list.iter().map(|(name, _)| format!("to/{name}/manifests/v1.0.0")))
            .collect();
        let registry = Registry::start(things)?;
        let host = &registry.host;
        let lines: String = list.iter().map(|(name, digest)| format!("{name} {digest} v1.0.0\n")).collect();
        let folder = self.folder.join("clear");
        if folder.exists() {
            fs::remove_dir_all(&folder)?;
        }
        fs::create_dir_all(&folder)?;
        let ships = folder.join("ships");
        fs::write(&ships, format!("from {host}/from\nto {host}/to\n{lines}"))?;
        let clear = |level: &str| {
            let mut process = Process::new(&self.plimsoll);
            process.args(["--quiet", "--data-dir"]).arg(folder.join("data"));
            process.args(["clear", "--level", level, "--format", "json", "--list"]).arg(&ships);
            process
        };
        let cold = timed(&mut clear("content"))?;
        let requests_cold = registry.asked();
        let mut times: [Vec<f64>; 3] = Default::default();
        let mut requests = [0; 3];
        for _ in 0..TURNS {
            times[0].push(floor(host, &objects)?);
            requests[0] = registry.asked();
            times[1].push(timed(&mut clear("content"))?);
            requests[1] = registry.asked();
            times[2].push(timed(&mut clear("exists"))?);
            requests[2] = registry.asked();
        }
        let [floor, warm, exists] = &times;
        println!("\nclearance of {IMAGES} digests, {} objects", objects.len());
        line(
            "floor: one HEAD for each object",
            &format!("{} s, {} requests", spread(floor, 3), requests[0]),
            "",
        );
        line("cold, every byte read", &format!("{cold:.3} s, {requests_cold} requests"), "");
        for (what, times, requests) in
            [("warm layer cache", warm, requests[1]), ("level `exists`", exists, requests[2])]
        {
            line(what, &format!("{} s, {requests} requests", spread(times, 3)), "");
            line(&format!("{what} / floor"), &format!("{:.2}", median(times) / median(floor)), "");
        }
        Ok(())
    }
}

/// Asks for each object whether it is there, some at a time over connections that are kept; how long it took.
fn floor(host: &str, objects: &BTreeSet<String>) -> anyhow::Result<f64> {
    let started = Instant::now();
    let all: Vec<&String> = objects.iter().collect();
    let chunks = all.chunks(all.len().div_ceil(TOGETHER));
    std::thread::scope(|scope| {
        let threads: Vec<_> = chunks.map(|chunk| scope.spawn(move || heads(host, chunk))).collect();
        for thread in threads {
            thread.join().map_err(|_| anyhow::anyhow!("the floor panicked"))??;
        }
        anyhow::Ok(())
    })?;
    Ok(started.elapsed().as_secs_f64())
}

fn heads(host: &str, paths: &[&String]) -> anyhow::Result<()> {
    let stream = TcpStream::connect(host)?;
    stream.set_nodelay(true)?;
    let mut writer = stream.try_clone()?;
    let mut reader = BufReader::new(stream);
    for path in paths {
        writer.write_all(format!("HEAD /v2/{path} HTTP/1.1\r\nHost: {host}\r\n\r\n").as_bytes())?;
        let mut line = String::new();
        reader.read_line(&mut line)?;
        ensure!(line.starts_with("HTTP/1.1 "), "the registry does not answer");
        while line.trim() != "" {
            line.clear();
            reader.read_line(&mut line)?;
        }
    }
    Ok(())
}
