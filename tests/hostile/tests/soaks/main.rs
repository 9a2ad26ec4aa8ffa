//! The relay's promises under load, with small counts here and full ones in `cargo xtask soak NAME`.

mod drain;
mod erasure;
mod faults;
mod flips;
mod kills;
mod stage;
mod steady;
