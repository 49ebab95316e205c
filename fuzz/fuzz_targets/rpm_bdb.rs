//! libFuzzer's way into [`plimsoll_fuzz::rpm_bdb`].
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| plimsoll_fuzz::rpm_bdb(data));
