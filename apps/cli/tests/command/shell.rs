//! Many commands, one opening.

use serde_json::Value;

use crate::place::{Place, feed};

fn answers(out: &str) -> Vec<Value> {
    out.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}

#[test]
fn each_line_has_one_answer_in_order() {
    let place = Place::new();
    let ran = place.run_with_input("home", &["shell"], "status\n\n[\"status\", \"--json\"]\nqueue\nstatus");
    let answers = answers(&ran.out);
    assert_eq!((ran.code, answers.len()), (0, 4));
    assert_eq!(answers[0]["role"], "requester");
    assert_eq!(answers[1]["role"], "requester");
    assert_eq!(answers[2]["error"]["code"], "home_no_desk");
    assert_eq!(answers[3]["role"], "requester");
}

#[test]
fn a_line_that_is_not_understood_ends_nothing() {
    let place = Place::new();
    let input = "fly\nsay 'open\n[1]\nsay\nwipe --yes\nshell\nstatus\n";
    let answers = answers(&place.run_with_input("home", &["shell", "--json"], input).out);
    let codes: Vec<_> = answers.iter().map(|answer| answer["error"]["code"].as_str()).collect();
    let usage = Some("usage");
    assert_eq!(codes, [usage, usage, usage, Some("text_empty"), usage, usage, None]);
}

#[test]
fn a_wrong_passphrase_ends_a_shell_at_once() {
    let place = Place::new();
    place.home("home");
    let mut command = place.command("home");
    command.arg("--json").arg("shell").arg("--passphrase-file").arg(place.path("wrong"));
    let ran = feed(&mut command, "status\n");
    assert_eq!((ran.code, ran.error_code().as_str()), (1, "passphrase_wrong"));
}
