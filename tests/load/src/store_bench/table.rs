//! The measurements in turns, and the table: ratios first.

use std::io::{BufRead as _, BufReader};
use std::path::Path;

use anyhow::Context as _;
use poterne_load::payload::PAYLOAD_BYTES;
use serde_json::Value;

use crate::children::{ask, get, start};
use crate::sizes::Sizes;

/// The first turn is larger by this part: what later turns leave behind, tombstones and little else, finds files too.
const FIRST_TURN_MORE: u64 = 4;
const PRODUCERS: [u64; 2] = [512, 64];

/// Measures everything and prints the table.
pub fn run() -> anyhow::Result<()> {
    let sizes = Sizes::from_environment()?;
    std::fs::create_dir_all(&sizes.dir).with_context(|| format!("making {}", sizes.dir.display()))?;
    let folder = tempfile::tempdir_in(&sizes.dir).context("making a folder for the measurements")?;
    let mut lines = Vec::new();
    for producers in PRODUCERS {
        let turns = Turns::measure(folder.path(), producers, &sizes)?;
        lines.extend(turns.lines()?);
    }
    lines.extend(pending(folder.path(), sizes.pending)?);
    println!("\n| what | store | limit | ratio or bound |\n|---|---|---|---|");
    lines.iter().for_each(|line| println!("{line}"));
    Ok(())
}

/// The answers of all turns with one number of producers.
struct Turns {
    producers: u64,
    append: Vec<Value>,
    prewritten: Vec<Value>,
    store: Vec<Value>,
}

impl Turns {
    fn measure(folder: &Path, producers: u64, sizes: &Sizes) -> anyhow::Result<Self> {
        let (store, limit) = (folder.join("store"), folder.join("limit"));
        let (store, limit) = (store.to_string_lossy().into_owned(), limit.to_string_lossy().into_owned());
        let (puts, together) = (sizes.turn.to_string(), producers.to_string());
        let fill = |puts: u64, number: usize| {
            ask(&["fill", &store, &puts.to_string(), &together, &number.to_string()])
        };
        eprintln!("{producers} producers: a first turn makes the files that the others use again");
        fill(sizes.turn + sizes.turn / FIRST_TURN_MORE, 0)?;
        let mut turns = Self { producers, append: Vec::new(), prewritten: Vec::new(), store: Vec::new() };
        let (mut put, mut secs) = (0, 0.0);
        while put < sizes.total || secs < sizes.secs as f64 {
            turns.append.push(ask(&["limit", &limit, &puts, &together, "append"])?);
            turns.prewritten.push(ask(&["limit", &limit, &puts, &together, "prewritten"])?);
            let filled = fill(sizes.turn, turns.store.len() + 1)?;
            put += sizes.turn;
            secs += get(&filled, "/puts/secs")?;
            turns.store.push(filled);
            turns.tell_progress()?;
        }
        std::fs::remove_dir_all(&store)?;
        Ok(turns)
    }

    fn tell_progress(&self) -> anyhow::Result<()> {
        let last = |answers: &[Value]| -> anyhow::Result<f64> {
            get(answers.last().context("no turn yet")?, "/puts/acknowledged_per_sec")
        };
        eprintln!(
            "{} producers, turn {}: store {:.0}/s, append {:.0}/s, prewritten {:.0}/s",
            self.producers,
            self.store.len(),
            last(&self.store)?,
            last(&self.append)?,
            last(&self.prewritten)?
        );
        Ok(())
    }

    fn lines(&self) -> anyhow::Result<Vec<String>> {
        let mut lines = Vec::new();
        let title = |what: &str| format!("{what}, {} producers", self.producers);
        let rate = "/puts/acknowledged_per_sec";
        let against = |path: &str, name: &str, limit: &[Value]| -> anyhow::Result<String> {
            let (store, limit) = (median(&self.store, path)?, median(limit, rate)?);
            let ratio = self.ratio(path, rate, name)?;
            Ok(format!("{store:.0}/s | {limit:.0}/s | **{ratio:.2}**"))
        };
        lines.push(format!(
            "| {} | {} |",
            title("acknowledged, against append"),
            against(rate, "append", &self.append)?
        ));
        lines.push(format!(
            "| {} | {} |",
            title("acknowledged, against prewritten files"),
            against(rate, "prewritten", &self.prewritten)?
        ));
        lines.push(format!(
            "| {} | {} |",
            title("index caught up, against append"),
            against("/drained_per_sec", "append", &self.append)?
        ));
        for (name, path) in [("p50", "p50"), ("p99", "p99"), ("p99.9", "p999")] {
            let path = format!("/puts/put_millis/{path}");
            let (store, limit) = (median(&self.store, &path)?, median(&self.append, &path)?);
            lines.push(format!(
                "| {} | {store:.1} ms | {limit:.1} ms | **{:.2}** |",
                title(name),
                self.ratio(&path, &path, "append")?
            ));
        }
        let emptied = median(&self.store, "/emptied/deleted_per_sec")?;
        lines.push(format!("| {} | {emptied:.0}/s | | |", title("fetched and deleted")));
        for (name, path) in [
            ("bytes written per byte put", "/written_per_byte_put"),
            ("bytes written more per byte deleted", "/written_per_byte_deleted"),
        ] {
            lines.push(format!("| {} | {:.2} | | |", title(name), median(&self.store, path)?));
        }
        Ok(lines)
    }

    /// The median over the turns of store over limit within one turn.
    fn ratio(&self, of_store: &str, of_limit: &str, limit: &str) -> anyhow::Result<f64> {
        let limit = if limit == "append" { &self.append } else { &self.prewritten };
        let pairs = self.store.iter().zip(limit);
        let ratios: anyhow::Result<Vec<f64>> =
            pairs.map(|(store, limit)| Ok(get(store, of_store)? / get(limit, of_limit)?)).collect();
        Ok(middle(ratios?))
    }
}

fn median(answers: &[Value], path: &str) -> anyhow::Result<f64> {
    let numbers: anyhow::Result<Vec<f64>> = answers.iter().map(|answer| get(answer, path)).collect();
    Ok(middle(numbers?))
}

fn middle(mut numbers: Vec<f64>) -> f64 {
    numbers.sort_by(f64::total_cmp);
    numbers.get(numbers.len() / 2).copied().unwrap_or(f64::NAN)
}

/// Many envelopes that wait: memory, reopening after SIGKILL and after an orderly end, and what is left when they are
/// gone.
fn pending(folder: &Path, puts: u64) -> anyhow::Result<Vec<String>> {
    eprintln!("{puts} envelopes that wait");
    let store = folder.join("pending").to_string_lossy().into_owned();
    let puts_word = puts.to_string();
    let mut child = start(&["pend", &store, &puts_word])?;
    let mut line = String::new();
    BufReader::new(child.stdout.take().context("stdout is piped")?).read_line(&mut line)?;
    child.kill()?;
    child.wait()?;
    let filled: Value = serde_json::from_str(&line).context("the answer of the filling process")?;
    let refused = get(&filled, "/refused")? as u64;
    if refused > 0 {
        eprintln!("{refused} of them were refused; what follows is of the others");
    }
    let wait = puts - refused;
    let wait_word = wait.to_string();
    let killed = ask(&["reopen", &store, &puts_word, &wait_word])?;
    let ended = ask(&["reopen", &store, &puts_word, &wait_word])?;
    let emptied = ask(&["empty", &store, &puts_word])?;
    let mib_per_million = |answer: &Value| -> anyhow::Result<f64> {
        Ok(get(answer, "/resident_bytes")? / f64::from(1 << 20) * 1e6 / wait as f64)
    };
    let mib = |path: &str| -> anyhow::Result<f64> { Ok(get(&emptied, path)? / f64::from(1 << 20)) };
    let share = get(&emptied, "/left_bytes")? / (wait * PAYLOAD_BYTES as u64) as f64 * 100.0;
    Ok(vec![
        format!("| {wait} waiting: put at | {:.0}/s | | |", get(&filled, "/puts/acknowledged_per_sec")?),
        format!("| serving after SIGKILL | {:.2} s | | at most 2 s |", get(&killed, "/serving_secs")?),
        format!("| serving after an orderly end | {:.2} s | | at most 2 s |", get(&ended, "/serving_secs")?),
        format!("| memory per million, while put | {:.0} MiB | | at most 150 |", mib_per_million(&filled)?),
        format!(
            "| memory per million, reopened and all read | {:.0} MiB | | at most 150 |",
            mib_per_million(&ended)?
        ),
        format!(
            "| left on the disk when all is gone | {:.0} MiB, {} segments and {:.0} MiB of index | | {share:.1} % |",
            mib("/left_bytes")?,
            get(&emptied, "/segments")?,
            mib("/index_bytes")?
        ),
        format!("| beside clean files for puts | {:.0} MiB | | |", mib("/clean_bytes")?),
    ])
}
