//! Rows of a package as bytes: writing and reading, side by side.
//!
//! Versions and strings stand in a row as offsets into their sections; this file knows nothing of what is
//! behind them.

use plimsoll_core::advisory::{FixState, Severity, Status};

use super::format::{EndKind, Reader, put_varint, severity_code, severity_of, unzigzag, zigzag};

/// What a row states beside its versions.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Head {
    pub(super) status: Status,
    pub(super) fix: FixState,
    pub(super) end: EndKind,
    /// The range does not follow its scheme; its versions have texts and no keys.
    pub(super) is_unparsable: bool,
    pub(super) severity: Option<Severity>,
}

/// A row as stored, its deltas undone.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct StoredRow {
    pub(super) head: Head,
    pub(super) advisory: u32,
    /// Offset in `versions`.
    pub(super) introduced: Option<u32>,
    /// Offset in `versions`; meaningless where the end is open.
    pub(super) end: u32,
    /// Offset in `strings`; 0 for none.
    pub(super) module: u32,
    /// Offset in `strings`; 0 for all.
    pub(super) architectures: u32,
}

/// What deltas are counted from. Each package begins anew.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Base {
    advisory: u32,
    version: u32,
}

/// Statuses by their code.
const STATUSES: [Status; 4] =
    [Status::Affected, Status::NotAffected, Status::Fixed, Status::UnderInvestigation];
/// Fix states by their code.
const FIX_STATES: [FixState; 5] =
    [FixState::Unstated, FixState::None, FixState::Deferred, FixState::WillNotFix, FixState::EndOfLife];
/// Ends by their code.
const ENDS: [EndKind; 4] = [EndKind::Open, EndKind::Fixed, EndKind::Before, EndKind::Last];

const HAS_INTRODUCED: u8 = 1 << 3;
const HAS_MODULE: u8 = 1 << 4;
const HAS_ARCHITECTURES: u8 = 1 << 5;
const UNUSED: u8 = 0b1100_0000;

fn code<T: PartialEq>(list: &[T], item: &T) -> u8 {
    // Every variant is in its list, as `every_head_reads_back` shows; the lists are shorter than 256.
    list.iter().position(|row| row == item).unwrap_or(0) as u8
}

impl StoredRow {
    /// Appends the row. Rows of a package come sorted by advisory.
    pub(super) fn write(&self, out: &mut Vec<u8>, base: &mut Base) {
        let head = &self.head;
        out.push(
            code(&STATUSES, &head.status)
                | code(&FIX_STATES, &head.fix) << 2
                | code(&ENDS, &head.end) << 5
                | u8::from(head.is_unparsable) << 7,
        );
        let flag = |is_set: bool, bit: u8| if is_set { bit } else { 0 };
        out.push(
            severity_code(head.severity)
                | flag(self.introduced.is_some(), HAS_INTRODUCED)
                | flag(self.module != 0, HAS_MODULE)
                | flag(self.architectures != 0, HAS_ARCHITECTURES),
        );
        put_varint(out, u64::from(self.advisory.saturating_sub(base.advisory)));
        base.advisory = self.advisory;
        let end = (head.end != EndKind::Open).then_some(self.end);
        for version in [self.introduced, end].into_iter().flatten() {
            put_varint(out, zigzag(i64::from(version) - i64::from(base.version)));
            base.version = version;
        }
        for text in [self.module, self.architectures] {
            if text != 0 {
                put_varint(out, u64::from(text));
            }
        }
    }

    /// Reads a row; `None` where the bytes make no sense.
    pub(super) fn read(reader: &mut Reader<'_>, base: &mut Base) -> Option<StoredRow> {
        let (first, second) = (reader.byte()?, reader.byte()?);
        if second & UNUSED != 0 {
            return None;
        }
        let head = Head {
            status: *STATUSES.get(usize::from(first & 0b11))?,
            fix: *FIX_STATES.get(usize::from(first >> 2 & 0b111))?,
            end: *ENDS.get(usize::from(first >> 5 & 0b11))?,
            is_unparsable: first >> 7 == 1,
            severity: severity_of(second & 0b111)?,
        };
        base.advisory = base.advisory.checked_add(reader.varint_u32()?)?;
        let mut version = || {
            let offset = i64::from(base.version).checked_add(unzigzag(reader.varint()?))?;
            base.version = u32::try_from(offset).ok()?;
            Some(base.version)
        };
        let introduced = if second & HAS_INTRODUCED != 0 { Some(version()?) } else { None };
        let end = if head.end == EndKind::Open { 0 } else { version()? };
        let module = if second & HAS_MODULE != 0 { reader.varint_u32()? } else { 0 };
        let architectures = if second & HAS_ARCHITECTURES != 0 { reader.varint_u32()? } else { 0 };
        Some(StoredRow { head, advisory: base.advisory, introduced, end, module, architectures })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_head_reads_back() {
        let mut rows = Vec::new();
        for status in STATUSES {
            for fix in FIX_STATES {
                for end in ENDS {
                    for severity in Severity::ALL.into_iter().map(Some).chain([None]) {
                        let n = rows.len() as u32;
                        rows.push(StoredRow {
                            head: Head { status, fix, end, is_unparsable: n % 2 == 1, severity },
                            advisory: n * n,
                            introduced: n.is_multiple_of(3).then_some(n * 1_000),
                            end: if end == EndKind::Open { 0 } else { 4_000_000_000 - n },
                            module: n % 5,
                            architectures: n % 7,
                        });
                    }
                }
            }
        }
        let (mut out, mut base) = (Vec::new(), Base::default());
        rows.iter().for_each(|row| row.write(&mut out, &mut base));
        let (mut reader, mut base) = (Reader(&out), Base::default());
        for row in &rows {
            assert_eq!(StoredRow::read(&mut reader, &mut base), Some(*row));
        }
        assert!(reader.is_empty());
        assert_eq!(StoredRow::read(&mut reader, &mut base), None);
    }
}
