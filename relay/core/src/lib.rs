//! The relay's rules.
