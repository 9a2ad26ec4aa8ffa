//! The poterne command.
fn main() {}
