//! What scripts rely on: the shape of each answer, exit codes, error codes (docs/cli.md §3).

use std::time::{SystemTime, UNIX_EPOCH};

use serde_json::{Value, json};

use crate::stage::{Stage, fields, lines, text, warnings};

fn is_id(value: &Value) -> bool {
    let id = text(value);
    !id.is_empty() && id.chars().all(|letter| letter.is_ascii_alphanumeric())
}

fn now() -> u64 {
    SystemTime::now().duration_since(UNIX_EPOCH).expect("the clock is past 1970").as_secs()
}

#[test]
fn a_desk_answers_as_scripts_expect() {
    let stage = Stage::new();
    let card = stage.desk.run(&["desk", "card"]);
    assert_eq!(card, json!({"card": stage.card, "state": "open", "warnings": []}));
    assert!(stage.card.starts_with("poterne:") && stage.card.len() <= 320);
    assert_eq!(stage.desk.run(&["queue"]), json!([]));

    stage.asker("one", "Допоможіть");
    let queue = stage.desk.run(&["queue"]);
    assert_eq!(fields(&queue[0]), ["age_secs", "complete", "id", "language", "needs_newer", "text"]);
    assert!(is_id(&queue[0]["id"]) && queue[0]["age_secs"].is_u64());
    assert_eq!((&queue[0]["text"], &queue[0]["complete"]), (&json!("Допоможіть"), &json!(true)));

    let claimed = stage.desk.run(&["claim"]);
    assert_eq!(fields(&claimed), ["case", "secs_left", "text"]);
    assert!(is_id(&claimed["case"]) && claimed["text"] == "Допоможіть");
    let case = text(&claimed["case"]);
    let replied = stage.desk.run(&["reply", &case, "--hyphens are text"]);
    assert_eq!(replied, json!({"case": case, "state": "stored", "warnings": []}));
    let read = stage.desk.run(&["read", &case]);
    assert_eq!(fields(&read), ["case", "messages", "sent", "warnings"]);
    assert_eq!(fields(&read["messages"][0]), ["at", "from", "text"]);
    assert_eq!(read["sent"], json!([{"text": "--hyphens are text", "state": "stored"}]));
    let status = stage.desk.run(&["status"]);
    assert_eq!(status["cases"], json!([{"case": case, "standing": "open", "newest": "stored"}]));
    assert_eq!((&status["role"], &status["waiting"]), (&json!("desk"), &json!(0)));
    assert_eq!(status["relays"][0]["reached"], true);
    let closed = stage.desk.run(&["close", &case]);
    assert_eq!(closed, json!({"case": case, "state": "closed", "warnings": []}));
}

#[test]
fn a_requester_is_answered_as_scripts_expect() {
    let stage = Stage::new();
    let home = stage.home("one");
    let before = now();
    let asked = home.run(&["ask", &stage.card, "request"]);
    assert_eq!(fields(&asked), ["conversation", "state", "warnings"]);
    assert!(asked["state"] == "stored" && is_id(&asked["conversation"]));
    let sent = |state: &str| json!([{"text": "request", "state": state}]);
    assert_eq!(home.run(&["inbox"])["sent"], sent("stored"));
    let case = text(&stage.desk.run(&["claim"])["case"]);
    assert_eq!(home.run(&["inbox"])["sent"], sent("claimed"));
    stage.desk.run(&["reply", &case, "answer"]);
    let inbox = home.run(&["inbox"]);
    assert_eq!(fields(&inbox), ["conversation", "messages", "sent", "warnings"]);
    assert_eq!(inbox["sent"], sent("answered"));
    assert_eq!(lines(&inbox), ["r: request", "v: answer"]);
    assert!(inbox["messages"][1]["at"].as_u64().is_some_and(|at| (before..=now()).contains(&at)));
    let said = home.run(&["say", "thanks"]);
    assert_eq!((&said["state"], &said["conversation"]), (&json!("stored"), &asked["conversation"]));
    let status = home.run(&["status"]);
    let line = json!({"conversation": asked["conversation"], "standing": "open", "newest": "stored"});
    assert_eq!((&status["role"], &status["conversations"][0]), (&json!("requester"), &line));
}

#[test]
fn a_closed_conversation_says_so_and_goes_on_anew_on_demand() {
    let stage = Stage::new();
    let (home, case) = stage.talk("one");
    home.run(&["say", "before the end"]);
    stage.desk.run(&["close", &case]);
    let inbox = home.run(&["inbox"]);
    assert_eq!(warnings(&inbox), ["closed"]);
    let refused = home.try_run(&["say", "after the end"]).expect_err("the conversation is closed");
    assert_eq!((refused.code, refused.error().as_str()), (1, "conversation_closed"));
    let refused = stage.desk.try_run(&["reply", &case, "after the end"]).expect_err("the case is closed");
    assert_eq!((refused.code, refused.error().as_str()), (1, "case_closed"));
    assert_eq!(home.run(&["say", "--again", "anew"])["state"], "stored");
    assert_eq!(stage.desk.run(&["claim"])["text"], "anew");
}

#[test]
fn what_is_released_waits_again_and_can_be_claimed_by_its_id() {
    let stage = Stage::new();
    stage.asker("one", "first");
    stage.asker("two", "second");
    let first = stage.desk.run(&["claim"]);
    assert_eq!(first["text"], "first");
    let waiting = |count: usize| {
        let queue = stage.desk.run(&["queue"]);
        assert_eq!(queue.as_array().map(Vec::len), Some(count), "{queue}");
        queue
    };
    waiting(1);
    let released = stage.desk.run(&["release", &text(&first["case"])]);
    assert_eq!(released["state"], "released");
    let queue = waiting(2);
    let second = queue.as_array().unwrap().iter().find(|item| item["text"] == "second").expect("it waits");
    assert_eq!(stage.desk.run(&["claim", &text(&second["id"])])["text"], "second");
    assert_eq!(stage.desk.run(&["claim"])["text"], "first");
    let code = |words: &[&str]| stage.desk.try_run(words).expect_err("there is no such thing").error();
    assert_eq!(code(&["claim"]), "queue_empty");
    assert_eq!(code(&["claim", "0011223344556677"]), "request_unknown");
    assert_eq!(code(&["claim", "../../etc"]), "request_unknown");
    assert_eq!(code(&["read", "0011223344556677"]), "case_unknown");
    assert_eq!(code(&["reply", "0011223344556677", "x"]), "case_unknown");
}

#[test]
fn a_request_is_kept_while_the_relay_is_down_and_the_next_command_sends_it() {
    let mut stage = Stage::new();
    stage.relay.kill();
    let home = stage.home("one");
    let asked = home.run(&["ask", &stage.card, "request"]);
    assert_eq!((&asked["state"], warnings(&asked)), (&json!("queued"), vec!["unreached".to_owned()]));
    stage.relay.run();
    assert_eq!(home.run(&["inbox"])["sent"], json!([{"text": "request", "state": "stored"}]));
    let case = text(&stage.desk.run(&["claim"])["case"]);
    stage.relay.kill();
    assert_eq!(stage.desk.run(&["reply", &case, "answer"])["state"], "queued");
    stage.relay.run();
    stage.desk.run(&["status"]);
    assert_eq!(lines(&home.run(&["inbox"])), ["r: request", "v: answer"]);
    stage.relay.kill();
    assert_eq!(home.run(&["say", "thanks"])["state"], "queued");
    stage.relay.run();
    home.run(&["status"]);
    assert_eq!(stage.read(&case), ["r: request", "v: answer", "r: thanks"]);
}

#[test]
fn a_home_with_several_conversations_wants_to_know_which() {
    let stage = Stage::new();
    let home = stage.asker("one", "first");
    let first = text(&home.run(&["inbox"])["conversation"]);
    let second = text(&home.run(&["ask", &stage.card, "second"])["conversation"]);
    for words in [&["inbox"][..], &["say", "to whom?"]] {
        let refused = home.try_run(words).expect_err("two conversations");
        assert_eq!(refused.error(), "conversation_unnamed");
        assert!(refused.stderr.contains(&first) && refused.stderr.contains(&second));
    }
    home.run(&["say", "more", "--to", &second]);
    assert_eq!(lines(&home.run(&["inbox", "--to", &first])), ["r: first"]);
    assert_eq!(lines(&home.run(&["inbox", "--to", &second])), ["r: second", "r: more"]);
    let refused = home.try_run(&["inbox", "--to", "0011223344556677"]).expect_err("no such conversation");
    assert_eq!(refused.error(), "conversation_unknown");
    assert_eq!(home.run(&["status"])["conversations"].as_array().map(Vec::len), Some(2));
}

#[test]
fn a_shell_takes_json_arrays_and_quoted_words_and_outlives_errors() {
    let stage = Stage::new();
    let home = stage.home("one");
    let mut shell = home.shell();
    assert_eq!(shell.run(&["ask", &stage.card, "two\nlines and a \"quote\""])["state"], "stored");
    assert_eq!(shell.line("say 'it is '\\''so'\\''' ")["state"], "stored");
    assert_eq!(shell.line("say 'open")["error"]["code"], "usage");
    assert_eq!(shell.line("[\"say\", 1]")["error"]["code"], "usage");
    assert_eq!(shell.line("fly away")["error"]["code"], "usage");
    assert_eq!(shell.line("queue")["error"]["code"], "home_no_desk");
    let refused = home.try_run(&["status"]).expect_err("the shell has the home");
    assert_eq!(refused.error(), "home_in_use");
    assert_eq!(lines(&shell.line("inbox --json")), ["r: two\nlines and a \"quote\"", "r: it is 'so'"]);
    assert!(shell.end().success());
    assert_eq!(lines(&home.run(&["inbox"])).len(), 2);
}

#[test]
fn exit_codes_tell_done_failed_and_misunderstood() {
    let stage = Stage::new();
    let home = stage.home("one");
    let code = |words: &[&str]| {
        home.try_run(words).map_or_else(|failure| (failure.code, failure.error()), |_| (0, String::new()))
    };
    assert_eq!(code(&["ask", &stage.card, "request"]), (0, String::new()));
    assert_eq!(code(&["ask", "poterne:AAAA", "request"]), (1, "card_invalid".into()));
    assert_eq!(code(&["queue"]), (1, "home_no_desk".into()));
    assert_eq!(code(&["ask"]), (2, "usage".into()));
    assert_eq!(code(&["fly"]), (2, "usage".into()));
    assert_eq!(code(&["ask", &stage.card, "request", "--language", "klingon"]), (2, "usage".into()));
}

#[test]
fn what_is_wiped_is_gone() {
    let stage = Stage::new();
    let home = stage.asker("one", "request");
    assert_eq!(home.run(&["wipe", "--yes"]), json!({"state": "wiped"}));
    assert!(!home.folder().exists());
    let refused = home.try_run(&["say", "x"]).expect_err("nothing is there");
    assert_eq!(refused.error(), "home_missing");
    assert_eq!(stage.desk.run(&["claim"])["text"], "request", "what was sent is sent");
}

#[test]
fn people_read_their_language_and_scripts_the_same_codes_in_each() {
    let stage = Stage::new();
    let home = stage.asker("one", "request");
    let mut told = Vec::new();
    for language in ["en", "fr", "ru", "uk"] {
        told.push(home.people(&["--lang", language, "inbox"]).out);
        let refused = home.try_run(&["--lang", language, "inbox", "--to", "0011"]).expect_err("no such one");
        assert_eq!(refused.error(), "conversation_unknown");
        assert_eq!(home.run(&["--lang", language, "inbox"])["sent"][0]["state"], "stored");
    }
    assert!(told.iter().all(|text| text.contains("request")));
    told.sort();
    told.dedup();
    assert_eq!(told.len(), 4, "{told:?}");
}

#[test]
fn cover_goes_out_as_any_message_and_is_shown_to_nobody() {
    let stage = Stage::new();
    let home = stage.asker("one", "request");
    assert_eq!(home.try_run(&["cover"]).unwrap_err().error(), "cover_too_early");
    let case = text(&stage.desk.run(&["claim"])["case"]);
    stage.desk.run(&["reply", &case, "answer"]);
    home.run(&["inbox"]);
    home.run(&["say", "thank you"]);
    assert_eq!(home.run(&["cover"]), json!({"state": "stored", "warnings": []}));
    let texts = |shown: &Value| -> Vec<String> {
        shown["messages"].as_array().unwrap().iter().map(|message| text(&message["text"])).collect()
    };
    assert_eq!(texts(&stage.desk.run(&["read", &case])), ["request", "answer", "thank you"]);
    assert_eq!(stage.desk.run(&["cover", &case]), json!({"state": "stored", "warnings": []}));
    let inbox = home.run(&["inbox"]);
    assert_eq!(texts(&inbox), ["request", "answer", "thank you"]);
    assert_eq!(inbox["sent"][1]["state"], "stored");
}
