//! What hostile clients try, each with the bound that holds against it: counts of resources, bytes and states.

mod clock;
mod door;
mod doors;
mod frames;
mod greed;
mod guesses;
mod quota;
mod rig;
mod rules;
