//! What hostile clients try, each with the bound that holds against it: counts of resources, bytes and states.

mod doors;
mod quota;
mod rig;
mod rules;
