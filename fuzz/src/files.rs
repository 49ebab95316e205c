//! Several files in one input: two bytes 1c, a path and a line end before each.
//!
//! They stand for the fixtures of a feed, and are packed as those are: an upstream's `X.gz` is made of a file `X`, its
//! `X.tar` and `X/all.zip` of the files below `X/`. The sums of what is a tar already are set right.

use crate::bytes::{first_line, summed_tar, tar_of, zip_of_all};

const MARK: &[u8] = b"\x1c\x1c";

/// Paths and contents, in the input's order.
pub(crate) struct Files<'a>(pub(crate) Vec<(&'a str, &'a [u8])>);

impl<'a> Files<'a> {
    /// What stands before the first mark is left out.
    pub(crate) fn read(data: &'a [u8]) -> Files<'a> {
        let mut files = Vec::new();
        let mut rest = data;
        while let Some(start) = find(rest, MARK) {
            let after = &rest[start + MARK.len()..];
            let end = find(after, MARK).unwrap_or(after.len());
            files.extend(first_line(&after[..end]));
            rest = &after[end..];
        }
        Files(files)
    }

    /// The file that an upstream has at a path.
    pub(crate) fn upstream(&self, path: &str) -> Option<Vec<u8>> {
        let path = if path.is_empty() { "document" } else { path };
        if let Some((_, content)) = self.0.iter().find(|(name, _)| *name == path) {
            let is_tar = content.get(257..262) == Some(b"ustar");
            return Some(if is_tar { summed_tar(content) } else { content.to_vec() });
        }
        if let Some(folder) = path.strip_suffix("/all.zip") {
            return self.below(&folder.replace("%20", " ")).map(|files| zip_of_all(&files));
        }
        let plain = [".gz", ".bz2", ".xz", ".zst"].iter().find_map(|ending| path.strip_suffix(ending));
        if let Some(plain) = plain {
            return self.upstream(plain);
        }
        self.below(path.strip_suffix(".tar").unwrap_or(path)).map(|files| tar_of(&files))
    }

    /// The files of a folder, by their paths below it.
    fn below(&self, folder: &str) -> Option<Vec<(&'a str, &'a [u8])>> {
        let name = |path: &'a str| path.strip_prefix(folder)?.strip_prefix('/');
        let files: Vec<_> =
            self.0.iter().filter_map(|(path, content)| Some((name(path)?, *content))).collect();
        (!files.is_empty()).then_some(files)
    }
}

fn find(bytes: &[u8], what: &[u8]) -> Option<usize> {
    bytes.windows(what.len()).position(|window| window == what)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn files_are_found_as_an_upstream_names_them() {
        let files = Files::read(b"x\x1c\x1ca.json\n1\n\x1c\x1cd/e\n\x1cf\x1c\x1cno end\x1c\x1cdocument\n");
        assert_eq!(files.0, [("a.json", &b"1\n"[..]), ("d/e", b"\x1cf"), ("document", b"")]);
        for (path, expected) in [
            ("a.json", Some(b"1\n".to_vec())),
            ("a.json.gz", Some(b"1\n".to_vec())),
            ("", Some(Vec::new())),
            ("d.tar.xz", Some(tar_of(&[("e", b"\x1cf")]))),
            ("d", Some(tar_of(&[("e", b"\x1cf")]))),
            ("d/all.zip", Some(zip_of_all(&[("e", b"\x1cf")]))),
            ("b", None),
        ] {
            assert_eq!(files.upstream(path), expected, "{path}");
        }
        let mut wrong = tar_of(&[("a", b"")]);
        wrong[0] = b'b';
        assert_eq!(Files(vec![("x", &wrong)]).upstream("x"), Some(tar_of(&[("b", b"")])));
    }
}
