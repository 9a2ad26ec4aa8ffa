//! The relay daemon.
fn main() {}
