//! The frozen vectors, checked by the pure crates as wasm in Node.

use std::path::Path;

use anyhow::Context as _;

use crate::command::{command, is_installed, output, root};
use crate::tally::Tally;

pub fn check_vectors(tally: &mut Tally, module: &Path) {
    let name = "frozen vectors in wasm";
    let Some(program) = ["node", "nodejs"].into_iter().find(|program| is_installed(program)) else {
        tally.skip(name, "Node is not installed (Debian: apt-get install nodejs)");
        return;
    };
    match checked(program, module) {
        Ok(count) => {
            println!("{count} vectors hold");
            tally.pass(count);
        }
        Err(error) => tally.fail(format_args!("{name}: {error:#}")),
    }
}

/// How many vectors held; the first that didn't is the error.
fn checked(program: &str, module: &Path) -> anyhow::Result<usize> {
    let script = root().join("tests/wasm/run.mjs");
    let words = [script.to_string_lossy(), module.to_string_lossy()];
    let answer = output(&mut command(program, &words))?;
    answer.trim().parse().with_context(|| format!("the script said `{}`", answer.trim()))
}
