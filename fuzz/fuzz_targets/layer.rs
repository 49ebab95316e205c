//! libFuzzer's way into [`plimsoll_fuzz::layer`].
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| plimsoll_fuzz::layer(data));
