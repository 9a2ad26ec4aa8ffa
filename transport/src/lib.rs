//! Dials and accepts.
