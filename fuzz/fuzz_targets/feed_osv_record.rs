//! libFuzzer's way into [`plimsoll_fuzz::feed_osv_record`].
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| plimsoll_fuzz::feed_osv_record(data));
