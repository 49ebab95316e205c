//! libFuzzer's way into [`plimsoll_fuzz::hooks`].
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| plimsoll_fuzz::hooks(data));
