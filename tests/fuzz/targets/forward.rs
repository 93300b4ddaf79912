#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| adit::forward::request::fuzz_forward(bytes));
