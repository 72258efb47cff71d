#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| keyalike_fuzz_bodies::scenario(bytes));
