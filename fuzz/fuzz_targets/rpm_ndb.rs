//! libFuzzer's way into [`plimsoll_fuzz::rpm_ndb`].
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| plimsoll_fuzz::rpm_ndb(data));
