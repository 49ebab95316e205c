//! libFuzzer's way into [`plimsoll_fuzz::advisory_database`].
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| plimsoll_fuzz::advisory_database(data));
