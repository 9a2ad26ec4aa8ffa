//! The `poterne` command, for those who ask for help and those who answer (docs/cli.md).
//!
//! What is here: from words to an exit code. Each run opens one home, carries out one command, or many lines of `shell`,
//! and prints what came of it.

mod app;
mod args;
mod attach;
mod commands;
mod disk;
mod driver;
mod failure;
mod home;
mod hygiene;
mod input;
mod layout;
mod meter;
mod network;
mod output;
mod passphrase;
mod photo;
mod qr;
mod save;
mod session;
mod shell;
mod terminal;
mod texts;
mod time;
mod turn;
mod wipe;
mod words;

use std::alloc::System;
use std::io::{self, IsTerminal as _};
use std::process::ExitCode;

use clap::Parser as _;
use clap::error::ErrorKind;
use poterne_erasing::Erasing;

use crate::app::App;
use crate::args::{CommandLine, RunArgs, Words};
use crate::failure::Failure;
use crate::output::Form;
use crate::texts::{Language, Texts};

/// Nothing is left in memory that was given back, whoever wrote it.
#[global_allocator]
static ALLOCATOR: Erasing<System> = Erasing(System);

fn main() -> ExitCode {
    hygiene::seal_process();
    match CommandLine::try_parse() {
        Ok(line) => finish(line),
        Err(refused) => refuse(&refused),
    }
}

fn finish(line: CommandLine) -> ExitCode {
    let form = form(line.run.json);
    let (texts, outcome) = match language(&line.run) {
        Ok(language) => (Texts::new(language), run(line, language, form)),
        Err(failure) => (Texts::new(Language::default()), Err(failure)),
    };
    let Err(failure) = outcome else { return ExitCode::SUCCESS };
    // Where even this can't be written, the exit code still tells.
    form.tell_failure(&failure, &texts, &mut io::stderr()).ok();
    ExitCode::from(failure.exit_code())
}

fn run(line: CommandLine, language: Language, form: Form) -> Result<(), Failure> {
    let folder = line.run.home.clone().or_else(home::default_folder).ok_or(Failure::HomeUnnamed)?;
    let texts = Texts::new(language);
    match line.command {
        Words::Wipe { yes } => {
            let wiped = wipe::wipe(&folder, yes, &texts)?;
            form.tell(&wiped, &texts, &mut io::stdout())
        }
        Words::Passphrase(words) => {
            let mut app = App::new(&line.run, folder, texts)?;
            let changed = app.passphrase(&words)?;
            form.tell(&changed, app.texts(), &mut io::stdout())
        }
        Words::Shell => {
            let at_terminal = io::stdin().is_terminal() && io::stdout().is_terminal();
            let form = if at_terminal { form } else { Form::Json };
            let mut app = App::new(&line.run, folder, texts)?;
            let outcome = shell::run(&mut app, form, at_terminal);
            app.close();
            outcome
        }
        Words::One(command) => {
            let command = input::complete(command, &texts)?;
            let mut app = App::new(&line.run, folder, texts)?;
            let outcome =
                app.execute(command).and_then(|answer| form.tell(&*answer, app.texts(), &mut io::stdout()));
            app.close();
            outcome
        }
    }
}

fn form(json: bool) -> Form {
    if json { Form::Json } else { Form::People { columns: terminal::columns(io::stdout()) } }
}

fn language(run: &RunArgs) -> Result<Language, Failure> {
    match &run.lang {
        Some(named) => Language::parse(named).ok_or_else(|| Failure::Usage {
            message: format!(
                "There are no texts in “{}”: en, fr, ru and uk are there.",
                output::harmless(named)
            ),
        }),
        None => Ok(Language::of_locale(|name| std::env::var(name).ok())),
    }
}

/// Words that clap refuses, and help, which it prints by itself.
fn refuse(refused: &clap::Error) -> ExitCode {
    let is_help = refused.kind() == ErrorKind::DisplayHelpOnMissingArgumentOrSubcommand;
    if is_help || !refused.use_stderr() {
        refused.print().ok();
    } else {
        let wants_json = std::env::args_os().any(|word| word == "--json");
        let form = form(wants_json);
        let texts = Texts::new(Language::of_locale(|name| std::env::var(name).ok()));
        form.tell_failure(&Failure::usage(refused), &texts, &mut io::stderr()).ok();
    }
    ExitCode::from(if refused.use_stderr() { failure::EXIT_USAGE } else { 0 })
}
