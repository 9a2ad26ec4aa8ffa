//! Runs that have a name: `soak NAME`, `bench NAME`, `fuzz [NAME]`. Only what exists is listed.

use std::process::ExitCode;

use crate::command::{cargo, run as run_command};

/// One run: the words after `cargo` that start it, and what it finds in its environment.
struct Run {
    kind: &'static str,
    name: &'static str,
    about: &'static str,
    cargo_words: &'static [&'static str],
    environment: &'static [(&'static str, &'static str)],
}

const RUNS: &[Run] = &[Run {
    kind: "soak",
    name: "world",
    about: "200 seeds of every simulated world",
    cargo_words: &["test", "--package", "poterne-tests", "--test", "*_world"],
    environment: &[("POTERNE_SEEDS", "200")],
}];

/// Starts the run, or says which there are.
pub fn run(kind: &str, rest: &[&str]) -> anyhow::Result<ExitCode> {
    match pick(RUNS, kind, rest) {
        Ok(found) => {
            run_command(cargo(found.cargo_words).envs(found.environment.iter().copied()))?;
            Ok(ExitCode::SUCCESS)
        }
        Err(complaint) => {
            eprintln!("{complaint}");
            Ok(ExitCode::from(2))
        }
    }
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

    const SOME: &[Run] = &[
        Run { kind: "soak", name: "world", about: "200 seeds", cargo_words: &["test"], environment: &[] },
        Run { kind: "fuzz", name: "", about: "every target", cargo_words: &["run"], environment: &[] },
    ];

    #[test]
    fn a_known_name_is_found_under_its_kind_only() {
        assert_eq!(pick(SOME, "soak", &["world"]).map(|run| run.about), Ok("200 seeds"));
        assert!(pick(SOME, "bench", &["world"]).is_err());
    }

    #[test]
    fn a_run_without_a_name_needs_none() {
        assert_eq!(pick(SOME, "fuzz", &[]).map(|run| run.about), Ok("every target"));
    }

    #[test]
    fn an_unknown_name_is_answered_with_the_list() {
        let complaint = pick(SOME, "soak", &["word"]).err().unwrap();
        assert_eq!(complaint, "There is no soak named `word`. Choose one of:\n  world        200 seeds");
    }

    #[test]
    fn a_kind_without_runs_says_so() {
        let complaint = pick(SOME, "bench", &[]).err().unwrap();
        assert_eq!(complaint, "`cargo xtask bench` needs a name. This version of the project has none.");
    }
}
