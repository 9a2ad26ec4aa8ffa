//! The binary from outside: its words, its homes, its errors, without a relay that lives.

mod dead_relay;
mod homes;
mod passphrases;
mod place;
mod shell;
mod words;
