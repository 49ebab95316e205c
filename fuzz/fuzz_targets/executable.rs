//! libFuzzer's way into [`plimsoll_fuzz::executable`].
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| plimsoll_fuzz::executable(data));
