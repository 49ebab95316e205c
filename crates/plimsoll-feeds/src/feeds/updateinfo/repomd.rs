//! `repodata/repomd.xml`, the index of an rpm repository: where its `updateinfo.xml` lies.
//!
//! A repository that has no updates to tell of lists none. Newer ones list the same file a second time, in a
//! format for fetching its changes alone (`updateinfo_zck`).

use std::io::Cursor;

use super::xml::{Document, Step};
use crate::feeds::ParseError;

/// Longest path or digest that is taken, in bytes.
const TEXT_BYTES_MAX: usize = 1_000;

/// Where the updates of a repository lie.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct UpdateInfo {
    /// Path below the repository.
    pub(super) path: String,
    /// `sha256:..`; empty where none is stated.
    pub(super) digest: String,
}

/// Reads an index; `None` where the repository has no updates.
pub(super) fn update_info(bytes: &[u8]) -> Result<Option<UpdateInfo>, ParseError> {
    let mut document = Document::new(Box::new(Cursor::new(bytes)));
    let mut found: Option<UpdateInfo> = None;
    let (mut is_inside, mut is_digest) = (false, false);
    loop {
        match document.step()? {
            Step::Open(1, root) if root.name() != "repomd" => {
                return Err(ParseError("its outermost element is not `repomd`".to_owned()));
            }
            Step::Open(2, element) => {
                is_inside = element.name() == "data" && element.attribute("type") == "updateinfo";
                if is_inside {
                    found = Some(UpdateInfo::default());
                }
            }
            Step::Open(3, element) if is_inside => {
                is_digest = element.name() == "checksum";
                let Some(found) = &mut found else { continue };
                match element.name() {
                    "checksum" => found.digest = format!("{}:", element.attribute("type")),
                    "location" => found.path = element.attribute("href").into_owned(),
                    _ => {}
                }
            }
            Step::Close(3) => is_digest = false,
            Step::Text(piece) if is_digest => {
                if let Some(found) = found.as_mut().filter(|found| found.digest.len() < TEXT_BYTES_MAX) {
                    found.digest.push_str(piece.trim());
                }
            }
            Step::Close(2) => is_inside = false,
            Step::End => return Ok(found),
            Step::Open(..) | Step::Close(_) | Step::Text(_) | Step::Nothing => {}
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(data: &str) -> Result<Option<UpdateInfo>, String> {
        let document =
            format!("<?xml version=\"1.0\"?>\n<repomd xmlns=\"x\"><revision>1</revision>{data}</repomd>");
        update_info(document.as_bytes()).map_err(|error| error.to_string())
    }

    #[test]
    fn the_updates_are_found_among_the_others() {
        let other =
            r#"<data type="primary"><checksum type="sha256">aa</checksum><location href="p"/></data>"#;
        let zchunk =
            r#"<data type="updateinfo_zck"><checksum type="sha256">cc</checksum><location href="z"/></data>"#;
        let own = r#"<data type="updateinfo"><checksum type="sha256">bb</checksum>
            <open-checksum type="sha256">dd</open-checksum><location href="repodata/u.xml.zst"/></data>"#;
        let expected = UpdateInfo { path: "repodata/u.xml.zst".to_owned(), digest: "sha256:bb".to_owned() };
        assert_eq!(read(&format!("{other}{own}{zchunk}")), Ok(Some(expected)));
        assert_eq!(read(&format!("{other}{zchunk}")), Ok(None));
    }

    #[test]
    fn another_document_is_an_error() {
        for document in
            ["", "<html></html>", "<repomd>", "not there", "<repomd/><repomd/>", "<repomd></other>"]
        {
            assert!(update_info(document.as_bytes()).is_err(), "{document}");
        }
    }
}
