//! libFuzzer's way into [`plimsoll_fuzz::schemes`].
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| plimsoll_fuzz::schemes(data));
