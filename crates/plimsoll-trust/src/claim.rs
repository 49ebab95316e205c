//! Statements that nobody signed: BuildKit's attestations, and files of plain statements.
//!
//! They are claims. Whoever can push an image can push them.

use plimsoll_core::digest::Digest;
use plimsoll_core::evidence::{Content, Item, Place, Standing};

use crate::statement::{PAYLOAD_TYPE, is_about, read};

/// Reads a plain in-toto statement. One that is about another digest, or cannot be read, is refused.
pub fn read_claim(bytes: &[u8], digest: &Digest, place: Place) -> Item {
    let statement = match read(PAYLOAD_TYPE, bytes) {
        Ok(statement) => statement,
        Err(refusal) => {
            return Item { place, standing: Standing::Refused(refusal), content: Content::Unread };
        }
    };
    let standing = match is_about(&statement, digest) {
        Ok(()) => Standing::Unsigned,
        Err(refusal) => Standing::Refused(refusal),
    };
    Item { place, standing, content: Content::Statement(Box::new(statement)) }
}
