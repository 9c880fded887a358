//! Proof of history: whether a log is whole and possible, archives of it that can be checked and restored, and trees
//! over it whose signed heads anybody can hold against it.
//!
//! Everything here reads; nothing decides and nothing is believed. What a record means is left to `stockledger-chain`
//! (which records count) and `stockledger-domain` (what they do).
