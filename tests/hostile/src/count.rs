//! How much of a test is run, and what is told where it can't run at all.

use std::fs::File;
use std::io::Write as _;

/// The number in that variable of the environment, which a soak sets, else `few`.
pub fn count(variable: &str, few: u64) -> u64 {
    std::env::var(variable).ok().and_then(|many| many.parse().ok()).unwrap_or(few)
}

/// Whether this is a soak, which has the machine for itself and judges times too.
pub fn is_soak() -> bool {
    std::env::var_os("POTERNE_SOAK").is_some()
}

/// Prints figures where a soak runs.
#[expect(clippy::print_stderr, reason = "a soak's voice; in a test run it is noise")]
pub fn tell(figures: std::fmt::Arguments<'_>) {
    if is_soak() {
        eprintln!("{figures}");
    }
}

/// Tells the test run, which counts what was skipped, and whoever reads the output.
#[expect(clippy::print_stderr, reason = "the one line that says what was not tested")]
pub fn skip(name: &str, why: &str) {
    eprintln!("SKIPPED: {name}: {why}");
    let path = std::env::var_os("POTERNE_SKIPS");
    if let Some(mut skips) = path.and_then(|path| File::options().append(true).open(path).ok()) {
        skips.write_all(format!("{name}: {why}\n").as_bytes()).expect("the test run reads it");
    }
}
