//! Homes: making, locking, opening with the wrong passphrase, wiping.

use std::fs;
use std::io::{BufRead as _, BufReader, Write as _};
use std::os::unix::fs::PermissionsExt as _;
use std::process::Stdio;

use crate::place::{Place, files, poterne, run};

#[test]
fn a_home_is_made_on_first_use_and_is_its_owners_alone() {
    let place = Place::new();
    let status = place.run("home", &["status", "--json"]).json();
    assert_eq!(status["role"], "requester");
    let mode = |name: &str| fs::metadata(place.path(name)).unwrap().permissions().mode() & 0o777;
    assert_eq!(mode("home"), 0o700);
    for (path, _) in files(&place.path("home")) {
        assert_eq!(fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600, "{}", path.display());
    }
}

#[test]
fn what_needs_something_in_a_home_makes_none() {
    let place = Place::new();
    for words in
        [&["say", "x"][..], &["queue"], &["claim"], &["read", "x"], &["desk", "card"], &["wipe", "--yes"]]
    {
        assert_eq!(
            place.run("home", &[words, &["--json"]].concat()).error_code(),
            "home_missing",
            "{words:?}"
        );
    }
    assert!(!place.path("home").exists());
}

#[test]
fn a_wrong_passphrase_is_told_and_changes_nothing() {
    let place = Place::new();
    let home = place.home("home");
    let before = files(&home);
    let mut command = poterne();
    command.arg("--home").arg(&home).arg("--passphrase-file").arg(place.path("wrong"));
    let ran = run(command.args(["inbox", "--json"]));
    assert_eq!((ran.code, ran.error_code().as_str()), (1, "passphrase_wrong"));
    assert!(!ran.err.contains("wrong words"));
    assert!(files(&home) == before);
}

#[test]
fn without_a_passphrase_or_a_terminal_it_says_so() {
    let place = Place::new();
    let mut command = std::process::Command::new("setsid");
    command
        .args(["--wait", env!("CARGO_BIN_EXE_poterne"), "status", "--json", "--home"])
        .arg(place.path("home"));
    command.stdin(Stdio::null());
    assert_eq!(run(&mut command).error_code(), "passphrase_missing");
}

#[test]
fn a_missing_passphrase_file_is_told() {
    let place = Place::new();
    let mut command = poterne();
    command.arg("--home").arg(place.path("home")).args([
        "--passphrase-file",
        "/no/such/file",
        "status",
        "--json",
    ]);
    assert_eq!(run(&mut command).error_code(), "passphrase_unreadable");
    assert!(!place.path("home/vault").exists());
}

#[test]
fn two_processes_exclude_each_other() {
    let place = Place::new();
    place.home("home");
    let mut shell = place.command("home");
    let mut shell = shell.arg("shell").stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().unwrap();
    let mut input = shell.stdin.take().unwrap();
    writeln!(input, "status").unwrap();
    let mut answer = String::new();
    BufReader::new(shell.stdout.take().unwrap()).read_line(&mut answer).unwrap();
    assert_eq!(place.run("home", &["status", "--json"]).error_code(), "home_in_use");
    drop(input);
    assert!(shell.wait().unwrap().success());
    assert_eq!(place.run("home", &["status"]).code, 0);
}

#[test]
fn two_homes_know_nothing_of_each_other() {
    let place = Place::new();
    place.home("one");
    let before = files(&place.path("one"));
    place.home("other");
    assert!(files(&place.path("one")) == before);
}

#[test]
fn wiping_wants_a_yes_and_leaves_nothing() {
    let place = Place::new();
    let home = place.home("home");
    let mut unasked = std::process::Command::new("setsid");
    unasked.args(["--wait", env!("CARGO_BIN_EXE_poterne"), "wipe", "--json", "--home"]).arg(&home);
    assert_eq!(run(unasked.stdin(Stdio::null())).error_code(), "wipe_unconfirmed");
    assert!(home.exists());
    assert_eq!(place.run("home", &["wipe", "--yes", "--json"]).json()["state"], "wiped");
    assert!(!home.exists());
}

#[test]
fn a_file_that_is_no_vault_is_left_alone() {
    let place = Place::new();
    fs::create_dir(place.path("home")).unwrap();
    let letter = "a letter ".repeat(1000);
    fs::write(place.path("home/vault"), &letter).unwrap();
    assert_eq!(place.run("home", &["inbox", "--json"]).error_code(), "vault_unknown");
    assert_eq!(fs::read_to_string(place.path("home/vault")).unwrap(), letter);
}

#[test]
fn what_a_requester_has_no_desk_gets() {
    let place = Place::new();
    place.home("home");
    for words in [&["queue"][..], &["desk", "card"], &["claim"], &["reply", "0011223344556677", "x"]] {
        assert_eq!(
            place.run("home", &[words, &["--json"]].concat()).error_code(),
            "home_no_desk",
            "{words:?}"
        );
    }
}
