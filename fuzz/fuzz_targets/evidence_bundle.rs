//! libFuzzer's way into [`plimsoll_fuzz::evidence_bundle`].
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| plimsoll_fuzz::evidence_bundle(data));
