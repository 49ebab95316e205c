//! Packages of Chocolatey, by the `.nuspec` that it keeps of each
//! (<https://docs.chocolatey.org/en-us/create/create-packages/#nuspec>; schema:
//! <https://learn.microsoft.com/nuget/reference/nuspec>).
//!
//! Prefixes and namespaces of the elements differ between versions of the schema and do not matter: `package`, `metadata`,
//! then `id` and `version`.

use plimsoll_core::ecosystems;
use quick_xml::Reader;
use quick_xml::events::Event;

use super::{Cataloger, Entry, File, Found, FoundPackage, Problem};

pub(super) static CATALOGER: Cataloger = Cataloger {
    name: "chocolatey",
    title: "Chocolatey packages",
    version: 1,
    reads: &["ProgramData/chocolatey/lib/*/*.nuspec"],
    wants,
    read,
};

/// Largest `.nuspec`, in bytes. Real ones are a few KiB.
const BYTES_MAX: u64 = 1 << 20;

/// Longest text that is taken, in bytes.
const TEXT_BYTES_MAX: usize = 512;

fn wants(entry: &Entry<'_>) -> bool {
    let path = entry.path;
    path.len() > DIRECTORY.len()
        && path.get(..DIRECTORY.len()).is_some_and(|start| start.eq_ignore_ascii_case(DIRECTORY))
        && path.get(path.len().saturating_sub(7)..).is_some_and(|end| end.eq_ignore_ascii_case(".nuspec"))
        && path.split('/').count() == 5
}

const DIRECTORY: &str = "programdata/chocolatey/lib/";

fn read(file: &mut File<'_>) -> Found {
    file.whole_bytes_max = file.whole_bytes_max.min(BYTES_MAX);
    let bytes = match file.bytes() {
        Ok(bytes) => bytes,
        Err(problem) => return Found::problem(problem),
    };
    match id_and_version(&String::from_utf8_lossy(&bytes)) {
        Ok((id, version)) => {
            let package = FoundPackage::new(&ecosystems::CHOCOLATEY, id, version);
            Found { packages: vec![package], ..Found::default() }
        }
        Err(reason) => Found::problem(Problem::unreadable(reason)),
    }
}

/// The texts of `package/metadata/id` and `package/metadata/version`.
fn id_and_version(text: &str) -> Result<(String, String), String> {
    let mut reader = Reader::from_str(text);
    let mut path: Vec<String> = Vec::new();
    let (mut id, mut version) = (String::new(), String::new());
    loop {
        match reader.read_event().map_err(|error| format!("is not XML: {error}"))? {
            Event::Start(start) => path.push(start.local_name().as_ref().to_owned()),
            Event::End(_) => {
                path.pop();
            }
            Event::Text(text) => {
                let [package, metadata, field] = path.as_slice() else { continue };
                if package != "package" || metadata != "metadata" {
                    continue;
                }
                let into = match field.as_str() {
                    "id" => &mut id,
                    "version" => &mut version,
                    _ => continue,
                };
                into.push_str(text.trim());
                if into.len() > TEXT_BYTES_MAX {
                    return Err(format!("its id or version has more than {TEXT_BYTES_MAX} bytes"));
                }
            }
            Event::Eof if !path.is_empty() => return Err("ends in the middle".to_owned()),
            Event::Eof => break,
            _ => {}
        }
    }
    if id.is_empty() { Err("has no `id`".to_owned()) } else { Ok((id, version)) }
}
