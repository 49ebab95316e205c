//! Sorted numbers in few bytes: each as its distance to the one before, seven bits a byte, the low ones first, the
//! eighth bit set where more follow.

/// The bytes of numbers that are sorted and distinct.
pub(super) fn encode(numbers: &[u32]) -> Vec<u8> {
    let mut bytes = Vec::with_capacity(numbers.len() * 2);
    let mut last = 0;
    for number in numbers {
        let mut distance = number - last;
        last = *number;
        while let Some(more) = Some(distance >> 7).filter(|more| *more > 0) {
            bytes.push(low_bits(distance) | 0x80);
            distance = more;
        }
        bytes.push(low_bits(distance));
    }
    bytes
}

fn low_bits(number: u32) -> u8 {
    u8::try_from(number & 0x7f).expect("seven bits fit into a byte")
}

/// Hands out the numbers; `false` where the bytes are not such.
pub(super) fn decode(bytes: &[u8], mut each: impl FnMut(u32)) -> bool {
    let (mut last, mut distance, mut shift) = (0_u32, 0_u32, 0_u32);
    for byte in bytes {
        if shift > 28 {
            return false;
        }
        distance |= u32::from(byte & 0x7f) << shift;
        if byte & 0x80 != 0 {
            shift += 7;
            continue;
        }
        let Some(number) = last.checked_add(distance) else { return false };
        each(number);
        (last, distance, shift) = (number, 0, 0);
    }
    shift == 0
}

/// Which numbers are in a set, as a bit each.
pub(super) struct Marks {
    words: Vec<u64>,
}

impl Marks {
    pub(super) fn new() -> Marks {
        Marks { words: Vec::new() }
    }

    pub(super) fn set(&mut self, number: u32) {
        let (word, bit) = place(number);
        if self.words.len() <= word {
            self.words.resize(word + 1, 0);
        }
        self.words[word] |= bit;
    }

    pub(super) fn has(&self, number: u32) -> bool {
        let (word, bit) = place(number);
        self.words.get(word).is_some_and(|word| word & bit != 0)
    }
}

fn place(number: u32) -> (usize, u64) {
    let word = usize::try_from(number / 64).expect("a number of 32 bits fits into an index");
    (word, 1 << (number % 64))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn numbers_come_back(numbers in proptest::collection::btree_set(any::<u32>(), 0..50)) {
            let numbers: Vec<u32> = numbers.into_iter().collect();
            let mut back = Vec::new();
            prop_assert!(decode(&encode(&numbers), |number| back.push(number)));
            prop_assert_eq!(back, numbers);
        }

        #[test]
        fn no_bytes_are_too_strange(bytes in proptest::collection::vec(any::<u8>(), 0..20)) {
            decode(&bytes, |_| ());
        }
    }

    #[test]
    fn half_a_number_is_none() {
        assert!(!decode(&[0x80], |_| ()));
        assert!(!decode(&[0xff, 0xff, 0xff, 0xff, 0xff, 0x01], |_| ()));
    }

    #[test]
    fn only_what_was_marked_is() {
        let mut marks = Marks::new();
        marks.set(3);
        marks.set(640);
        for (number, is_marked) in [(0, false), (3, true), (64, false), (640, true), (u32::MAX, false)] {
            assert_eq!(marks.has(number), is_marked, "{number}");
        }
    }
}
