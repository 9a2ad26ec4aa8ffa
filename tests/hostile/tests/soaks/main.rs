//! The relay's promises under load, with small counts here and full ones in `cargo xtask soak NAME`.

mod cgroup;
mod drain;
mod erasure;
mod existence;
mod faults;
mod flips;
mod idle;
mod kills;
mod overload;
mod siege;
mod stage;
mod steady;
