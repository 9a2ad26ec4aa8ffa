//! End to end with real processes: twenty people ask at once, one desk answers, the relay is killed in between.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};

use poterne_tests::doors::home::{Home, Shell};
use poterne_tests::doors::relay::Relay;
use serde_json::Value;

const REQUESTERS: usize = 20;
const TURNS: usize = 2;

#[test]
fn twenty_people_are_answered_exactly_once_and_in_order_though_the_relay_is_killed_five_times() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let relay = Arc::new(Mutex::new(Relay::start(&folder.path().join("relay"))));
    let address = relay.lock().unwrap().address().to_owned();
    let desk = Home::new(folder.path(), "desk");
    let card = text_of(&desk.run(&["desk", "create", "--name", "Hilfe", "--relay", &address])["card"]);

    // The vaults open one after another; then all ask at once.
    let mut people: Vec<Person> = (0..REQUESTERS).map(|number| Person::new(folder.path(), number)).collect();
    everybody(&mut people, |person| person.ask(&card));
    restart(&relay);
    let mut desk = desk.shell();
    let mut cases = claim_all(&mut desk, &people);
    restart(&relay);
    for turn in 0..TURNS {
        for (number, case) in &mut cases {
            case.reply(&mut desk, &format!("ответ {turn} для {number}"));
        }
        restart(&relay);
        everybody(&mut people, |person| person.say(&format!("merci, спасибі {turn} від {}", person.number)));
        for case in cases.values_mut() {
            case.read(&mut desk);
        }
    }
    restart(&relay);
    for person in &mut people {
        let case = cases.get_mut(&person.number).expect("everybody was claimed");
        person.judge(case, &mut desk);
    }
}

fn restart(relay: &Mutex<Relay>) {
    let mut relay = relay.lock().unwrap();
    relay.kill();
    relay.run();
}

fn everybody(people: &mut [Person], act: impl Fn(&mut Person) + Sync) {
    std::thread::scope(|scope| {
        for person in people {
            scope.spawn(|| act(person));
        }
    });
}

/// A requester: her shell, and what she has said and ought to have heard.
struct Person {
    number: usize,
    shell: Shell,
    request: String,
    said: Vec<String>,
}

impl Person {
    fn new(folder: &std::path::Path, number: usize) -> Self {
        let shell = Home::new(folder, &format!("person{number}")).shell();
        let request = request_of(number);
        Self { number, shell, said: vec![request.clone()], request }
    }

    fn ask(&mut self, card: &str) {
        let answer = self.shell.run(&["ask", card, &self.request]);
        assert!(["stored", "queued"].contains(&text_of(&answer["state"]).as_str()), "{answer}");
    }

    fn say(&mut self, text: &str) {
        let inbox = self.shell.run(&["inbox"]);
        assert_eq!(
            inbox["warnings"],
            Value::Array(Vec::new()),
            "a relay that was restarted is reached at once"
        );
        let answer = self.shell.run(&["say", text]);
        assert!(answer["error"].is_null(), "{answer}");
        self.said.push(text.to_owned());
    }

    /// What both sides hold must be the same conversation, each message once and in order.
    fn judge(&mut self, case: &mut Case, desk: &mut Shell) {
        let here = self.shell.run(&["inbox"]);
        let there = case.read(desk);
        let expected = expected(&self.said, &case.replied);
        assert_eq!(messages(&here), expected, "at person {}", self.number);
        assert_eq!(messages(&there), expected, "at the desk, case of person {}", self.number);
        for sent in here["sent"].as_array().expect("inbox tells what was sent") {
            assert!(["stored", "claimed", "answered"].contains(&text_of(&sent["state"]).as_str()), "{sent}");
        }
        assert_eq!(text_of(&here["sent"][0]["state"]), "answered");
    }
}

/// A case at the desk.
struct Case {
    id: String,
    replied: Vec<String>,
}

impl Case {
    fn reply(&mut self, desk: &mut Shell, text: &str) {
        let answer = desk.run(&["reply", &self.id, text]);
        assert!(answer["error"].is_null(), "{answer}");
        self.replied.push(text.to_owned());
    }

    fn read(&mut self, desk: &mut Shell) -> Value {
        desk.run(&["read", &self.id])
    }
}

fn claim_all(desk: &mut Shell, people: &[Person]) -> BTreeMap<usize, Case> {
    let queue = desk.run(&["queue"]);
    assert_eq!(queue.as_array().map(Vec::len), Some(REQUESTERS), "{queue}");
    let mut cases = BTreeMap::new();
    for _ in 0..REQUESTERS {
        let claimed = desk.run(&["claim"]);
        let text = text_of(&claimed["text"]);
        let person =
            people.iter().find(|person| person.request == text).expect("the whole text of a request");
        cases.insert(person.number, Case { id: text_of(&claimed["case"]), replied: Vec::new() });
    }
    assert_eq!(cases.len(), REQUESTERS);
    cases
}

/// Texts in three languages, from 1 byte to 20,000 characters.
fn request_of(number: usize) -> String {
    let length = [1, 17, 300, 1500, 1600, 4000, 9000, 20_000][number % 8];
    let words = ["Помогите мне уйти. ", "Допоможіть мені піти. ", "Aidez-moi à partir. "][number % 3];
    if length == 1 {
        return char::from(b'a' + u8::try_from(number).expect("twenty people")).to_string();
    }
    let mut text = format!("{number}: ");
    text.extend(words.chars().cycle().take(length - text.len()));
    text
}

/// Request, then the turns: the volunteer's reply, the requester's message.
fn expected(said: &[String], replied: &[String]) -> Vec<(String, String)> {
    let mut all = vec![("requester".to_owned(), said[0].clone())];
    for (reply, say) in replied.iter().zip(&said[1..]) {
        all.push(("volunteer".to_owned(), reply.clone()));
        all.push(("requester".to_owned(), say.clone()));
    }
    all
}

fn messages(answer: &Value) -> Vec<(String, String)> {
    let messages = answer["messages"].as_array().unwrap_or_else(|| panic!("no messages in {answer}"));
    messages.iter().map(|message| (text_of(&message["from"]), text_of(&message["text"]))).collect()
}

fn text_of(value: &Value) -> String {
    value.as_str().unwrap_or_default().to_owned()
}
