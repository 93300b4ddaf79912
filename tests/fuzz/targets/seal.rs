#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| adit::seal::fuzz_seal(bytes));
