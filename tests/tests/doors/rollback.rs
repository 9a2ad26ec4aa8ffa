//! Homes that are copied back to an older state (docs/spec/ratchet.md §7): nothing is sent under a used key, somebody
//! notices, and no message appears twice.

use crate::stage::{Stage, lines, text, warnings};
use poterne_tests::doors::home::Home;

/// Copies the home, lets it go on, and puts the copy in its place.
fn go_on_and_roll_back<T>(home: &Home, go_on: impl FnOnce(&Home) -> T) -> T {
    let copy = home.copy_to("an older state");
    let outcome = go_on(home);
    home.roll_back_to(&copy);
    outcome
}

fn refusal(home: &Home, words: &[&str]) -> String {
    home.try_run(words).expect_err("an older copy is refused").error()
}

#[test]
fn an_older_copy_that_asks_again_makes_a_request_of_its_own() {
    let stage = Stage::new();
    let home = stage.home("one");
    home.run(&["status"]);
    go_on_and_roll_back(&home, |home| home.run(&["ask", &stage.card, "by the newer"]));
    home.run(&["ask", &stage.card, "by the older"]);
    for request in ["by the newer", "by the older"] {
        let claimed = stage.desk.run(&["claim"]);
        assert_eq!(claimed["text"], request);
        stage.desk.run(&["reply", &text(&claimed["case"]), &format!("to what was asked {request}")]);
    }
    let inbox = home.run(&["inbox"]);
    assert_eq!(lines(&inbox), ["r: by the older", "v: to what was asked by the older"]);
}

#[test]
fn an_older_copy_that_says_more_before_an_answer_is_stopped() {
    let stage = Stage::new();
    let home = stage.asker("one", "request");
    go_on_and_roll_back(&home, |home| home.run(&["say", "by the newer"]));
    assert_eq!(refusal(&home, &["say", "by the older"]), "rollback");
    assert_eq!(warnings(&home.run(&["inbox"])), ["rollback"]);
    assert_eq!(stage.desk.run(&["claim"])["text"], "request");
    let case = text(&stage.desk.run(&["status"])["cases"][0]["case"]);
    assert_eq!(stage.read(&case), ["r: request", "r: by the newer"]);
}

#[test]
fn an_older_copy_with_a_text_that_waits_is_stopped() {
    let mut stage = Stage::new();
    let (home, case) = stage.talk("one");
    stage.relay.kill();
    home.run(&["say", "once"]);
    stage.relay.run();
    go_on_and_roll_back(&home, |home| home.run(&["inbox"]));
    assert_eq!(warnings(&home.run(&["inbox"])), ["rollback"]);
    assert_eq!(stage.read(&case), ["r: request", "v: answer", "r: once"]);
}

#[test]
fn an_older_copy_that_says_more_is_stopped_while_the_newer_ones_words_wait() {
    let stage = Stage::new();
    let (home, case) = stage.talk("one");
    go_on_and_roll_back(&home, |home| home.run(&["say", "by the newer"]));
    assert_eq!(refusal(&home, &["say", "by the older"]), "rollback");
    assert_eq!(stage.read(&case), ["r: request", "v: answer", "r: by the newer"]);
    let anew = home.run(&["say", "--again", "anew, as the same person"]);
    assert_eq!(anew["state"], "stored");
    let case = text(&stage.desk.run(&["claim"])["case"]);
    assert_eq!(stage.read(&case), ["r: anew, as the same person"], "what was refused was not kept");
}

#[test]
fn an_older_copy_that_says_more_is_a_fork_when_the_newer_ones_words_were_read() {
    let stage = Stage::new();
    let (home, case) = stage.talk("one");
    go_on_and_roll_back(&home, |home| {
        home.run(&["say", "by the newer"]);
        stage.read(&case);
    });
    home.run(&["say", "by the older"]);
    let read = stage.desk.run(&["read", &case]);
    assert_eq!(lines(&read), ["r: request", "v: answer", "r: by the newer"]);
    assert_eq!(warnings(&read), ["case_stopped"]);
    assert_eq!(refusal(&stage.desk, &["reply", &case, "x"]), "case_stopped");
}

#[test]
fn an_older_copy_of_before_an_answer_does_not_go_on() {
    let stage = Stage::new();
    let home = stage.asker("one", "request");
    let case = text(&stage.desk.run(&["claim"])["case"]);
    stage.desk.run(&["reply", &case, "answer"]);
    go_on_and_roll_back(&home, |home| {
        home.run(&["inbox"]);
        home.run(&["say", "by the newer"]);
    });
    // Nothing is left at the relay that this copy could know it from; the volunteer's device can.
    home.run(&["say", "by the older"]);
    assert_eq!(warnings(&stage.desk.run(&["read", &case])), ["case_stopped"]);
    assert_eq!(stage.read(&case).iter().filter(|line| *line == "r: by the newer").count(), 1);
}

#[test]
fn a_word_of_an_older_copy_is_noticed_after_the_newer_ones_were_read() {
    let stage = Stage::new();
    let home = stage.asker("one", "request");
    let case = text(&stage.desk.run(&["claim"])["case"]);
    stage.desk.run(&["reply", &case, "answer"]);
    go_on_and_roll_back(&home, |home| {
        home.run(&["inbox"]);
        home.run(&["say", "by the newer"]);
        stage.read(&case);
    });
    home.run(&["say", "by the older"]);
    let read = stage.desk.run(&["read", &case]);
    assert_eq!(warnings(&read), ["case_stopped"]);
}

#[test]
fn an_older_copy_that_only_looks_shows_nothing_twice() {
    let stage = Stage::new();
    let home = stage.asker("one", "request");
    let case = text(&stage.desk.run(&["claim"])["case"]);
    stage.desk.run(&["reply", &case, "first"]);
    go_on_and_roll_back(&home, |home| home.run(&["inbox"]));
    stage.desk.run(&["reply", &case, "second"]);
    let inbox = home.run(&["inbox"]);
    assert_eq!(lines(&inbox), ["r: request", "v: second"]);
    assert_eq!(warnings(&inbox), ["missing"]);
    home.run(&["say", "thanks"]);
    assert_eq!(stage.read(&case), ["r: request", "v: first", "v: second", "r: thanks"]);
}

#[test]
fn an_older_desk_reads_its_queue_again() {
    let stage = Stage::new();
    stage.asker("one", "request");
    let queue = go_on_and_roll_back(&stage.desk, |desk| desk.run(&["queue"]));
    let again = stage.desk.run(&["queue"]);
    assert_eq!((&again[0]["id"], again.as_array().map(Vec::len)), (&queue[0]["id"], Some(1)));
}

#[test]
fn an_older_desk_finds_its_own_lease_in_the_way() {
    let stage = Stage::new();
    let home = stage.asker("one", "request");
    let newer = go_on_and_roll_back(&stage.desk, |desk| desk.run(&["claim"]));
    assert_eq!(refusal(&stage.desk, &["claim"]), "queue_empty");
    assert_eq!(refusal(&stage.desk, &["claim", &text(&newer["case"])]), "request_taken");
    assert_eq!(lines(&home.run(&["inbox"])), ["r: request"]);
}

#[test]
fn an_older_desk_does_not_answer_a_request_twice() {
    let stage = Stage::new();
    let home = stage.asker("one", "request");
    let case = text(&stage.desk.run(&["claim"])["case"]);
    go_on_and_roll_back(&stage.desk, |desk| desk.run(&["reply", &case, "by the newer"]));
    assert_eq!(refusal(&stage.desk, &["reply", &case, "by the older"]), "request_taken");
    assert_eq!(lines(&home.run(&["inbox"])), ["r: request", "v: by the newer"]);
}

#[test]
fn an_older_desk_that_writes_on_is_a_fork() {
    let stage = Stage::new();
    let (home, case) = stage.talk("one");
    go_on_and_roll_back(&stage.desk, |desk| desk.run(&["reply", &case, "by the newer"]));
    // It can't read what lies in the answer box; the requester can.
    stage.desk.run(&["reply", &case, "by the older"]);
    let inbox = home.run(&["inbox"]);
    assert_eq!(lines(&inbox), ["r: request", "v: answer", "v: by the newer"]);
    assert_eq!(warnings(&inbox), ["fork"]);
    assert_eq!(refusal(&home, &["say", "thanks"]), "fork");
}

#[test]
fn an_older_desk_that_turns_again_is_stopped() {
    let stage = Stage::new();
    let (home, case) = stage.talk("one");
    home.run(&["say", "question"]);
    stage.read(&case);
    go_on_and_roll_back(&stage.desk, |desk| desk.run(&["reply", &case, "by the newer"]));
    assert_eq!(refusal(&stage.desk, &["reply", &case, "by the older"]), "case_stopped");
    let inbox = home.run(&["inbox"]);
    assert_eq!(lines(&inbox), ["r: request", "v: answer", "r: question", "v: by the newer"]);
}

#[test]
fn an_older_desk_of_before_a_message_is_a_fork() {
    let stage = Stage::new();
    let (home, case) = stage.talk("one");
    home.run(&["say", "question"]);
    go_on_and_roll_back(&stage.desk, |desk| {
        desk.run(&["read", &case]);
        desk.run(&["reply", &case, "by the newer"]);
    });
    stage.desk.run(&["reply", &case, "by the older"]);
    let inbox = home.run(&["inbox"]);
    assert_eq!(warnings(&inbox), ["fork"]);
    // Which of the two she has seen first is the relay's order; never both in one place.
    let answers = lines(&inbox).iter().filter(|line| line.starts_with("v: by")).count();
    assert_eq!(answers, 1, "{inbox}");
    assert_eq!(refusal(&home, &["say", "thanks"]), "fork");
}

#[test]
fn an_older_desk_that_only_reads_is_told_that_a_message_is_missing() {
    let stage = Stage::new();
    let (home, case) = stage.talk("one");
    home.run(&["say", "first"]);
    go_on_and_roll_back(&stage.desk, |desk| desk.run(&["read", &case]));
    home.run(&["say", "second"]);
    let read = stage.desk.run(&["read", &case]);
    assert_eq!(lines(&read), ["r: request", "v: answer", "r: second"]);
    assert_eq!(warnings(&read), ["missing"]);
    stage.desk.run(&["reply", &case, "please say it again"]);
    let inbox = home.run(&["inbox"]);
    assert_eq!(lines(&inbox)[4], "v: please say it again");
    assert!(warnings(&inbox).is_empty());
}

#[test]
fn an_older_desk_closes_once() {
    let stage = Stage::new();
    let (home, case) = stage.talk("one");
    home.run(&["say", "question"]);
    stage.read(&case);
    go_on_and_roll_back(&stage.desk, |desk| desk.run(&["close", &case]));
    assert_eq!(stage.desk.run(&["close", &case])["state"], "closed");
    let inbox = home.run(&["inbox"]);
    assert_eq!(lines(&inbox), ["r: request", "v: answer", "r: question"]);
    assert_eq!(warnings(&inbox), ["closed"]);
}
