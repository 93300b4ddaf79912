#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| adit::authn::query::fuzz_query(bytes));
