//! What several targets do to bytes before they hand them on.

/// Splits off the first line. Without a line end there is no line.
pub(crate) fn first_line(data: &[u8]) -> Option<(&str, &[u8])> {
    let end = data.iter().position(|&byte| byte == b'\n')?;
    Some((std::str::from_utf8(&data[..end]).ok()?, &data[end + 1..]))
}

/// Changes bytes at places that the edits name: four bytes each, three for the place and one for the value. What is
/// left over cuts the end off.
pub(crate) fn edited(base: &[u8], edits: &[u8]) -> Vec<u8> {
    let mut out = base.to_vec();
    let (edits, rest) = edits.as_chunks::<4>();
    for &[high, middle, low, value] in edits {
        let place = u32::from_be_bytes([0, high, middle, low]) as usize % out.len();
        out[place] = value;
    }
    let cut: usize = rest.iter().map(|&byte| usize::from(byte)).sum();
    out.truncate(out.len().saturating_sub(cut));
    out
}

/// Sets the sum of every block right that could be a tar header.
pub(crate) fn summed_tar(data: &[u8]) -> Vec<u8> {
    let mut out = data.to_vec();
    for block in out.as_chunks_mut::<512>().0 {
        let is_header = &block[257..262] == b"ustar" || block[148..156].contains(&b'\0');
        if !is_header || block.iter().all(|&byte| byte == 0) {
            continue;
        }
        block[148..156].fill(b' ');
        let sum: u32 = block.iter().map(|&byte| u32::from(byte)).sum();
        block[148..155].copy_from_slice(format!("{sum:06o}\0").as_bytes());
    }
    out
}

/// A zip of one entry that is stored as it is.
pub(crate) fn zip_of(name: &str, content: &[u8]) -> Vec<u8> {
    zip_of_all(&[(name, content)])
}

/// A zip of entries that are stored as they are.
pub(crate) fn zip_of_all(entries: &[(&str, &[u8])]) -> Vec<u8> {
    let (mut out, mut directory) = (Vec::new(), Vec::new());
    for (name, content) in entries {
        let mut crc = flate2::Crc::new();
        crc.update(content);
        let (start, size) = (number(out.len()), number(content.len()));
        let name_length = u16::try_from(name.len()).expect("a name is short").to_le_bytes();
        let common = [
            &[20, 0, 0, 0, 0, 0, 0, 0, 0, 0],
            &crc.sum().to_le_bytes()[..],
            &size,
            &size,
            &name_length,
            &[0, 0],
        ]
        .concat();
        out.extend_from_slice(&[b"PK\x03\x04", &common[..], name.as_bytes(), content].concat());
        directory.extend_from_slice(&[b"PK\x01\x02\x14\0", &common[..], &[0; 10], &start].concat());
        directory.extend_from_slice(name.as_bytes());
    }
    let (start, size) = (number(out.len()), number(directory.len()));
    let count = u16::try_from(entries.len()).expect("an input is small").to_le_bytes();
    out.extend_from_slice(&directory);
    out.extend_from_slice(&[b"PK\x05\x06\0\0\0\0", &count[..], &count, &size, &start, &[0, 0]].concat());
    out
}

fn number(length: usize) -> [u8; 4] {
    u32::try_from(length).expect("an input is small").to_le_bytes()
}

/// A tar (POSIX ustar) of files. A path of more than 100 bytes is cut, as it would take two fields.
pub(crate) fn tar_of(files: &[(&str, &[u8])]) -> Vec<u8> {
    let mut out = Vec::new();
    for (path, content) in files {
        let mut header = [0; 512];
        let (path, size) = (path.as_bytes(), format!("{:011o}", content.len()));
        let path = &path[..path.len().min(100)];
        header[..path.len()].copy_from_slice(path);
        header[124..135].copy_from_slice(size.as_bytes());
        header[156] = b'0';
        header[257..265].copy_from_slice(b"ustar\x0000");
        out.extend_from_slice(&summed_tar(&header));
        out.extend_from_slice(content);
        out.resize(out.len().next_multiple_of(512), 0);
    }
    out.resize(out.len() + 1024, 0);
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_ends_at_its_end() {
        assert_eq!(first_line(b"a b\nc\nd"), Some(("a b", &b"c\nd"[..])));
        assert_eq!(first_line(b"a b"), None);
    }

    #[test]
    fn edits_change_and_cut() {
        assert_eq!(edited(b"abcdef", b"\0\0\x01X\0\0\x08Y\x02"), b"aXYd");
    }

    #[test]
    fn what_is_packed_can_be_read() {
        let mut tar =
            plimsoll_image::tar::Archive::new(std::io::Cursor::new(tar_of(&[("a/b", b"1"), ("c", b"")])));
        for (path, size) in [("a/b", 1), ("c", 0)] {
            let header = tar.next_entry().expect("it is a tar").expect("it is not at its end");
            assert_eq!((header.path.as_str(), header.size), (path, size));
        }
        assert!(tar.next_entry().expect("it is a tar").is_none());
    }
}
