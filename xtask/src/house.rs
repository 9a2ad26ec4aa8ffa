//! Rules of the house that no compiler keeps: files that must agree with each other.

use std::fs::read_to_string;

use crate::command::root;

const PURE_CRATES: &[&str] = &["protocol", "client-core", "relay/core"];

fn text(path: &str) -> String {
    read_to_string(root().join(path)).unwrap_or_else(|error| panic!("{path}: {error}"))
}

#[test]
fn the_pure_crates_repeat_the_bans_of_the_root() {
    let bans: Vec<String> =
        text("clippy.toml").lines().filter(|l| l.contains("path =")).map(str::to_owned).collect();
    assert!(!bans.is_empty());
    for name in PURE_CRATES {
        let own = text(&format!("{name}/clippy.toml"));
        for ban in &bans {
            assert!(own.contains(ban.as_str()), "{name}/clippy.toml lacks {ban}");
        }
        assert_eq!(own, text("protocol/clippy.toml"), "{name}/clippy.toml differs");
    }
}

#[test]
fn the_pure_crates_promise_the_same_oldest_compiler() {
    let promised = |name: &str| {
        text(&format!("{name}/Cargo.toml")).lines().find(|l| l.starts_with("rust-version")).map(str::to_owned)
    };
    for name in PURE_CRATES {
        assert_eq!(promised(name), promised("protocol"), "{name}");
    }
}

#[test]
fn the_pure_crates_forbid_unsafe_code() {
    for name in PURE_CRATES {
        assert!(text(&format!("{name}/src/lib.rs")).contains("#![forbid(unsafe_code)]"), "{name}");
    }
}

#[test]
fn the_readme_has_exactly_two_commands_after_the_clone() {
    let readme = text("README.md");
    let commands: Vec<&str> = readme.lines().filter(|line| line.starts_with("    cargo ")).collect();
    assert_eq!(commands.len(), 2, "{commands:?}");
    assert!(commands[0].starts_with("    cargo xtask up"));
    assert!(commands[1].starts_with("    cargo xtask test"));
}

#[test]
fn continuous_integration_runs_what_a_developer_runs() {
    assert!(text(".ci/run").lines().any(|line| line == "exec cargo xtask test"));
}
