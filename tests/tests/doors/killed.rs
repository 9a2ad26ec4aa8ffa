//! A relay that is killed while commands are under way, at moments that a seed chooses: everything arrives once, in
//! order, and no receipt lies. And one that is ended as an operator ends it.

use std::time::Duration;

use poterne_tests::doors::home::Home;
use poterne_tests::doors::relay::Relay;
use rand_chacha::ChaCha20Rng;
use rand_core::{Rng, SeedableRng};
use serde_json::Value;

use crate::stage::{Stage, lines, text};

/// How late after a command's begin the relay is killed at most; a command takes about half of it.
const DELAY_MILLIS_MAX: u32 = 120;

/// Kills the relay of a stage at random moments.
struct Killer {
    rng: ChaCha20Rng,
}

impl Killer {
    fn new(seed: u64) -> Self {
        Self { rng: ChaCha20Rng::seed_from_u64(seed) }
    }

    /// Runs a command, kills the relay at some moment of it, and starts it again when the command has ended.
    fn during(&mut self, relay: &mut Relay, home: &Home, words: &[&str]) -> Option<Value> {
        let delay = Duration::from_millis(u64::from(self.rng.next_u32() % DELAY_MILLIS_MAX));
        let outcome = std::thread::scope(|scope| {
            let command = scope.spawn(|| home.try_run(words));
            std::thread::sleep(delay);
            relay.kill();
            relay.run();
            command.join().expect("no command panics")
        });
        match outcome {
            Ok(answer) => Some(answer),
            Err(failure) => {
                assert_eq!(failure.error(), "relay_unreachable", "{failure:?}");
                None
            }
        }
    }
}

fn seeds() -> impl Iterator<Item = u64> {
    0..3
}

#[test]
fn a_request_arrives_once() {
    let mut stage = Stage::new();
    let mut killer = Killer::new(1);
    let mut expected = Vec::new();
    for number in seeds() {
        let (home, request) = (stage.home(&format!("person{number}")), format!("request {number}"));
        let card = stage.card.clone();
        killer.during(&mut stage.relay, &home, &["ask", &card, &request]);
        assert_eq!(home.run(&["inbox"])["sent"][0]["state"], "stored");
        expected.push(request);
    }
    let queue = stage.desk.run(&["queue"]);
    let texts: Vec<String> = queue.as_array().unwrap().iter().map(|item| text(&item["text"])).collect();
    assert_eq!(texts, expected);
}

#[test]
fn a_claim_is_one_claim() {
    let mut stage = Stage::new();
    let mut killer = Killer::new(2);
    for number in seeds() {
        let home = stage.asker(&format!("person{number}"), &format!("request {number}"));
        let claimed = killer.during(&mut stage.relay, &stage.desk, &["claim"]);
        let claimed = claimed.unwrap_or_else(|| stage.desk.run(&["claim"]));
        assert_eq!(claimed["text"], format!("request {number}"));
        stage.desk.run(&["status"]);
        let case = text(&claimed["case"]);
        stage.desk.run(&["reply", &case, "answer"]);
        let inbox = home.run(&["inbox"]);
        assert_eq!(lines(&inbox), [format!("r: request {number}"), "v: answer".to_owned()]);
    }
}

#[test]
fn answers_and_messages_arrive_once_and_in_order() {
    let mut stage = Stage::new();
    let mut killer = Killer::new(3);
    let home = stage.asker("one", "request");
    let case = text(&stage.desk.run(&["claim"])["case"]);
    let mut expected = vec!["r: request".to_owned()];
    for turn in seeds() {
        let (reply, say) = (format!("answer {turn}"), format!("question {turn}"));
        killer.during(&mut stage.relay, &stage.desk, &["reply", &case, &reply]);
        stage.desk.run(&["status"]);
        let inbox = home.run(&["inbox"]);
        expected.push(format!("v: {reply}"));
        assert_eq!(lines(&inbox), expected);
        killer.during(&mut stage.relay, &home, &["say", &say]);
        home.run(&["status"]);
        expected.push(format!("r: {say}"));
        assert_eq!(stage.read(&case), expected);
    }
    let inbox = home.run(&["inbox"]);
    let states: Vec<String> =
        inbox["sent"].as_array().unwrap().iter().map(|sent| text(&sent["state"])).collect();
    assert_eq!(states, ["answered", "answered", "answered", "stored"]);
}

#[test]
fn what_is_fetched_while_the_relay_dies_is_shown_once() {
    let mut stage = Stage::new();
    let mut killer = Killer::new(4);
    let (home, case) = stage.talk("one");
    let mut expected = vec!["r: request".to_owned(), "v: answer".to_owned()];
    for turn in seeds() {
        home.run(&["say", &format!("question {turn}")]);
        expected.push(format!("r: question {turn}"));
        killer.during(&mut stage.relay, &stage.desk, &["read", &case]);
        assert_eq!(stage.read(&case), expected);
        stage.desk.run(&["reply", &case, &format!("answer {turn}")]);
        expected.push(format!("v: answer {turn}"));
        killer.during(&mut stage.relay, &home, &["inbox"]);
        assert_eq!(lines(&home.run(&["inbox"])), expected);
    }
}

#[test]
fn a_relay_that_is_ended_in_good_order_loses_nothing_of_what_it_took() {
    let mut stage = Stage::new();
    let people: Vec<Home> = (0..4).map(|number| stage.asker(&format!("person{number}"), "request")).collect();
    let said: Vec<(Home, Vec<String>)> = std::thread::scope(|scope| {
        let threads: Vec<_> = people.into_iter().map(|home| scope.spawn(move || talk_on(home))).collect();
        std::thread::sleep(Duration::from_millis(300));
        assert!(stage.relay.terminate().success());
        stage.relay.run();
        threads.into_iter().map(|thread| thread.join().expect("no command panics")).collect()
    });
    for (home, expected) in &said {
        let inbox = home.run(&["inbox"]);
        assert_eq!(lines(&inbox), *expected);
        assert!(inbox["sent"].as_array().unwrap().iter().all(|sent| sent["state"] == "stored"), "{inbox}");
    }
    stage.desk.run(&["queue"]);
    for (_, expected) in &said {
        let case = text(&stage.desk.run(&["claim"])["case"]);
        assert_eq!(stage.read(&case), *expected);
    }
}

/// Says one thing after another; what the home should hold in the end.
fn talk_on(home: Home) -> (Home, Vec<String>) {
    let mut expected = vec!["r: request".to_owned()];
    let mut shell = home.shell();
    for number in 0..12 {
        let answer = shell.run(&["say", &number.to_string()]);
        assert!(answer["error"].is_null(), "{answer}");
        expected.push(format!("r: {number}"));
    }
    assert!(shell.end().success());
    (home, expected)
}
