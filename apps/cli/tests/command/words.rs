//! Help, usage and languages.

use crate::place::{Place, poterne, run};

#[test]
fn help_names_every_command_and_shows_examples() {
    let ran = run(poterne().arg("--help"));
    assert_eq!(ran.code, 0);
    for name in [
        "ask", "claim", "close", "desk", "inbox", "queue", "read", "release", "reply", "say", "shell",
        "status", "wipe",
    ] {
        assert!(ran.out.lines().any(|line| line.trim_start().starts_with(&format!("{name} "))), "{name}");
    }
    assert!(ran.out.contains("poterne say < letter.txt"));
}

#[test]
fn the_version_is_that_of_the_build() {
    let ran = run(poterne().arg("--version"));
    assert_eq!((ran.code, ran.out), (0, format!("poterne {}\n", env!("CARGO_PKG_VERSION"))));
}

#[test]
fn sizes_for_tests_are_not_in_the_help() {
    assert!(!run(poterne().arg("--help")).out.contains("vault-size"));
}

#[test]
fn words_that_are_not_understood_end_with_2() {
    for words in
        [&["fly"][..], &[], &["ask"], &["reply"], &["queue", "--fast"], &["desk", "create", "--name", "x"]]
    {
        assert_eq!(run(poterne().args(words)).code, 2, "{words:?}");
    }
}

#[test]
fn usage_errors_are_json_too() {
    let place = Place::new();
    for words in [&["fly", "--json"][..], &["--json", "ask"], &["status", "--json", "--lang", "xx"]] {
        let ran = place.run("home", words);
        assert_eq!((ran.code, ran.error_code().as_str()), (2, "usage"), "{words:?}");
    }
}

#[test]
fn errors_for_people_are_in_their_language_and_codes_are_not() {
    let place = Place::new();
    let say = |words: &[&str]| place.run("nowhere", words);
    assert!(say(&["say", "x", "--lang", "ru"]).err.starts_with("В "));
    assert!(say(&["say", "x", "--lang", "uk"]).err.starts_with("У "));
    assert!(say(&["say", "x", "--lang", "fr"]).err.starts_with("Il n'y a encore rien"));
    assert!(say(&["say", "x"]).err.starts_with("There is nothing"));
    assert_eq!(say(&["say", "x", "--lang", "ru", "--json"]).error_code(), "home_missing");
}

#[test]
fn the_locale_chooses_the_language() {
    let place = Place::new();
    let mut command = place.command("nowhere");
    assert!(run(command.env("LC_ALL", "uk_UA.UTF-8").args(["say", "x"])).err.starts_with("У "));
}

#[test]
fn the_home_may_come_from_the_environment() {
    let place = Place::new();
    let mut command = poterne();
    command.env("POTERNE_HOME", place.path("home")).arg("--passphrase-file").arg(place.path("right"));
    assert_eq!(run(command.args(["status", "--json"])).code, 0);
    assert!(place.path("home/vault").exists());
}

#[test]
fn without_a_named_home_it_is_in_the_users_data() {
    let place = Place::new();
    let mut command = poterne();
    command.env("HOME", place.path("me")).arg("--passphrase-file").arg(place.path("right"));
    assert_eq!(run(command.args(["status", "--json"])).code, 0);
    assert!(place.path("me/.local/share/poterne/vault").exists());
}

#[test]
fn a_spoilt_card_is_refused_before_anything_is_sent() {
    let place = Place::new();
    for card in ["poterne:AAAA", "hello", "", "poterne-relay://127.0.0.1:1#AAECAwQFBgcICQoLDA0ODw"] {
        let ran = place.run("home", &["ask", card, "x", "--json"]);
        assert_eq!((ran.code, ran.error_code().as_str()), (1, "card_invalid"), "{card}");
    }
}

#[test]
fn a_desk_wants_relays_with_whole_addresses() {
    let place = Place::new();
    let create =
        |name, relay| place.run("desk", &["desk", "create", "--name", name, "--relay", relay, "--json"]);
    assert_eq!(create("x", "127.0.0.1:4433").error_code(), "relay_invalid");
    assert_eq!(
        create(" ", "poterne-relay://127.0.0.1:1#AAECAwQFBgcICQoLDA0ODw").error_code(),
        "desk_name_invalid"
    );
    assert_eq!(place.run("desk", &["queue", "--json"]).error_code(), "home_no_desk");
}
