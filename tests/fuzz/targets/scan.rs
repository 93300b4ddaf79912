#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| adit::http::scan::fuzz_scan(bytes));
