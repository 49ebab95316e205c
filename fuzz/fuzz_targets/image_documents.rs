//! libFuzzer's way into [`plimsoll_fuzz::image_documents`].
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| plimsoll_fuzz::image_documents(data));
