//! libFuzzer's way into [`plimsoll_fuzz::report_text`].
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| plimsoll_fuzz::report_text(data));
