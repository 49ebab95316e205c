//! Stores each distinct text once while a database is built.
//!
//! All texts stand in one byte arena and a table of ids points into it, because millions of small
//! allocations, each with its copy in a hash map, would be most of a build's memory. Ids are given in the
//! order of first sight, so they do not depend on the hash.

use std::hash::{BuildHasher, RandomState};

/// An arena of distinct byte strings.
pub(super) struct Interner {
    bytes: Vec<u8>,
    /// Where each text ends in `bytes`; it begins where the one before ends.
    ends: Vec<u32>,
    /// Open addressing by linear probing; 0 is free, else the id plus one. The length is a power of two.
    slots: Vec<u32>,
    hasher: RandomState,
}

const SLOTS_MIN: usize = 1 << 10;

impl Interner {
    /// Makes one that holds the empty text under id 0.
    pub(super) fn new() -> Interner {
        let mut interner = Interner {
            bytes: Vec::new(),
            ends: Vec::new(),
            slots: vec![0; SLOTS_MIN],
            hasher: RandomState::new(),
        };
        interner.intern(b"");
        interner
    }

    /// Gives a text's id. `None` when ids or the arena's 4 GiB are used up.
    pub(super) fn intern(&mut self, item: &[u8]) -> Option<u32> {
        let mut slot = self.slot_of(item);
        while let Some(id) = self.slots[slot].checked_sub(1) {
            if self.get(id) == item {
                return Some(id);
            }
            slot = (slot + 1) & (self.slots.len() - 1);
        }
        let id = u32::try_from(self.ends.len()).ok().filter(|id| *id < u32::MAX)?;
        let end = u32::try_from(self.bytes.len() + item.len()).ok()?;
        self.bytes.extend_from_slice(item);
        self.ends.push(end);
        self.slots[slot] = id + 1;
        if self.ends.len() * 4 > self.slots.len() * 3 {
            self.grow();
        }
        Some(id)
    }

    /// The text with an id that [`Interner::intern`] gave.
    pub(super) fn get(&self, id: u32) -> &[u8] {
        let id = id as usize;
        let start = if id == 0 { 0 } else { self.ends[id - 1] as usize };
        &self.bytes[start..self.ends[id] as usize]
    }

    /// How many there are.
    pub(super) fn len(&self) -> usize {
        self.ends.len()
    }

    fn slot_of(&self, item: &[u8]) -> usize {
        // Cutting the hash off is meant: only its low bits choose the slot.
        self.hasher.hash_one(item) as usize & (self.slots.len() - 1)
    }

    fn grow(&mut self) {
        self.slots = vec![0; self.slots.len() * 2];
        for id in 0..self.ends.len() as u32 {
            let mut slot = self.slot_of(self.get(id));
            while self.slots[slot] != 0 {
                slot = (slot + 1) & (self.slots.len() - 1);
            }
            self.slots[slot] = id + 1;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn equal_texts_share_an_id_in_the_order_of_first_sight() {
        let mut interner = Interner::new();
        let texts: Vec<String> = (0..5_000).map(|n| format!("text-{n}")).collect();
        for round in 0..2 {
            for (n, text) in texts.iter().enumerate() {
                let id = interner.intern(text.as_bytes()).unwrap();
                assert_eq!(id as usize, n + 1, "round {round}");
                assert_eq!(interner.get(id), text.as_bytes());
            }
        }
        assert_eq!(interner.intern(b""), Some(0));
        assert_eq!(interner.len(), 5_001);
    }
}
