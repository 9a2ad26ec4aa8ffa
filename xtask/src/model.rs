//! `cargo xtask model`: every symbolic model in every variant, against the recorded results (docs/spec/model/README.md).
//!
//! A model is a Verifpal file with lines that count in some variants only (`model::variant`). Each (model, variant) runs by
//! itself and within a bound; the verdicts of its queries are compared with `results.txt`. The tool is no dependency:
//! where it is missing one line says how to get it, and nothing is claimed.

mod results;
mod variant;

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{ExitCode, Stdio};
use std::time::{Duration, Instant};

use anyhow::{Context as _, bail};

use crate::command::{command, is_installed, root, target_dir};
use results::{Verdict, lines_of, verdicts};
use variant::Source;

const TOOL: &str = "verifpal";
const INSTALL: &str = "cargo +nightly install verifpal --version 1.6.7 --no-default-features --features cli \
                       --ignore-rust-version";
/// The slowest variant takes about two minutes on one busy core; a search that has grown out of hand ends here.
const VARIANT_DEADLINE: Duration = Duration::from_secs(900);
const POLL_PAUSE: Duration = Duration::from_millis(50);

/// `model [--record] [NAME [VARIANT]]`.
pub fn run(words: &[&str]) -> anyhow::Result<ExitCode> {
    let (record, wanted) = match words {
        ["--record"] => (true, &[][..]),
        name if name.len() <= 2 && !name.iter().any(|word| word.starts_with('-')) => (false, name),
        _ => {
            eprintln!("`cargo xtask model` takes a model and a variant, or --record, or nothing.");
            return Ok(ExitCode::from(2));
        }
    };
    if !is_installed(TOOL) {
        println!("Verifpal is not installed, so no model was run. Install it with `{INSTALL}`.");
        return Ok(ExitCode::from(2));
    }
    let found = run_all(wanted)?;
    if found.is_empty() {
        eprintln!("There is no such model or variant. The models are the .vp files of docs/spec/model.");
        return Ok(ExitCode::from(2));
    }
    if record {
        fs::write(results_file(), found.join("\n") + "\n")?;
        println!("{} verdicts recorded", found.len());
        return Ok(ExitCode::SUCCESS);
    }
    compare(&found, wanted)
}

fn folder() -> PathBuf {
    root().join("docs/spec/model")
}

fn results_file() -> PathBuf {
    folder().join("results.txt")
}

fn run_all(wanted: &[&str]) -> anyhow::Result<Vec<String>> {
    let mut found = Vec::new();
    for path in models()? {
        let name = path.file_stem().and_then(|stem| stem.to_str()).context("the name of a model")?;
        if wanted.first().is_some_and(|one| *one != name) {
            continue;
        }
        let source =
            Source::parse(&fs::read_to_string(&path)?).with_context(|| format!("reading {name}.vp"))?;
        for variant in source.variants() {
            if wanted.get(1).is_some_and(|one| *one != variant) {
                continue;
            }
            let started = Instant::now();
            let verdicts = run_one(name, variant, &source)?;
            let attacks = verdicts.iter().filter(|(verdict, _)| *verdict == Verdict::Attack).count();
            println!("{name}/{variant}: {attacks} of {} fall ({:.0?})", verdicts.len(), started.elapsed());
            found.extend(lines_of(name, variant, &verdicts));
        }
    }
    Ok(found)
}

/// The .vp files, by name.
fn models() -> anyhow::Result<Vec<PathBuf>> {
    let mut paths = Vec::new();
    for entry in fs::read_dir(folder())? {
        let path = entry?.path();
        if path.extension().is_some_and(|extension| extension == "vp") {
            paths.push(path);
        }
    }
    paths.sort();
    Ok(paths)
}

fn run_one(name: &str, variant: &str, source: &Source) -> anyhow::Result<Vec<(Verdict, String)>> {
    let out = target_dir().join("model");
    fs::create_dir_all(&out)?;
    // The tool refuses long names, so the variant is a folder.
    let folder = out.join(name).join(variant);
    fs::create_dir_all(&folder)?;
    let file = folder.join("model.vp");
    fs::write(&file, source.render(variant))?;
    let report = verify(&file, &folder.join("report.txt"), source.sessions())
        .with_context(|| format!("{name}/{variant}, written to {}", file.display()))?;
    verdicts(source.queries(), &report)
        .with_context(|| format!("{name}/{variant}: no verdicts in the report"))
}

fn verify(model: &Path, report: &Path, sessions: u8) -> anyhow::Result<String> {
    let model = model.to_str().context("a path in UTF-8")?;
    let words = ["verify", model, "--result-code", "--sessions", &sessions.to_string()];
    let mut child = command(TOOL, &words)
        .stdin(Stdio::null())
        .stdout(fs::File::create(report)?)
        .stderr(fs::File::create(report.with_extension("err"))?)
        .spawn()?;
    let deadline = Instant::now() + VARIANT_DEADLINE;
    let status = loop {
        if let Some(status) = child.try_wait()? {
            break status;
        }
        if Instant::now() > deadline {
            child.kill()?;
            child.wait()?;
            bail!("no end after {VARIANT_DEADLINE:?}");
        }
        std::thread::sleep(POLL_PAUSE);
    };
    if !status.success() {
        bail!("{status}: {}", fs::read_to_string(report.with_extension("err"))?.trim());
    }
    Ok(fs::read_to_string(report)?)
}

fn compare(found: &[String], wanted: &[&str]) -> anyhow::Result<ExitCode> {
    let recorded = fs::read_to_string(results_file()).context("reading the recorded results")?;
    let differences = results::differences(&recorded, found, wanted.is_empty());
    for difference in &differences {
        println!("{difference}");
    }
    println!("{} verdicts, {} differ from docs/spec/model/results.txt", found.len(), differences.len());
    Ok(if differences.is_empty() { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}
