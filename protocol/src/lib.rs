//! What client and relay agree on (docs/spec/).
