//! libFuzzer's way into [`plimsoll_fuzz::catalogers`].
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| plimsoll_fuzz::catalogers(data));
