//! What keeps secrets inside this process.

use rustix::process::{DumpableBehavior, Resource, Rlimit, set_dumpable_behavior, setrlimit};

/// Turns core dumps off, and tracing by other processes of the same user. Called before a passphrase is read.
///
/// Best effort: a system that refuses it is no reason to refuse help.
pub fn seal_process() {
    setrlimit(Resource::Core, Rlimit { current: Some(0), maximum: Some(0) }).ok();
    set_dumpable_behavior(DumpableBehavior::NotDumpable).ok();
}

#[cfg(test)]
mod tests {
    use rustix::process::{dumpable_behavior, getrlimit};

    use super::*;

    #[test]
    fn a_sealed_process_leaves_no_core() {
        seal_process();
        assert_eq!(getrlimit(Resource::Core).current, Some(0));
        assert_eq!(dumpable_behavior().unwrap(), DumpableBehavior::NotDumpable);
    }
}
