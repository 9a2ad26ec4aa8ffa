//! What the program says to people, word for word.

mod fixture;

use std::net::UdpSocket;
use std::os::unix::fs::PermissionsExt as _;

use fixture::{Home, output, stderr, stdout};

#[test]
fn the_version_is_told() {
    assert_eq!(stdout(&output(&["--version"])), concat!("poterne-relay ", env!("CARGO_PKG_VERSION"), "\n"));
}

#[test]
fn wrong_words_are_a_usage_error() {
    assert_eq!(output(&["dance"]).status.code(), Some(2));
    assert_eq!(output(&["init", "--dir", "x"]).status.code(), Some(2));
}

#[test]
fn a_relay_is_not_made_twice() {
    let home = Home::make();
    let dir = home.path().to_str().unwrap();
    let again = output(&["init", "--dir", dir, "--listen", "127.0.0.1:4433", "--json"]);
    assert_eq!(again.status.code(), Some(1));
    assert_eq!(stderr(&again), format!("{dir} holds a relay already. Run it, or choose another folder.\n"));
}

#[test]
fn a_relay_on_all_addresses_asks_for_its_name() {
    let dir = tempfile::tempdir().unwrap();
    let dir = dir.path().join("r");
    let made = output(&["init", "--dir", dir.to_str().unwrap(), "--listen", "[::]:4433"]);
    assert_eq!(
        stderr(&made),
        "A relay on all addresses needs the name that clients dial. Give it with --public HOST:PORT.\n"
    );
}

#[test]
fn a_missing_config_is_told_with_the_way_out() {
    let run = output(&["run", "--config", "/no/such/relay.toml"]);
    assert_eq!(run.status.code(), Some(1));
    assert_eq!(
        stderr(&run),
        "The config /no/such/relay.toml can't be read (No such file or directory (os error 2)). \
         Make one with `poterne-relay init`.\n"
    );
}

#[test]
fn an_unknown_setting_is_refused_by_name() {
    let home = Home::make();
    std::fs::write(home.config(), "qouta = 3\n").unwrap();
    let check = output(&["config", "check", "--config", home.config().to_str().unwrap()]);
    assert_eq!(check.status.code(), Some(1));
    assert!(stderr(&check).contains("qouta"), "{}", stderr(&check));
}

#[test]
fn an_unknown_setting_in_the_environment_is_refused_too() {
    let home = Home::make();
    let config = home.config();
    let mut check = fixture::program(&["config", "check", "--config", config.to_str().unwrap()]);
    let check = check.env("POTERNE_RELAY_QOUTA", "3").output().unwrap();
    assert_eq!(check.status.code(), Some(1));
    assert!(stderr(&check).contains("qouta"), "{}", stderr(&check));
}

#[test]
fn a_taken_port_is_told_with_the_way_out() {
    let home = Home::make();
    let _taken = UdpSocket::bind(home.at()).unwrap();
    let at = home.at();
    let said = home.refused_run();
    let last = said.lines().last().unwrap();
    assert_eq!(last, format!("The address {at} is taken. End what uses it, or set listen to another port."));
}

#[test]
fn a_second_relay_on_the_same_folder_is_refused() {
    let home = Home::make();
    let _relay = home.start();
    let said = home.refused_run();
    let data = home.path().join("data");
    let expected = format!(
        "Another relay already works in {}. End it first, or give this one a data_dir of its own.",
        data.display()
    );
    assert_eq!(said.lines().last(), Some(expected.as_str()));
}

#[test]
fn an_identity_that_others_can_read_is_refused() {
    let home = Home::make();
    let key = home.path().join("identity.key");
    std::fs::set_permissions(&key, std::fs::Permissions::from_mode(0o644)).unwrap();
    let said = home.refused_run();
    let expected = format!(
        "The identity key {0} is open to other users of this machine. Run `chmod 600 {0}`.",
        key.display()
    );
    assert_eq!(said.lines().last(), Some(expected.as_str()));
}

#[test]
fn a_taken_metrics_port_is_a_warning() {
    let (first, second) = (Home::make(), Home::make());
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port().to_string();
    let mut command = first.run_command();
    command.env("POTERNE_RELAY_METRICS_PORT", &port);
    let mut relay = fixture::Running::start(command);
    // The warning is written beside the start: another relay's whole start is long enough for it.
    drop(second.start());
    relay.close_stdin();
    assert!(relay.wait().success());
    assert!(relay.log().contains("no metrics"));
}

#[test]
fn the_doctor_finds_a_fresh_relay_well() {
    let home = Home::make();
    let examined = output(&["doctor", "--json", "--config", home.config().to_str().unwrap()]);
    let findings: serde_json::Value = serde_json::from_slice(&examined.stdout).unwrap();
    assert!(examined.status.success(), "{findings:#}");
    assert!(
        findings.as_array().unwrap().iter().any(|one| one["check"] == "identity" && one["level"] == "ok")
    );
}

#[test]
fn the_doctor_finds_a_spoilt_identity() {
    let home = Home::make();
    std::fs::write(home.path().join("identity.key"), "spoilt").unwrap();
    let examined = output(&["doctor", "--config", home.config().to_str().unwrap()]);
    assert_eq!(examined.status.code(), Some(1));
    assert!(stdout(&examined).contains("PROBLEM  identity"), "{}", stdout(&examined));
}

#[test]
fn the_sample_is_a_config() {
    let home = Home::make();
    std::fs::write(home.config(), stdout(&output(&["config", "sample"]))).unwrap();
    let check = output(&["config", "check", "--config", home.config().to_str().unwrap()]);
    assert!(check.status.success(), "{}", stderr(&check));
}

#[test]
fn the_schema_is_json() {
    let schema: serde_json::Value = serde_json::from_slice(&output(&["config", "schema"]).stdout).unwrap();
    assert_eq!(schema["properties"]["listen"]["type"], "string");
}
