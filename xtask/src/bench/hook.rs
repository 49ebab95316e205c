//! Whoever is told by webhook: takes every request and counts which image it is about.

use std::collections::HashMap;
use std::io::{self, BufRead as _, BufReader, Read as _, Write as _};
use std::net::{TcpListener, TcpStream};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Instant;

use anyhow::Context as _;

/// Largest body that is taken, in bytes.
const BODY_BYTES_MAX: usize = 8 << 20;

/// Listens on a port of its own until the process ends.
pub(super) struct Hook {
    pub(super) url: String,
    told: Arc<Mutex<Told>>,
}

/// What was told.
#[derive(Clone, Default)]
pub(super) struct Told {
    /// How often each image was told of.
    pub(super) images: HashMap<String, u32>,
    /// When the last request came.
    pub(super) last: Option<Instant>,
}

impl Hook {
    pub(super) fn start() -> anyhow::Result<Hook> {
        let listener = TcpListener::bind("127.0.0.1:0").context("cannot listen")?;
        let url = format!("http://{}/hook", listener.local_addr()?);
        let told = Arc::<Mutex<Told>>::default();
        let hook = Hook { url, told: Arc::clone(&told) };
        std::thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                let told = Arc::clone(&told);
                std::thread::spawn(move || take(stream, &told));
            }
        });
        Ok(hook)
    }

    /// What was told until now.
    pub(super) fn told(&self) -> Told {
        self.told.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }
}

/// Takes the requests of one connection.
fn take(stream: TcpStream, told: &Mutex<Told>) -> io::Result<()> {
    let mut writer = stream.try_clone()?;
    let mut reader = BufReader::new(stream);
    loop {
        let mut length = 0_usize;
        let mut line = String::new();
        loop {
            line.clear();
            if reader.read_line(&mut line)? == 0 {
                return Ok(());
            }
            let Some((name, value)) = line.split_once(':') else {
                if line.trim().is_empty() {
                    break;
                }
                continue;
            };
            if name.eq_ignore_ascii_case("content-length") {
                length = value.trim().parse().unwrap_or_default();
            }
        }
        let mut body = vec![0; length.min(BODY_BYTES_MAX)];
        reader.read_exact(&mut body)?;
        let subject = subject(&String::from_utf8_lossy(&body)).to_owned();
        {
            let mut told = told.lock().unwrap_or_else(PoisonError::into_inner);
            *told.images.entry(subject).or_default() += 1;
            told.last = Some(Instant::now());
        }
        writer.write_all(b"HTTP/1.1 204 No Content\r\n\r\n")?;
    }
}

/// `subject` of an event, whose value holds nothing that JSON escapes.
fn subject(body: &str) -> &str {
    let after = body.split_once("\"subject\":").map_or("", |(_, after)| after);
    after.split('"').nth(1).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_subject_of_an_event_is_found() {
        assert_eq!(subject(r#"{"id":"evt_1","subject":"sha256:0a","data":{}}"#), "sha256:0a");
        assert_eq!(subject("{}"), "");
    }
}
