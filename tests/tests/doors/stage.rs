//! What most tests begin with: a relay, a desk at it, and people who have its card.

use poterne_tests::doors::home::Home;
use poterne_tests::doors::relay::Relay;
use serde_json::Value;
use tempfile::TempDir;

/// A folder with a relay that runs and a desk that is open.
pub struct Stage {
    pub folder: TempDir,
    pub relay: Relay,
    pub desk: Home,
    pub card: String,
}

impl Stage {
    pub fn new() -> Self {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let relay = Relay::start(&folder.path().join("relay"));
        let desk = Home::new(folder.path(), "desk");
        let card =
            text(&desk.run(&["desk", "create", "--name", "Hilfe", "--relay", relay.address()])["card"]);
        Self { folder, relay, desk, card }
    }

    /// A home that does not exist yet.
    pub fn home(&self, name: &str) -> Home {
        Home::new(self.folder.path(), name)
    }

    /// A requester who has asked.
    pub fn asker(&self, name: &str, request: &str) -> Home {
        let home = self.home(name);
        assert_eq!(home.run(&["ask", &self.card, request])["state"], "stored");
        home
    }

    /// A requester who has asked and was answered, and her case at the desk.
    pub fn talk(&self, name: &str) -> (Home, String) {
        let home = self.asker(name, "request");
        let case = text(&self.desk.run(&["claim"])["case"]);
        self.desk.run(&["reply", &case, "answer"]);
        home.run(&["inbox"]);
        (home, case)
    }

    /// The conversation as the desk sees it.
    pub fn read(&self, case: &str) -> Vec<String> {
        lines(&self.desk.run(&["read", case]))
    }
}

pub fn text(value: &Value) -> String {
    value.as_str().unwrap_or_default().to_owned()
}

/// The messages of `inbox` or `read`, each as `r: text` or `v: text`.
pub fn lines(answer: &Value) -> Vec<String> {
    let messages = answer["messages"].as_array().unwrap_or_else(|| panic!("no messages in {answer}"));
    let line = |message: &Value| format!("{}: {}", &text(&message["from"])[..1], text(&message["text"]));
    messages.iter().map(line).collect()
}

/// The names of an object's fields, sorted.
pub fn fields(answer: &Value) -> Vec<&str> {
    let object = answer.as_object().unwrap_or_else(|| panic!("{answer} is no object"));
    object.keys().map(String::as_str).collect()
}

/// The codes of the warnings of an answer.
pub fn warnings(answer: &Value) -> Vec<String> {
    answer["warnings"].as_array().into_iter().flatten().map(text).collect()
}
