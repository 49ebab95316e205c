//! libFuzzer's way into [`plimsoll_fuzz::gcb_file`].
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| plimsoll_fuzz::gcb_file(data));
