//! Photos end to end: they arrive without their metadata, exactly once, though relay and clients are killed in between.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::Duration;

use poterne_client_core::attachment::jpeg;
use poterne_tests::doors::home::Home;
use rand_chacha::ChaCha20Rng;
use rand_core::{Rng, SeedableRng};
use serde_json::Value;

use crate::photos;
use crate::stage::{Stage, lines, text};

/// How late after a command's begin somebody is killed at most: photos are decoded in the first part of it.
const DELAY_MILLIS_MAX: u32 = 900;
/// Commands after the last kill until everything must be through.
const LOOKS: usize = 5;

/// SIGKILLs of the relay, and as many of the client, for each thing that is sent or fetched.
fn kills() -> usize {
    std::env::var("POTERNE_PHOTO_KILLS").ok().and_then(|number| number.parse().ok()).unwrap_or(2)
}

/// Kills relays and clients at moments that a seed chooses.
struct Killer {
    rng: ChaCha20Rng,
}

impl Killer {
    fn wait(&mut self) {
        std::thread::sleep(Duration::from_millis(u64::from(self.rng.next_u32() % DELAY_MILLIS_MAX)));
    }

    /// Kills the command in the middle of what it does, then the relay in the middle of the next one.
    fn disturb(&mut self, stage: &mut Stage, home: &Home, words: impl Fn() -> Vec<String>) {
        for _ in 0..kills() {
            let mut command = home.command();
            command.args(words()).stdout(Stdio::null()).stderr(Stdio::null());
            let mut client = command.spawn().expect("poterne runs");
            self.wait();
            client.kill().expect("a child can be killed");
            client.wait().expect("a killed child ends");
            let mut command = home.command();
            command.args(words()).stdout(Stdio::null()).stderr(Stdio::null());
            let mut client = command.spawn().expect("poterne runs");
            self.wait();
            stage.relay.kill();
            stage.relay.run();
            client.wait().expect("a command ends by itself");
        }
    }
}

/// Whether a home's own texts hold this one: a person who was cut off looks before she gives a command again.
fn has_said(answer: &Value, said: &str) -> bool {
    answer["sent"].as_array().into_iter().flatten().any(|sent| sent["text"] == said)
}

/// Gives a command until it is kept, with kills, and looks until it is stored.
fn send(killer: &mut Killer, stage: &mut Stage, home: &Home, words: &[&str], look: &[&str], said: &str) {
    let owned = |words: &[&str]| words.iter().map(|word| (*word).to_owned()).collect::<Vec<String>>();
    let is_kept = || home.try_run(look).is_ok_and(|answer| has_said(&answer, said));
    killer.disturb(stage, home, || if is_kept() { owned(look) } else { owned(words) });
    if !is_kept() {
        home.run(words);
    }
    for _ in 0..LOOKS {
        let answer = home.run(look);
        let sent = answer["sent"].as_array().into_iter().flatten().find(|sent| sent["text"] == said);
        let sent = sent.unwrap_or_else(|| panic!("{said} is not in {answer}"));
        if sent["state"] != "queued" {
            assert_eq!(sent["attachments"][0]["state"], "stored", "{sent}");
            return;
        }
    }
    panic!("{said} was not stored");
}

/// Fetches with kills, and gives the files of the folder.
fn fetch(killer: &mut Killer, stage: &mut Stage, home: &Home, words: &[&str], folder: &Path) -> Vec<PathBuf> {
    let words: Vec<String> = words.iter().map(|word| (*word).to_owned()).collect();
    killer.disturb(stage, home, || words.clone());
    for _ in 0..LOOKS {
        home.run(&words);
    }
    let entries = std::fs::read_dir(folder).expect("--save made the folder");
    entries.map(|entry| entry.expect("it can be listed").path()).collect()
}

fn write(stage: &Stage, name: &str, bytes: &[u8]) -> String {
    let path = stage.folder.path().join(name);
    std::fs::write(&path, bytes).expect("the test folder takes files");
    path.display().to_string()
}

/// A photo as it should arrive.
fn assert_clean_photo(path: &Path) {
    let bytes = std::fs::read(path).expect("it was written");
    let size = jpeg::check(&bytes).unwrap_or_else(|error| panic!("{path:?}: {error}"));
    assert!(photos::is_clean(&bytes), "{path:?} still holds metadata");
    let decoded = image::load_from_memory(&bytes).expect("it is a picture");
    assert_eq!((decoded.width(), decoded.height()), (size.width.into(), size.height.into()));
}

#[test]
fn photos_arrive_once_and_without_metadata_though_relay_and_clients_are_killed() {
    let mut stage = Stage::new();
    let mut killer = Killer { rng: ChaCha20Rng::seed_from_u64(11) };
    let (home, desk, card) = (stage.home("one"), stage.desk.clone(), stage.card.clone());
    let (hers, his) = (stage.folder.path().join("hers"), stage.folder.path().join("his"));
    let (hers_name, his_name) = (hers.display().to_string(), his.display().to_string());
    let camera = write(&stage, "IMG_0001.JPG", &photos::camera_jpeg());
    let png = write(&stage, "scan.png", &photos::png());
    let webp = write(&stage, "form.webp", &photos::webp());

    let ask = ["ask", &card, "my papers", "--attach", &camera];
    send(&mut killer, &mut stage, &home, &ask, &["inbox"], "my papers");
    let case = text(&desk.run(&["claim"])["case"]);
    let read = ["read", case.as_str(), "--save", &his_name];
    assert_eq!(fetch(&mut killer, &mut stage, &desk, &read, &his).len(), 1);

    let reply = ["reply", case.as_str(), "our form", "--attach", &webp];
    send(&mut killer, &mut stage, &desk, &reply, &["read", &case], "our form");
    let inbox = ["inbox", "--save", hers_name.as_str()];
    let got = fetch(&mut killer, &mut stage, &home, &inbox, &hers);

    let say = ["say", "one more", "--attach", &png];
    send(&mut killer, &mut stage, &home, &say, &["inbox"], "one more");
    let all = fetch(&mut killer, &mut stage, &desk, &read, &his);

    assert_eq!((got.len(), all.len()), (1, 2));
    got.iter().chain(&all).for_each(|path| assert_clean_photo(path));
    let distinct: BTreeSet<Vec<u8>> = all.iter().map(|path| std::fs::read(path).unwrap()).collect();
    assert_eq!(distinct.len(), 2);
    let expected = ["r: my papers", "v: our form", "r: one more"];
    assert_eq!(lines(&home.run(&["inbox"])), expected);
    assert_eq!(lines(&desk.run(&["read", &case])), expected);
}

#[test]
fn a_photo_is_turned_and_made_small() {
    let stage = Stage::new();
    let camera = write(&stage, "IMG_0001.JPG", &photos::camera_jpeg());
    let home = stage.home("one");
    home.run(&["ask", &stage.card, "my papers", "--attach", &camera]);
    let case = text(&stage.desk.run(&["claim"])["case"]);
    let folder = stage.folder.path().join("his");
    let answer = stage.desk.run(&["read", &case, "--save", &folder.display().to_string()]);
    let saved = text(&answer["messages"][0]["attachments"][0]["saved"]);
    let bytes = std::fs::read(saved).unwrap();
    let size = jpeg::check(&bytes).unwrap();
    assert_eq!(size.width * 4, size.height * 3, "orientation 6: lying on its side");
    assert!(bytes.len() <= jpeg::PHOTO_BYTES);
}

#[test]
fn what_can_not_be_sent_is_refused_and_nothing_is_sent() {
    let stage = Stage::new();
    let home = stage.asker("one", "request");
    let camera = photos::camera_jpeg();
    let refused = [
        ("half.jpg", &camera[..camera.len() / 2], "photo_broken"),
        ("IMG_0001.HEIC", b"\0\0\0\x18ftypheic\0\0\0\0mif1heic".as_slice(), "photo_unknown"),
        ("IMG_0002.AVIF", b"\0\0\0\x1cftypavif\0\0\0\0avifmif1", "photo_unknown"),
        ("moving.gif", b"GIF89a\x01\0\x01\0", "photo_unknown"),
        ("broken.png", b"\x89PNG\r\n\x1a\nand no more", "photo_broken"),
        ("empty", b"", "file_empty"),
        ("large.bin", &[1; 1_048_577], "file_too_large"),
    ];
    for (name, bytes, code) in refused {
        let path = write(&stage, name, bytes);
        let failure = home.try_run(&["say", "with a file", "--attach", &path]).unwrap_err();
        assert_eq!((failure.error().as_str(), failure.code), (code, 1), "{name}");
    }
    for path in [stage.folder.path().to_owned(), stage.folder.path().join("absent")] {
        let failure =
            home.try_run(&["say", "with a file", "--attach", &path.display().to_string()]).unwrap_err();
        assert_eq!(failure.error(), "file_unreadable");
    }
    assert_eq!(lines(&home.run(&["inbox"])), ["r: request"]);
}

#[test]
fn a_file_that_is_no_photo_arrives_as_it_is() {
    let stage = Stage::new();
    let (home, case) = stage.talk("one");
    let content: Vec<u8> = (0..120_000u32).map(|place| (place % 251) as u8).collect();
    let path = write(&stage, "form.pdf", &content);
    assert_eq!(stage.desk.run(&["reply", &case, "a form", "--attach", &path])["state"], "stored");
    let folder = stage.folder.path().join("hers");
    let answer = home.run(&["inbox", "--save", &folder.display().to_string()]);
    let file = &answer["messages"][2]["attachments"][0];
    assert_eq!((&file["media_type"], &file["bytes"]), (&"application/pdf".into(), &120_000.into()));
    assert!(text(&file["saved"]).ends_with(".pdf"));
    assert_eq!(std::fs::read(text(&file["saved"])).unwrap(), content);
    let again = home.run(&["inbox", "--save", &folder.display().to_string()]);
    assert_eq!(again["messages"][2]["attachments"][0]["state"], "saved");
    assert_eq!(std::fs::read_dir(&folder).unwrap().count(), 1);
}
