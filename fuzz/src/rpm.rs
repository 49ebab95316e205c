//! The three databases of rpm, and their records.

use std::sync::OnceLock;

use plimsoll_image::catalogers::rpm::header::Header;
use plimsoll_image::catalogers::rpm::{self, Each, bdb, header, ndb, sqlite};

use crate::bytes::edited;

fn all_blobs(read: fn(&[u8], Each<'_>), database: &[u8]) {
    let mut bytes = 0;
    read(database, &mut |next| bytes += next.map_or(0, |blob| blob.bytes.len()));
    rpm::parse(database);
}

/// Berkeley DB.
pub fn rpm_bdb(data: &[u8]) {
    all_blobs(bdb::read, data);
}

/// SQLite.
pub fn rpm_sqlite(data: &[u8]) {
    all_blobs(sqlite::read, data);
}

/// NDB: the input as it is, and a database that holds it as a record.
pub fn rpm_ndb(data: &[u8]) {
    all_blobs(ndb::read, data);
    all_blobs(ndb::read, &ndb_of(data));
}

/// Writes an NDB database of one record, all but its checksum right.
fn ndb_of(blob: &[u8]) -> Vec<u8> {
    let words = |words: &[u32]| words.iter().flat_map(|word| word.to_le_bytes()).collect::<Vec<u8>>();
    let length = u32::try_from(blob.len()).expect("an input is small");
    let mut record = [b"BlbS".to_vec(), words(&[1, 7, length]), blob.to_vec()].concat();
    record.resize((record.len() + 12).next_multiple_of(16) - 12, 0);
    record.extend(words(&[0, length]));
    record.extend(b"BlbE");
    let blocks = u32::try_from(record.len() / 16).expect("an input is small");
    let mut slots = [b"RpmP".to_vec(), words(&[0, 7, 1, 9, 0, 0, 0])].concat();
    slots.extend([b"Slot".to_vec(), words(&[1, 256, blocks])].concat());
    while slots.len() < 4096 {
        slots.extend([b"Slot".to_vec(), words(&[0, 0, 0])].concat());
    }
    [slots, record].concat()
}

/// A record: the input as it is, or as edits of a real one if its first byte is odd.
pub fn rpm_header(data: &[u8]) {
    let Some((&first, rest)) = data.split_first() else { return };
    let blob = if first % 2 == 0 { rest.to_vec() } else { edited(real_header(), rest) };
    let Ok(read) = Header::parse(&blob) else { return };
    for tag in [header::NAME, header::ARCH, header::SOURCERPM, header::LICENSE, header::MODULARITYLABEL] {
        drop((read.text(tag), read.required(tag), read.number(tag)));
    }
    let mut paths = 0;
    drop(read.each_path(&mut |_| {
        paths += 1;
        paths < 10_000
    }));
}

fn real_header() -> &'static [u8] {
    static HEADER: OnceLock<Vec<u8>> = OnceLock::new();
    HEADER.get_or_init(|| {
        let database =
            include_bytes!("../../crates/plimsoll-image/testdata/rpm/three-packages.sqlite").as_slice();
        let mut first = None;
        sqlite::read(database, &mut |next| {
            if let (None, Ok(blob)) = (&first, next) {
                first = Some(blob.bytes.to_vec());
            }
        });
        first.expect("the database has packages")
    })
}
