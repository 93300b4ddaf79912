#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| adit::boundary::fuzz_boundary(bytes));
