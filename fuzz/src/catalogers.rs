//! Every cataloger. The input of [`catalogers`] is a path on a line of its own, then the file.

use plimsoll_image::catalogers::{CATALOGERS, Cataloger, Entry, File};

use crate::bytes::{first_line, zip_of};

/// What a file may be, so that a wrong claim costs no more memory than `run.sh` allows.
const WHOLE_BYTES_MAX: u64 = 1 << 20;

fn read(row: &Cataloger, path: &str, bytes: &[u8], whole_bytes_max: u64) {
    let entry = Entry { path, size: bytes.len() as u64, is_executable: true };
    let mut content = bytes;
    (row.read)(&mut File { entry, content: &mut content, whole_bytes_max });
}

fn row(name: &str) -> &'static Cataloger {
    CATALOGERS.iter().copied().find(|row| row.name == name).expect("the row is listed")
}

/// The row that wants the path reads the file.
pub fn catalogers(data: &[u8]) {
    let Some((path, bytes)) = first_line(data) else { return };
    let entry = Entry { path, size: bytes.len() as u64, is_executable: true };
    for row in CATALOGERS.iter().filter(|row| (row.wants)(&entry)) {
        read(row, path, bytes, WHOLE_BYTES_MAX);
    }
}

/// Programs, held whole and searched as they stream by.
pub fn executable(data: &[u8]) {
    let row = row("executable");
    read(row, "usr/bin/x", data, WHOLE_BYTES_MAX);
    read(row, "usr/bin/x", data, 0);
}

/// An archive; and an archive with the input as its `pom.properties`, as its manifest, and as an archive in it.
pub fn java_archive(data: &[u8]) {
    let row = row("java");
    read(row, "app/x-1.0.jar", data, WHOLE_BYTES_MAX);
    for name in ["META-INF/MANIFEST.MF", "META-INF/maven/g/a/pom.properties", "BOOT-INF/lib/y-2.jar"] {
        read(row, "app/x-1.0.jar", &zip_of(name, data), WHOLE_BYTES_MAX);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_wrapped_input_is_read() {
        let pom = b"groupId=g\nartifactId=a\nversion=1\n";
        let zip = zip_of("META-INF/maven/g/a/pom.properties", pom);
        let mut content = zip.as_slice();
        let found = (row("java").read)(&mut File::new("a-1.jar", zip.len() as u64, &mut content));
        assert_eq!((found.packages.len(), found.problems), (1, Vec::new()));
        assert_eq!(found.packages[0].name, "g:a");
    }
}
