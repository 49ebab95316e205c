//! An archive on disk whose members are read by name, without unpacking it.

use std::collections::HashMap;
use std::fs::File;
use std::io::{self, BufReader, Read, Seek, SeekFrom};
use std::path::{Path, PathBuf};

use super::OpenError;
use crate::limits::Limits;
use crate::tar::{Archive, Kind, clean_path};

/// How many links are followed from one member to another.
const LINKS_MAX: usize = 8;

/// An indexed tar file.
#[derive(Debug)]
pub(super) struct TarFile {
    path: PathBuf,
    members: HashMap<String, Member>,
}

#[derive(Debug)]
enum Member {
    Data { offset: u64, size: u64 },
    Link(String),
}

impl TarFile {
    /// Reads the headers of an archive, seeking over its content.
    pub(super) fn index(path: &Path, limits: &Limits) -> Result<TarFile, OpenError> {
        let io = |source| OpenError::Io { path: path.display().to_string(), source };
        let unreadable =
            |detail: String| OpenError::Mismatch { what: format!("`{}`", path.display()), detail };
        let mut file = File::open(path).map_err(io)?;
        let mut magic = [0; 4];
        let is_compressed = file.read_exact(&mut magic).is_ok()
            && (magic.starts_with(&[0x1f, 0x8b]) || magic == [0x28, 0xb5, 0x2f, 0xfd]);
        if is_compressed {
            return Err(unreadable("it is compressed; unpack it first (`gunzip`, `zstd -d`)".to_owned()));
        }
        file.seek(SeekFrom::Start(0)).map_err(io)?;
        let mut archive = Archive::new(BufReader::with_capacity(64 << 10, file));
        let mut members = HashMap::new();
        while let Some(header) = archive.next_entry().map_err(|error| unreadable(error.to_string()))? {
            if members.len() as u64 >= limits.entries_max {
                return Err(unreadable(format!(
                    "it has more than {} entries (entries_max)",
                    limits.entries_max
                )));
            }
            let member = match header.kind {
                Kind::File => {
                    Member::Data { offset: archive.content_offset().map_err(io)?, size: header.size }
                }
                Kind::HardLink(target) => Member::Link(target),
                Kind::Symlink(target) => {
                    let directory = header.path.rsplit_once('/').map_or("", |(directory, _)| directory);
                    Member::Link(clean_path(&format!("{directory}/{target}")))
                }
                Kind::Directory | Kind::Special => continue,
            };
            members.insert(header.path, member);
            archive.seek_past_content().map_err(io)?;
        }
        Ok(TarFile { path: path.to_owned(), members })
    }

    /// Opens a member; `None` if there is none of this name.
    pub(super) fn open(&self, name: &str) -> io::Result<Option<(u64, Box<dyn Read + Send>)>> {
        let mut name = clean_path(name);
        for _ in 0..LINKS_MAX {
            match self.members.get(&name) {
                None => return Ok(None),
                Some(Member::Link(target)) => name = target.clone(),
                Some(&Member::Data { offset, size }) => {
                    let mut file = File::open(&self.path)?;
                    file.seek(SeekFrom::Start(offset))?;
                    return Ok(Some((size, Box::new(file.take(size)))));
                }
            }
        }
        Err(io::Error::other(format!("more than {LINKS_MAX} links lead to no file")))
    }

    /// The archive's path.
    pub(super) fn path(&self) -> &Path {
        &self.path
    }
}
