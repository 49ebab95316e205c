//! libFuzzer's way into [`plimsoll_fuzz::java_archive`].
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| plimsoll_fuzz::java_archive(data));
