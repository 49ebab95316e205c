//! Mirrors. The input is a line with a feed's name, then files of its upstream as `files.rs` reads them; the one called
//! `journal.jsonl` is what an earlier mirror is to have left.

use std::fs;
use std::sync::Arc;

use plimsoll_feeds::feeds::by_name;
use plimsoll_feeds::mirror::{MirrorOptions, Mirrored, mirror as copy};
use plimsoll_feeds::update::Upstream;
use plimsoll_feeds::{Answer, Transport, TransportError};
use plimsoll_net::Validators;

use crate::bytes::first_line;
use crate::files::Files;
use crate::place::empty_folder;

const JOURNAL: &str = "journal.jsonl";
const BASE: &str = "https://upstream.example/a";

/// Serves the files of an input, which has to be its own for that.
struct Served(Vec<u8>);

impl Transport for Served {
    fn get_if_changed(&self, url: &str, validators: &Validators, _: u64) -> Result<Answer, TransportError> {
        let path = url.strip_prefix(BASE).ok_or("it is not below the upstream")?;
        let Some(bytes) = Files::read(&self.0).upstream(path.trim_start_matches('/')) else {
            return Ok(Answer::Absent);
        };
        let etag = Some(format!("\"{}\"", bytes.len()));
        if validators.etag == etag {
            return Ok(Answer::Unchanged);
        }
        let validators = Validators { etag, last_modified: None };
        Ok(Answer::Changed { body: Box::new(std::io::Cursor::new(bytes)), validators })
    }
}

/// Mirrors twice. What lies beside the folder stays, and the second time finds all that the first one left.
pub fn mirror(data: &[u8]) {
    let Some((name, rest)) = first_line(data) else { return };
    let Some(feed) = by_name(name) else { return };
    let root = empty_folder("mirror");
    let (dir, beside) = (root.join("dir"), root.join("beside"));
    let own = dir.join(".plimsoll-mirror");
    let written = fs::create_dir_all(&own).and_then(|()| fs::write(&beside, "kept"));
    written.expect("the folder can be written to");
    if let Some((_, journal)) = Files::read(rest).0.iter().find(|(path, _)| *path == JOURNAL) {
        fs::write(own.join(format!("{name}.jsonl")), journal).expect("the folder can be written to");
    }
    let upstream = Upstream {
        urls: vec![BASE.to_owned()],
        transport: Arc::new(Served(rest.to_vec())),
        part_bytes_max: 1 << 20,
    };
    let options = MirrorOptions::new(&dir);
    let run = || {
        let reports = copy(&options, &[feed], &|_| Ok(upstream.clone()), &mut |_| {});
        reports.map(|mut reports| reports.pop().map(|report| report.outcome))
    };
    let (first, second) = (run(), run());
    if let Ok(Some(Ok(Mirrored { changed, unchanged, absent, .. }))) = first {
        let again = Mirrored { changed: 0, unchanged: changed + unchanged, absent, removed: 0, bytes: 0 };
        assert!(matches!(second, Ok(Some(Ok(second))) if second == again), "{first:?}, then {second:?}");
    }
    assert_eq!(fs::read(&beside).ok().as_deref(), Some(&b"kept"[..]));
    assert_eq!(fs::read_dir(&root).map(Iterator::count).ok(), Some(2));
    assert!(fs::read_dir(&dir).expect("it is there").count() <= 3);
}
