//! `wipe`: the end of a home. It needs no passphrase: whoever holds the file can destroy it anyway.

use std::path::Path;

use fluent::fluent_args;
use getrandom::SysRng;
use rand_core::UnwrapErr;
use serde_json::{Value, json};

use crate::failure::Failure;
use crate::home::{self, Home};
use crate::output::Answer;
use crate::terminal::Terminal;
use crate::texts::Texts;

/// The vault is overwritten and gone.
pub struct Wiped;

impl Answer for Wiped {
    fn json(&self) -> Value {
        json!({"state": "wiped"})
    }

    fn people(&self, texts: &Texts) -> String {
        format!("{}\n", texts.say("wiped"))
    }
}

/// Wipes the home in that folder, after a question unless `confirmed`.
pub fn wipe(folder: &Path, confirmed: bool, texts: &Texts) -> Result<Wiped, Failure> {
    if !home::exists(folder) {
        return Err(Failure::HomeMissing { path: folder.display().to_string() });
    }
    if !confirmed {
        confirm(folder, texts)?;
    }
    Home::lock(folder)?.wipe(&mut UnwrapErr(SysRng))?;
    Ok(Wiped)
}

fn confirm(folder: &Path, texts: &Texts) -> Result<(), Failure> {
    let mut terminal = Terminal::open().ok_or(Failure::WipeUnconfirmed)?;
    let word = texts.say("wipe-word");
    let question = texts
        .with("wipe-ask", &fluent_args!["path" => folder.display().to_string(), "word" => word.as_str()]);
    let typed = terminal.ask(&question)?;
    if typed.trim().eq_ignore_ascii_case(&word) { Ok(()) } else { Err(Failure::WipeUnconfirmed) }
}
