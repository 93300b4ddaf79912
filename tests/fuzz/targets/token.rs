#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| adit::token::fuzz_token(bytes));
