//! The measuring processes: started by the table, they answer with one line of JSON.

use std::process::{Child, Command, Stdio};
use std::time::Duration;

use anyhow::{Context as _, bail, ensure};
use poterne_load::phase::{Load, Phase};
use serde_json::Value;

/// The longest that puts of one turn may take.
const PUTS_LIMIT: Duration = Duration::from_secs(600);

/// As many puts as fast as they are answered.
pub fn puts_phase(puts: u64) -> Phase {
    Phase { operations: Some(puts), ..Phase::new("puts", Load::Saturate, PUTS_LIMIT) }
}

/// Everything is fetched and deleted.
pub fn drain_phase() -> Phase {
    Phase::new("drain", Load::Drain, PUTS_LIMIT)
}

/// A word that must be a number.
pub fn number(word: &str) -> anyhow::Result<u64> {
    word.parse().with_context(|| format!("{word} is no number"))
}

/// The answer of this process.
pub fn tell(answer: &Value) {
    println!("{answer}");
}

/// Runs this program again with other words; gives its answer.
pub fn ask(words: &[&str]) -> anyhow::Result<Value> {
    let output = command(words)?.output().context("starting a measurement")?;
    ensure!(
        output.status.success(),
        "`{}` ended with {}: {}",
        words.join(" "),
        output.status,
        String::from_utf8_lossy(&output.stderr).trim()
    );
    let text = String::from_utf8(output.stdout)?;
    serde_json::from_str(&text).with_context(|| format!("the answer of `{}`", words.join(" ")))
}

/// Starts this program with other words, to be spoken with.
pub fn start(words: &[&str]) -> anyhow::Result<Child> {
    let mut command = command(words)?;
    command.stdin(Stdio::piped()).stdout(Stdio::piped());
    command.spawn().context("starting a measurement")
}

fn command(words: &[&str]) -> anyhow::Result<Command> {
    let mut command = Command::new(std::env::current_exe()?);
    command.args(words);
    Ok(command)
}

/// A number of an answer, by its path.
pub fn get(answer: &Value, path: &str) -> anyhow::Result<f64> {
    match answer.pointer(path).and_then(Value::as_f64) {
        Some(number) => Ok(number),
        None => bail!("an answer lacks {path}: {answer}"),
    }
}
