//! libFuzzer's way into [`plimsoll_fuzz::statement`].
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| plimsoll_fuzz::statement(data));
