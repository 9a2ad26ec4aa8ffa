//! The target `attachment` of `poterne_tests::fuzz`.
#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| poterne_tests::fuzz::run("attachment", bytes));
