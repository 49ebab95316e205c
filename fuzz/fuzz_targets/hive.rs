//! libFuzzer's way into [`plimsoll_fuzz::hive`].
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| plimsoll_fuzz::hive(data));
