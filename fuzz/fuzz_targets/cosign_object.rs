//! libFuzzer's way into [`plimsoll_fuzz::cosign_object`].
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| plimsoll_fuzz::cosign_object(data));
