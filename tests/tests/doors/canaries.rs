//! Recognisable texts, passphrases, cards, keys and ids, through everything at the loudest level: none is found in a log,
//! an error, a command line, an environment, or in clear on a disk.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;

use base64ct::{Base64UrlUnpadded, Encoding as _};
use poterne_protocol::card::Card;
use poterne_protocol::envelope::SealedEnvelope;
use poterne_tests::doors::disk::{RelayDisk, files};
use poterne_tests::doors::home::Home;

use crate::stage::{Stage, text};

/// What must not be found, by name.
struct Canaries(BTreeMap<String, Vec<Vec<u8>>>);

impl Canaries {
    fn new(stage: &Stage) -> Self {
        let mut canaries = Self(BTreeMap::new());
        for word in ["request", "answer", "message", "spoilt"] {
            canaries.text(word, &canary(word));
        }
        canaries.text("passphrase", "the passphrase of");
        canaries.text("card", &stage.card["poterne:".len()..]);
        canaries.text("card's tail", &stage.card[stage.card.len() - 40..]);
        let card = Card::parse(&stage.card).expect("the card of a desk");
        canaries.bytes("card secret", card.secret().expose());
        canaries.bytes("desk id", &card.desk().0);
        canaries
    }

    fn text(&mut self, name: &str, text: &str) {
        self.0.insert(name.to_owned(), vec![text.as_bytes().to_vec()]);
    }

    /// As they are, in hexadecimal, in base64 and as numbers.
    fn bytes(&mut self, name: &str, bytes: &[u8]) {
        let hex: String = bytes[..8].iter().map(|byte| format!("{byte:02x}")).collect();
        let base64 = Base64UrlUnpadded::encode_string(&bytes[..12]);
        let standard = base64.replace('-', "+").replace('_', "/");
        let numbers: Vec<String> = bytes[..6].iter().map(u8::to_string).collect();
        let written = [hex.to_uppercase(), hex, base64, standard, numbers.join(", ")];
        let mut forms: Vec<Vec<u8>> = written.into_iter().map(String::into_bytes).collect();
        forms.push(bytes[..8].to_vec());
        self.0.insert(name.to_owned(), forms);
    }

    /// What stands on the relay's disk by rights: ids of mailboxes and of envelopes.
    fn add_ids(&mut self, disk: &RelayDisk) {
        for (number, owner) in disk.owners.iter().enumerate() {
            self.bytes(&format!("mailbox {number}"), owner);
        }
        for (number, envelope) in disk.envelopes.iter().enumerate() {
            let envelope = SealedEnvelope::parse(envelope).expect("4096 bytes");
            self.bytes(&format!("envelope id {number}"), &envelope.id().0);
        }
    }

    fn absent_from(&self, place: &str, bytes: &[u8]) {
        for (name, forms) in &self.0 {
            for form in forms {
                let is_there = bytes.windows(form.len()).any(|window| window == form);
                assert!(!is_there, "{name} is found in {place}");
            }
        }
    }

    fn absent_below(&self, folder: &Path) {
        for path in files(folder) {
            self.absent_from(&path.display().to_string(), &fs::read(&path).expect("a file can be read"));
        }
    }
}

fn canary(word: &str) -> String {
    format!("КАНАРЕЙКА-{word}-7f3a")
}

/// One whole conversation; what the processes wrote to stderr.
fn talk(stage: &Stage, home: &Home) -> String {
    let mut errors = String::new();
    let mut run = |home: &Home, words: &[&str]| {
        let output =
            home.command().args(words).env("RUST_LOG", "trace").env("RUST_BACKTRACE", "full").output();
        let output = output.expect("poterne runs");
        errors.push_str(&String::from_utf8_lossy(&output.stderr));
        serde_json::from_slice::<serde_json::Value>(&output.stdout).unwrap_or_default()
    };
    run(home, &["ask", &stage.card, &canary("request")]);
    let case = text(&run(&stage.desk, &["claim"])["case"]);
    run(&stage.desk, &["reply", &case, &canary("answer")]);
    run(home, &["inbox"]);
    run(home, &["say", &canary("message")]);
    assert_eq!(run(&stage.desk, &["read", &case])["messages"].as_array().map(Vec::len), Some(3));
    errors
}

#[test]
fn no_log_and_no_disk_holds_a_canary() {
    let mut stage = Stage::new();
    let home = stage.home("one");
    let mut canaries = Canaries::new(&stage);
    let errors = talk(&stage, &home);
    stage.relay.kill();
    canaries.absent_below(stage.relay.folder());
    canaries.absent_below(home.folder());
    canaries.absent_below(stage.desk.folder());
    canaries.add_ids(&RelayDisk::read(stage.relay.folder()));
    canaries.absent_below(home.folder());
    let port = stage.relay.port().to_string();
    let log = stage.relay.log();
    assert!(log.contains("TRACE") || log.contains("DEBUG") || log.contains("INFO"), "{log}");
    for (place, text) in [("the relay's log", &log), ("stderr", &errors)] {
        canaries.absent_from(place, text.as_bytes());
        assert!(!text.contains("127.0.0.1") && !text.contains(&format!(":{port}")), "{text}");
    }
}

#[test]
fn no_error_quotes_what_was_written() {
    let stage = Stage::new();
    let home = stage.asker("one", "request");
    let (spoilt, canaries) = (canary("spoilt"), Canaries::new(&stage));
    let case = "0011223344556677";
    let card = format!("{}{spoilt}", stage.card);
    let attempts: [&[&str]; 12] = [
        &["ask", &card, &spoilt],
        &["ask", &stage.card, "two", &spoilt],
        &["ask", &stage.card, &spoilt, "--language", &spoilt],
        &["say", "two", &spoilt],
        &["say", &spoilt, "--to", case],
        &["say", "--to", &spoilt, &spoilt],
        &[&spoilt],
        &["inbox", &spoilt],
        &["reply", case, &spoilt],
        &["claim", &spoilt],
        &["desk", "create", "--name", "x", "--relay", &spoilt],
        &["status", &stage.card],
    ];
    for words in attempts {
        for home in [&home, &stage.desk] {
            let json =
                home.command().args(words).env("RUST_BACKTRACE", "full").output().expect("poterne runs");
            canaries.absent_from(&format!("the error of {}", words[0]), &json.stderr);
            let told = home.people(words);
            canaries.absent_from(&format!("what people read of {}", words[0]), told.err.as_bytes());
        }
    }
    // It has the home for itself as long as it runs.
    let mut shell = home.shell();
    for words in attempts {
        canaries.absent_from("an answer of the shell", shell.run(words).to_string().as_bytes());
    }
    let quoted = shell.line(&format!("say '{spoilt}"));
    canaries.absent_from("an answer of the shell", quoted.to_string().as_bytes());
}

#[test]
fn nothing_of_a_shell_stands_where_other_processes_look() {
    let stage = Stage::new();
    let home = stage.home("one");
    let canaries = Canaries::new(&stage);
    let mut shell = home.shell();
    assert_eq!(shell.run(&["ask", &stage.card, &canary("request")])["state"], "stored");
    for id in [shell.process_id(), stage.relay.process_id()] {
        for name in ["cmdline", "environ", "comm", "maps"] {
            let path = format!("/proc/{id}/{name}");
            canaries.absent_from(&path, &fs::read(&path).expect("root reads all of /proc"));
        }
        assert!(fs::read_dir(format!("/proc/{id}/task")).is_ok());
    }
}

#[test]
fn a_failed_write_of_an_answer_quotes_nothing() {
    let stage = Stage::new();
    let home = stage.asker("one", &canary("request"));
    let canaries = Canaries::new(&stage);
    let full = fs::OpenOptions::new().write(true).open("/dev/full").expect("Linux has /dev/full");
    let mut command = home.command();
    let output = command.arg("inbox").stdout(full).output().expect("poterne runs");
    assert_eq!(output.status.code(), Some(1));
    assert!(String::from_utf8_lossy(&output.stderr).contains("output_failed"));
    canaries.absent_from("the error", &output.stderr);
}
