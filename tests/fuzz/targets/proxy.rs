#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| adit::listener::proxy::fuzz_proxy(bytes));
