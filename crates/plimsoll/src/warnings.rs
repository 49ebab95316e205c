//! Telling somebody of feeds that are late, once when they become so, daily while they are, and once when they
//! have recovered.
//!
//! What is late is decided in `late.rs`, what is to be told of it in `memory.rs`: both are pure, and take the
//! time as an argument. Each way of telling is a row in `channels/` and remembers for itself what it told, so
//! that a webhook that fails is tried again at the next run, while the mail that was sent is not sent again.

use std::fs::{self, File};
use std::io::Write as _;
use std::path::Path;

use anyhow::Context as _;
use jiff::Timestamp;

pub(crate) mod channels;
pub(crate) mod late;
pub(crate) mod memory;
pub(crate) mod message;

use channels::OpenChannel;
use late::Watched;
use memory::{Digest, Memory};
use message::Message;

const MEMORY: &str = "warnings.json";
const LOCK: &str = "warnings.lock";

/// What became of one channel.
#[derive(Debug)]
pub(crate) struct Told {
    /// Name of the channel.
    pub(crate) channel: &'static str,
    /// What was to be told; `None` where nothing was.
    pub(crate) message: Option<Message>,
    /// Why it could not be told.
    pub(crate) error: Option<String>,
}

/// Tells each channel what it is to be told. What happened is on disk before this returns.
pub(crate) fn warn(
    data_dir: &Path,
    channels: &[OpenChannel],
    watched: &[Watched<'_>],
    host: &str,
    now: Timestamp,
) -> anyhow::Result<Vec<Told>> {
    if channels.is_empty() {
        return Ok(Vec::new());
    }
    let _lock = lock(data_dir)?;
    let mut memory = read(data_dir);
    memory.observe(watched, now);
    let late = late::late(watched, &memory, now);
    let mut told = Vec::with_capacity(channels.len());
    for channel in channels {
        let name = channel.row.name;
        let Some(digest) = memory.to_tell(name, &late, watched, now) else {
            told.push(Told { channel: name, message: None, error: None });
            continue;
        };
        let message = message_of(&memory, name, &digest, host, now);
        let error = (channel.send)(&message).err().map(|error| message::clean(&format!("{error:#}")));
        match &error {
            None => memory.was_told(name, &digest, now),
            Some(error) => memory.was_not_told(name, error, now),
        }
        // At once: what comes next may hang or be killed, and this one was told.
        write(data_dir, &memory)?;
        told.push(Told { channel: name, message: Some(message), error });
    }
    write(data_dir, &memory)?;
    Ok(told)
}

/// What each channel would be told. Nothing is sent and nothing is noted.
pub(crate) fn rehearse(
    data_dir: &Path,
    names: &[&'static str],
    watched: &[Watched<'_>],
    host: &str,
    now: Timestamp,
) -> Vec<Told> {
    let mut memory = read(data_dir);
    memory.observe(watched, now);
    let late = late::late(watched, &memory, now);
    let told = names.iter().map(|name| {
        let digest = memory.to_tell(name, &late, watched, now);
        let message = digest.map(|digest| message_of(&memory, name, &digest, host, now));
        Told { channel: name, message, error: None }
    });
    told.collect()
}

fn message_of(memory: &Memory, channel: &str, digest: &Digest, host: &str, now: Timestamp) -> Message {
    Message::of_feeds(host, now, digest.clone(), &memory.seed(channel, digest, now))
}

/// What is remembered. What is missing or cannot be understood is nothing: at worst something is told twice.
pub(crate) fn read(data_dir: &Path) -> Memory {
    let text = fs::read(data_dir.join(MEMORY)).ok();
    let memory: Option<Memory> = text.and_then(|text| serde_json::from_slice(&text).ok());
    memory.filter(Memory::is_understood).unwrap_or_default()
}

fn write(data_dir: &Path, memory: &Memory) -> anyhow::Result<()> {
    let path = data_dir.join(MEMORY);
    let aside = data_dir.join("warnings.json.new");
    let mut text = serde_json::to_vec_pretty(memory)?;
    text.push(b'\n');
    let written = File::create(&aside).and_then(|mut file| {
        file.write_all(&text)?;
        file.sync_all()?;
        fs::rename(&aside, &path)
    });
    written.with_context(|| format!("cannot write `{}`", path.display()))
}

/// One at a time tells what there is to tell; the others wait, and then find it told.
fn lock(data_dir: &Path) -> anyhow::Result<File> {
    let path = data_dir.join(LOCK);
    let locked = fs::create_dir_all(data_dir).and_then(|()| {
        let file = File::options().create(true).append(true).open(&path)?;
        file.lock()?;
        Ok(file)
    });
    locked.with_context(|| format!("cannot lock `{}`", path.display()))
}

/// The name of this machine, for people.
pub(crate) fn host() -> String {
    let name = hostname::get().ok().map(|name| message::clean(&name.to_string_lossy()));
    name.filter(|name| !name.is_empty()).unwrap_or_else(|| "localhost".to_owned())
}

#[cfg(test)]
mod tests;
