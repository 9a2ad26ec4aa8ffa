//! `cargo xtask up`: a relay on loopback and a demo desk, in the foreground, until Ctrl-C.
//!
//! State lies in target/demo and is used again at the next start; `--fresh` begins anew. The relay lives no longer
//! than this process: it drains when its standard input closes, however we end.

mod relay;
mod state;

use std::path::Path;
use std::process::ExitCode;

use anyhow::Context as _;
use signal_hook::consts::{SIGHUP, SIGINT, SIGTERM};
use signal_hook::iterator::Signals;

use crate::command::{built_binary, cargo, command, output, run as run_command, target_dir};
use relay::Relay;
use state::Demo;

const DESK_NAME: &str = "Demo desk";

pub fn run(fresh: bool) -> anyhow::Result<ExitCode> {
    // From here on a Ctrl-C waits for us: a half-made demo is worse than a late end.
    let mut signals = Signals::new([SIGHUP, SIGINT, SIGTERM])?;
    println!("Building ...");
    run_command(&mut cargo(&["build", "--bins", "--quiet"]))?;
    let dir = target_dir().join("demo");
    if fresh {
        state::erase(&dir)?;
    }
    let mut demo = Demo::open(&dir)?;
    let mut relay = Relay::start(&dir, demo.port)
        .context("the demo's relay did not start; `cargo xtask up --fresh` begins anew")?;
    if demo.card.is_none() {
        demo.card = Some(make_desk(&dir, &demo.address)?);
        demo.save(&dir)?;
    }
    show(&dir, demo.card.as_deref().unwrap_or_default())?;
    relay::wait_for_end(&mut relay, &mut signals)?;
    relay.stop()?;
    Ok(ExitCode::SUCCESS)
}

/// Makes the desk at the running relay; gives its card.
fn make_desk(dir: &Path, address: &str) -> anyhow::Result<String> {
    let mut create = poterne(dir, "desk");
    create.args(["desk", "create", "--name", DESK_NAME, "--relay", address, "--json"]);
    let answer = output(&mut create).context("making the demo desk")?;
    let answer: serde_json::Value = serde_json::from_str(&answer).context("the answer of `desk create`")?;
    answer["card"].as_str().map(str::to_owned).context("`desk create` gave no card")
}

/// The `poterne` command on one of the demo's homes.
fn poterne(dir: &Path, home: &str) -> std::process::Command {
    let mut poterne = command::<&str>(&built_binary("poterne").to_string_lossy(), &[]);
    poterne.arg("--home").arg(dir.join(home)).arg("--passphrase-file").arg(dir.join(state::PASSPHRASE_FILE));
    poterne
}

fn show(dir: &Path, card: &str) -> anyhow::Result<()> {
    println!();
    run_command(poterne(dir, "desk").args(["desk", "card"])).context("showing the card")?;
    let [ask, answer] = lines_to_paste(dir, card);
    println!("\nAsk for help, in a second terminal:\n\n{ask}");
    println!("\nAnswer as a volunteer (queue, claim, reply CASE TEXT), in a third:\n\n{answer}");
    println!("\nCtrl-C ends the demo; the next start goes on with it, `cargo xtask up --fresh` begins anew.");
    Ok(())
}

fn lines_to_paste(dir: &Path, card: &str) -> [String; 2] {
    let line = |home: &str, rest: &str| {
        let program = built_binary("poterne");
        let (home, passphrase) = (dir.join(home), dir.join(state::PASSPHRASE_FILE));
        let words = [&program, &home, &passphrase].map(|path| quoted(&path.to_string_lossy()));
        format!("{} --home {} --passphrase-file {} {rest}", words[0], words[1], words[2])
    };
    let ask = format!("ask {} {}", quoted(card), quoted("I need help"));
    [line("requester", &ask), line("desk", "shell")]
}

/// One word for a POSIX shell.
fn quoted(word: &str) -> String {
    let plain = |c: char| c.is_ascii_alphanumeric() || "/._-:".contains(c);
    if !word.is_empty() && word.chars().all(plain) {
        return word.to_owned();
    }
    format!("'{}'", word.replace('\'', r"'\''"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_pasted_word_survives_the_shell() {
        for word in ["/plain/path", "two words", "it's", "", "$(rm)"] {
            let line = format!("printf %s {}", quoted(word));
            assert_eq!(output(&mut command("sh", &["-c", &line])).unwrap(), word);
        }
    }

    #[test]
    fn the_lines_to_paste_name_both_homes_and_the_card() {
        let [ask, answer] = lines_to_paste(Path::new("/demo"), "poterne:AbC");
        assert!(ask.ends_with(
            "--home /demo/requester --passphrase-file /demo/passphrase ask poterne:AbC 'I need help'"
        ));
        assert!(answer.ends_with("--home /demo/desk --passphrase-file /demo/passphrase shell"));
    }
}
