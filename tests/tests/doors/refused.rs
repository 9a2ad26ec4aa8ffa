//! Bad input at the doors: a clear error, nothing lost, nobody else disturbed.

use std::fs;
use std::net::{Ipv4Addr, SocketAddr};

use poterne_tests::doors::home::Home;
use poterne_tests::doors::relay::Relay;
use poterne_transport::raw;

use crate::stage::{Stage, lines, text, warnings};

fn refusal(home: &Home, words: &[&str]) -> String {
    let failure = home.try_run(words).expect_err("this is refused");
    assert_eq!(failure.code, 1, "{failure:?}");
    failure.error()
}

#[test]
fn another_relay_at_the_same_address_gets_nothing() {
    let mut stage = Stage::new();
    let home = stage.home("one");
    stage.relay.kill();
    let mut other = Relay::init(&stage.folder.path().join("impostor"), stage.relay.port());
    other.run();
    let asked = home.run(&["ask", &stage.card, "request"]);
    assert_eq!(asked["state"], "queued");
    assert_eq!(warnings(&asked), ["relay_wrong"]);
    assert_eq!(warnings(&stage.desk.run(&["status"])), ["relay_wrong"]);
    assert!(home.people(&["inbox"]).out.contains("is not the relay"));
    other.kill();
    stage.relay.run();
    assert_eq!(home.run(&["inbox"])["sent"][0]["state"], "stored");
    assert_eq!(stage.desk.run(&["claim"])["text"], "request");
}

#[test]
fn a_card_with_a_wrong_letter_or_cut_short_is_refused_before_anything_is_kept() {
    let stage = Stage::new();
    let home = stage.home("one");
    let mut shell = home.shell();
    let mut refused = |card: &str| {
        let code = text(&shell.run(&["ask", card, "request"])["error"]["code"]);
        assert!(["card_invalid", "card_newer"].contains(&code.as_str()), "{code} for {card}");
    };
    for place in 0..stage.card.len() {
        let mut card = stage.card.clone().into_bytes();
        card[place] = if card[place] == b'A' { b'B' } else { b'A' };
        refused(std::str::from_utf8(&card).unwrap());
        refused(&stage.card[..place]);
    }
    refused(&format!("{}A", stage.card));
    refused(&stage.card.replace('-', "+").to_uppercase());
    assert_eq!(shell.run(&["status"])["conversations"].as_array().map(Vec::len), Some(0));
    drop(shell);
    // What people copy with it does no harm.
    assert_eq!(home.run(&["ask", &format!(" {}\n", stage.card), "request"])["state"], "stored");
}

#[test]
fn a_wrong_passphrase_opens_nothing_and_changes_nothing() {
    let stage = Stage::new();
    let home = stage.asker("one", "request");
    let before = fs::read(home.folder().join("vault")).unwrap();
    let right = fs::read(home.passphrase_file()).unwrap();
    fs::write(home.passphrase_file(), "the passphrase of somebody else\n").unwrap();
    assert_eq!(refusal(&home, &["inbox"]), "passphrase_wrong");
    assert!(fs::read(home.folder().join("vault")).unwrap() == before);
    fs::write(home.passphrase_file(), right).unwrap();
    assert_eq!(lines(&home.run(&["inbox"])), ["r: request"]);
}

#[test]
fn a_damaged_vault_is_an_error_and_nothing_is_sent_from_it() {
    let stage = Stage::new();
    let home = stage.asker("one", "request");
    let path = home.folder().join("vault");
    let sound = fs::read(&path).unwrap();
    let cut: [&[u8]; 4] = [b"", b"P", &sound[..sound.len() / 2], &sound[..sound.len() - 1]];
    for bytes in cut {
        fs::write(&path, bytes).unwrap();
        let code = refusal(&home, &["inbox"]);
        assert!(["vault_damaged", "vault_unknown"].contains(&code.as_str()), "{code}");
        assert_eq!(fs::read(&path).unwrap(), bytes);
    }
    for place in [0, 8, 40, 100, 4096, sound.len() / 3, sound.len() / 2, sound.len() - 1] {
        let mut bytes = sound.clone();
        bytes[place..].iter_mut().take(64).for_each(|byte| *byte ^= 0x55);
        fs::write(&path, bytes).unwrap();
        // Elsewhere than in the header and in the slot in use there is nothing that anybody misses.
        match home.try_run(&["inbox"]) {
            Ok(inbox) => assert_eq!(lines(&inbox), ["r: request"], "at {place}"),
            Err(failure) => assert_eq!(failure.code, 1, "at {place}: {failure:?}"),
        }
    }
    fs::write(&path, &sound).unwrap();
    assert_eq!(lines(&home.run(&["inbox"])), ["r: request"]);
    let queue = stage.desk.run(&["queue"]);
    assert_eq!(queue.as_array().map(Vec::len), Some(1), "{queue}");
}

#[test]
fn a_relay_that_stands_still_in_the_middle_costs_patience_and_nothing_else() {
    let stage = Stage::new();
    let (home, case) = stage.talk("one");
    let mut shell = home.shell();
    assert_eq!(shell.run(&["say", "before"])["state"], "stored");
    stage.relay.pause();
    let during = shell.run(&["say", "during"]);
    stage.relay.resume();
    assert_eq!((text(&during["state"]), warnings(&during)), ("queued".into(), vec!["unreached".into()]));
    let after = shell.run(&["say", "after"]);
    assert_eq!(after["state"], "stored", "{after}");
    assert_eq!(stage.read(&case), ["r: request", "v: answer", "r: before", "r: during", "r: after"]);
}

#[test]
fn of_two_commands_on_one_home_one_waits_its_turn() {
    let stage = Stage::new();
    let home = stage.asker("one", "request");
    let words = ["0", "1", "2", "3"];
    let said: Vec<_> = std::thread::scope(|scope| {
        let home = &home;
        let threads = words.map(|word| scope.spawn(move || (word, home.try_run(&["say", word]))));
        threads.into_iter().map(|thread| thread.join().unwrap()).collect()
    });
    let mut expected = vec!["r: request".to_owned()];
    for (word, outcome) in said {
        match outcome {
            Ok(_) => expected.push(format!("r: {word}")),
            Err(failure) => assert_eq!(failure.error(), "home_in_use"),
        }
    }
    let mut shown = lines(&home.run(&["inbox"]));
    expected[1..].sort();
    shown[1..].sort();
    assert_eq!(shown, expected);
}

#[test]
fn a_config_that_is_wrong_is_told_by_name() {
    let folder = tempfile::tempdir().unwrap();
    let relay = Relay::init(&folder.path().join("relay"), 4433);
    let config = relay.folder().join("relay.toml");
    let right = fs::read_to_string(&config).unwrap();
    for (text, named) in [
        (format!("{right}\nlistne = \"127.0.0.1:1\"\n"), "listne"),
        (right.replace("listen = \"127.0.0.1", "listen = \"nowhere"), "listen"),
        ("listen = ".to_owned(), "relay.toml"),
        ("\u{0}\u{1}\u{2}".to_owned(), "relay.toml"),
    ] {
        fs::write(&config, text).unwrap();
        let said = relay.refusal();
        assert!(said.contains(named), "{named} in {said}");
    }
    fs::write(&config, b"\xff\xfe").unwrap();
    assert!(relay.refusal().contains("relay.toml"));
    fs::remove_file(&config).unwrap();
    assert!(relay.refusal().contains("relay.toml"));
}

#[test]
fn a_taken_port_and_a_taken_folder_are_told() {
    let stage = Stage::new();
    let same_port = Relay::init(&stage.folder.path().join("other"), stage.relay.port());
    assert!(same_port.refusal().contains("is taken"));
    let said = stage.relay.refusal();
    assert!(said.contains("Another relay already works in"), "{said}");
    assert_eq!(stage.asker("one", "request").run(&["inbox"])["sent"][0]["state"], "stored");
}

#[test]
fn garbage_and_huge_frames_disturb_nobody_else() {
    let stage = Stage::new();
    let (home, case) = stage.talk("one");
    let at = SocketAddr::from((Ipv4Addr::LOCALHOST, stage.relay.port()));
    let runtime = tokio::runtime::Runtime::new().unwrap();
    let noise = runtime.spawn(async move {
        for round in 0..4u8 {
            for frame in frames(round) {
                let (_endpoint, connection) = raw::connect(at).await.expect("the relay takes connections");
                let (mut send, mut receive) = connection.open_bi().await.unwrap();
                // The relay may end stream or connection at any byte.
                if send.write_all(&frame).await.is_ok() {
                    send.finish().ok();
                }
                let mut answer = [0; 4096];
                while let Ok(Some(_)) = receive.read(&mut answer).await {}
            }
        }
    });
    for turn in 0..5 {
        assert_eq!(home.run(&["say", &format!("question {turn}")])["state"], "stored");
        assert_eq!(stage.desk.run(&["reply", &case, &format!("answer {turn}")])["state"], "stored");
        home.run(&["inbox"]);
    }
    runtime.block_on(noise).unwrap();
    assert_eq!(stage.read(&case).len(), 12);
    assert!(!stage.relay.log().contains("panic"), "{}", stage.relay.log());
}

/// Garbage, lengths beyond all bounds, unknown types, and a channel that is none.
fn frames(round: u8) -> Vec<Vec<u8>> {
    let header = |kind: u8, len: u32| [&[kind][..], &len.to_le_bytes()[..3]].concat();
    let with = |kind: u8, len: u32, body: usize| [header(kind, len), vec![round; body]].concat();
    vec![
        vec![round; 64],
        vec![0xff; 4096],
        header(1, 0xff_ffff),
        with(3, 0xff_ffff, 100_000),
        with(3, 1300, 1300),
        with(4, 64, 64),
        with(5, 100, 100),
        with(9, 1, 1),
        [header(1, 0), header(1, 0), header(1, 0), header(1, 0), header(1, 0), header(1, 0)].concat(),
        Vec::new(),
    ]
}
