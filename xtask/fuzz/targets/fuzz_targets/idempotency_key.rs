//! See `stockledger_fuzz::TARGETS`.

#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| stockledger_fuzz::check("idempotency_key", bytes));
