//! Runs that have a name: `soak NAME`, `bench NAME`. Only what exists is listed.
//!
//! Most are one call of cargo; those that judge what comes of it have a module of their own.

use std::process::{Command, ExitCode};

use crate::command::{cargo, run as run_command};
use crate::{coverage, mutants};

/// One run.
struct Run {
    kind: &'static str,
    name: &'static str,
    about: &'static str,
    does: Does,
}

enum Does {
    /// Calls cargo with these words, and more in its environment.
    Cargo(Words, Environment),
    /// What stands there.
    Own(fn() -> anyhow::Result<ExitCode>),
}

type Words = &'static [&'static str];
type Environment = &'static [(&'static str, &'static str)];

const RUNS: &[Run] = &[
    bench(
        "crypto",
        "a conversation's set-up and turns against their primitives, and other protocols",
        &CRYPTO,
    ),
    bench("relay", "a relay with its client, against other servers with the same promise", &BENCH_RELAY),
    bench("store", "the embedded store, against what the disk itself allows", &BENCH_STORE),
    soak(
        "attachments",
        "photos through five kills of relay and client each",
        &ATTACHMENTS,
        &[("POTERNE_PHOTO_KILLS", "5")],
    ),
    own(
        "coverage",
        "lines of the parsers that tests reach, at least 95 % (needs cargo-llvm-cov)",
        coverage::run,
    ),
    soak(
        "crashes",
        "a home cut off before and within every write of a story, on both sides",
        &CRASHES,
        &[("POTERNE_CUTS", "all")],
    ),
    soak(
        "cgroup",
        "a besieged relay in the memory that its config says",
        &CGROUP,
        &[("POTERNE_CGROUP_SECS", "60")],
    ),
    soak("drain", "20 drains at full load", &DRAIN, &[("POTERNE_DRAINS", "20")]),
    soak("erasure", "the raw disk, searched for what was deleted, after the promised time", &ERASURE, &[]),
    soak(
        "existence",
        "10,000 pairs of an absent mailbox and a drained, empty, expired or other one",
        &EXISTENCE,
        &[("POTERNE_PAIRS", "10000")],
    ),
    soak(
        "faults",
        "disks that are full, read-only, or fail one of 20 syncs",
        &FAULTS,
        &[("POTERNE_FAULTS", "20")],
    ),
    soak("flips", "1,000 flipped bits over log and index", &FLIPS, &[("POTERNE_FLIPS", "1000")]),
    soak("hostile", "what hostile clients try, with their waits", &HOSTILE, &[]),
    soak("idle", "10,000 clients that wait for news", &IDLE, &[("POTERNE_IDLE_CLIENTS", "10000")]),
    soak("kills", "50 SIGKILLs under load", &KILLS, &[("POTERNE_KILLS", "50")]),
    own(
        "mutants",
        "changes in codec, ratchet and relay rules that tests must notice (needs cargo-mutants)",
        mutants::run,
    ),
    soak(
        "overload",
        "2, 5 and 10 times what a slow disk takes",
        &OVERLOAD,
        &[("POTERNE_OVERLOAD_SECS", "10")],
    ),
    soak("power", "60 power cuts under a real file system", &POWER, &[("POTERNE_POWER_CUTS", "60")]),
    soak(
        "siege",
        "100 readers that never read and 1,000 frames that never end, beside honest clients",
        &SIEGE,
        &[("POTERNE_CRAWLERS", "1000")],
    ),
    soak(
        "steady",
        "ten minutes of work, and what the relay holds",
        &STEADY,
        &[("POTERNE_STEADY_SECS", "600")],
    ),
    soak("timing", "whether time tells a secret, with a planted leak that must be found", &TIMING, &[]),
    soak("world", "200 seeds of every simulated world", &WORLD, &[("POTERNE_SEEDS", "200")]),
];

const ATTACHMENTS: [&str; 6] = ["test", "--package", "poterne-tests", "--test", "doors", "attachments::"];
const BENCH_RELAY: [&str; 6] = of_load("poterne-relay-bench");
const BENCH_STORE: [&str; 6] = of_load("poterne-store-bench");
const CRYPTO: [&str; 6] =
    ["run", "--release", "--manifest-path", "tests/peers/crypto/Cargo.toml", "--target-dir", "target/peers"];
const CGROUP: [&str; 7] = of_release_soaks("cgroup::");
const CRASHES: [&str; 6] = ["test", "--package", "poterne-tests", "--test", "machines", "crash::"];
const DRAIN: [&str; 6] = of_soaks("drain::");
const ERASURE: [&str; 6] = of_soaks("erasure::");
const EXISTENCE: [&str; 6] = of_soaks("existence::");
const FAULTS: [&str; 6] = of_soaks("faults::");
const FLIPS: [&str; 6] = of_soaks("flips::");
const HOSTILE: [&str; 5] = ["test", "--package", "poterne-hostile", "--test", "hostile"];
const IDLE: [&str; 7] = of_release_soaks("idle::");
const KILLS: [&str; 6] = of_soaks("kills::");
const OVERLOAD: [&str; 7] = of_release_soaks("overload::");
const POWER: [&str; 5] = ["test", "--package", "poterne-hostile", "--test", "power_cut"];
const SIEGE: [&str; 7] = of_release_soaks("siege::");
const STEADY: [&str; 6] = of_soaks("steady::");
const TIMING: [&str; 6] = ["run", "--release", "--package", "poterne-tests", "--example", "timing"];
const WORLD: [&str; 5] = ["test", "--package", "poterne-tests", "--test", "*_world"];

/// A program of the load generator's; docs/benchmarks.md says what it measures.
const fn of_load(program: &'static str) -> [&'static str; 6] {
    ["run", "--release", "--package", "poterne-load", "--bin", program]
}

/// The tests of one module of the relay's soaks.
const fn of_soaks(module: &'static str) -> [&'static str; 6] {
    ["test", "--package", "poterne-hostile", "--test", "soaks", module]
}

/// The same with what is shipped: where the generator of a load shares the machine, or bytes of memory are counted.
const fn of_release_soaks(module: &'static str) -> [&'static str; 7] {
    ["test", "--release", "--package", "poterne-hostile", "--test", "soaks", module]
}

const fn bench(name: &'static str, about: &'static str, words: Words) -> Run {
    Run { kind: "bench", name, about, does: Does::Cargo(words, &[]) }
}

const fn soak(name: &'static str, about: &'static str, words: Words, environment: Environment) -> Run {
    Run { kind: "soak", name, about, does: Does::Cargo(words, environment) }
}

const fn own(name: &'static str, about: &'static str, run: fn() -> anyhow::Result<ExitCode>) -> Run {
    Run { kind: "soak", name, about, does: Does::Own(run) }
}

/// What every soak finds in its environment: that it may print figures and judge times.
const SOAK: (&str, &str) = ("POTERNE_SOAK", "1");

/// Starts the run, or says which there are.
pub fn run(kind: &str, rest: &[&str]) -> anyhow::Result<ExitCode> {
    match pick(RUNS, kind, rest) {
        Ok(found) => carry_out(found),
        Err(complaint) => {
            eprintln!("{complaint}");
            Ok(ExitCode::from(2))
        }
    }
}

fn carry_out(found: &Run) -> anyhow::Result<ExitCode> {
    match found.does {
        Does::Own(run) => return run(),
        Does::Cargo(words, environment) if found.kind == "soak" && words.first() == Some(&"test") => {
            // Tests of the binaries start those of their own profile.
            let mut build = vec!["build", "--bins", "--quiet"];
            build.extend(words.iter().filter(|word| **word == "--release"));
            run_command(&mut cargo(&build))?;
            run_command(soaking(words, environment).env(SOAK.0, SOAK.1))?;
        }
        Does::Cargo(words, environment) => run_command(cargo(words).envs(environment.iter().copied()))?,
    }
    Ok(ExitCode::SUCCESS)
}

/// The tests of a soak, one after another, with what they print.
fn soaking(words: Words, environment: Environment) -> Command {
    let mut command = cargo(words);
    command.args(["--", "--nocapture", "--test-threads", "1"]).envs(environment.iter().copied());
    command
}

fn pick<'a>(runs: &'a [Run], kind: &str, rest: &[&str]) -> Result<&'a Run, String> {
    let of_kind = || runs.iter().filter(|run| run.kind == kind);
    let wanted = rest.first().copied().unwrap_or("");
    if let (Some(found), true) = (of_kind().find(|run| run.name == wanted), rest.len() <= 1) {
        return Ok(found);
    }
    let complaint = match rest {
        [] => format!("`cargo xtask {kind}` needs a name."),
        [name] => format!("There is no {kind} named `{name}`."),
        _ => format!("`cargo xtask {kind}` takes one name."),
    };
    let listed: Vec<String> = of_kind().map(|run| format!("  {:<12} {}", run.name, run.about)).collect();
    if listed.is_empty() {
        return Err(format!("{complaint} This version of the project has none."));
    }
    Err(format!("{complaint} Choose one of:\n{}", listed.join("\n")))
}

#[cfg(test)]
mod tests {
    use super::*;

    const SOME: &[Run] = &[soak("world", "200 seeds", &["test"], &[]), bench("", "every table", &["run"])];

    #[test]
    fn a_known_name_is_found_under_its_kind_only() {
        assert_eq!(pick(SOME, "soak", &["world"]).map(|run| run.about), Ok("200 seeds"));
        assert!(pick(SOME, "bench", &["world"]).is_err());
    }

    #[test]
    fn a_run_without_a_name_needs_none() {
        assert_eq!(pick(SOME, "bench", &[]).map(|run| run.about), Ok("every table"));
    }

    #[test]
    fn an_unknown_name_is_answered_with_the_list() {
        let complaint = pick(SOME, "soak", &["word"]).err().unwrap();
        assert_eq!(complaint, "There is no soak named `word`. Choose one of:\n  world        200 seeds");
    }

    #[test]
    fn a_kind_without_runs_says_so() {
        let complaint = pick(SOME, "drill", &[]).err().unwrap();
        assert_eq!(complaint, "`cargo xtask drill` needs a name. This version of the project has none.");
    }
}
