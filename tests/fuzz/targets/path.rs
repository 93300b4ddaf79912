#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| adit::http::path::fuzz_path(bytes));
