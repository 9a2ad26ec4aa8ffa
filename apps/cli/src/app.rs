//! Carries commands out on one home: opens it when the first command needs it, and keeps it open for `shell`
//! (docs/cli.md §2).

use std::io::{self, IsTerminal as _};
use std::path::PathBuf;

use getrandom::SysRng;
use poterne_client_core::passphrase::generate;
use poterne_client_core::vault::{Params, Vault};
use rand_core::UnwrapErr;
use tokio::runtime::Runtime;

use crate::args::{Command, Desk, NewPassphrase, Passphrase as PassphraseWords, RunArgs};
use crate::commands;
use crate::commands::passphrase::Changed;
use crate::disk::FileDisk;
use crate::failure::Failure;
use crate::home::{self, Home};
use crate::meter::Meter;
use crate::output::Answer;
use crate::passphrase::{self, Passphrase};
use crate::session::Session;
use crate::texts::Texts;

/// One home and everything that commands on it need.
pub struct App {
    folder: PathBuf,
    passphrase_file: Option<PathBuf>,
    new_vault: Option<Params>,
    texts: Texts,
    shows_progress: bool,
    runtime: Runtime,
    passphrase: Option<Passphrase>,
    session: Option<Session>,
}

impl App {
    /// Nothing is opened yet.
    pub fn new(run: &RunArgs, folder: PathBuf, texts: Texts) -> Result<Self, Failure> {
        // One worker keeps the connections alive while `shell` waits for its next line.
        let mut runtime = tokio::runtime::Builder::new_multi_thread();
        let runtime = runtime.worker_threads(1).enable_all().build()?;
        Ok(Self {
            folder,
            passphrase_file: run.passphrase_file.clone(),
            new_vault: run.vault_size.map(|size| size.params()),
            texts,
            shows_progress: !run.json && io::stderr().is_terminal(),
            runtime,
            passphrase: None,
            session: None,
        })
    }

    /// The texts of this run.
    pub fn texts(&self) -> &Texts {
        &self.texts
    }

    /// Carries out one command.
    pub fn execute(&mut self, command: Command) -> Result<Box<dyn Answer>, Failure> {
        let mut session = match self.session.take() {
            Some(session) => session,
            None => self.open(if_missing(&command))?,
        };
        let label = self.shows_progress.then(|| self.texts.say("progress-files"));
        session.show_progress(Meter::new(label));
        let outcome = self.runtime.block_on(commands::carry_out(command, &mut session, &self.texts));
        let is_over = outcome.as_ref().is_err_and(Failure::ends_session);
        if !is_over {
            self.session = Some(session);
        }
        outcome
    }

    /// Changes the passphrase of what is there, or adds one.
    pub fn passphrase(&mut self, words: &PassphraseWords) -> Result<Changed, Failure> {
        let mut session = self.open(None)?;
        match words {
            PassphraseWords::Change { new } => {
                commands::passphrase::change(&mut session, &self.new_passphrase(new)?)
            }
            PassphraseWords::Duress { new, burn } => {
                commands::passphrase::duress(&mut session, &self.new_passphrase(new)?, *burn)
            }
        }
    }

    /// Opens what is there, so that a wrong passphrase is told before the first command.
    pub fn open_if_there(&mut self) -> Result<(), Failure> {
        if self.session.is_none() && home::has_vault(&self.folder) {
            self.session = Some(self.open(None)?);
        }
        Ok(())
    }

    /// Leaves the relays.
    pub fn close(mut self) {
        if let Some(mut session) = self.session.take() {
            self.runtime.block_on(session.close());
        }
    }

    fn open(&mut self, if_missing: Option<Params>) -> Result<Session, Failure> {
        if home::has_vault(&self.folder) {
            let home = Home::lock(&self.folder)?;
            let vault = self.open_vault(&home)?;
            return Session::load(home, vault);
        }
        let params = if_missing.ok_or(Failure::HomeMissing { path: self.folder.display().to_string() })?;
        let home = Home::lock(&self.folder)?;
        let vault = self.create_vault(&home, self.new_vault.unwrap_or(params))?;
        Session::load(home, vault)
    }

    fn open_vault(&mut self, home: &Home) -> Result<Vault<FileDisk>, Failure> {
        let passphrase = match (self.passphrase.take(), &self.passphrase_file) {
            (Some(known), _) => known,
            (None, Some(file)) => passphrase::from_file(file)?,
            (None, None) => return self.open_vault_by_hand(home),
        };
        let vault = home.open_vault(&passphrase)?;
        self.passphrase = Some(passphrase);
        Ok(vault)
    }

    /// Whoever types may mistype.
    fn open_vault_by_hand(&mut self, home: &Home) -> Result<Vault<FileDisk>, Failure> {
        let mut tries = passphrase::TRIES;
        loop {
            let passphrase = passphrase::asked(&self.texts)?;
            tries -= 1;
            match home.open_vault(&passphrase) {
                Err(Failure::PassphraseWrong) if tries > 0 => passphrase::told_wrong(&self.texts)?,
                vault => {
                    self.passphrase = vault.is_ok().then_some(passphrase);
                    return vault;
                }
            }
        }
    }

    fn create_vault(&mut self, home: &Home, params: Params) -> Result<Vault<FileDisk>, Failure> {
        let passphrase = match &self.passphrase_file {
            Some(file) => passphrase::from_file(file)?,
            None => self.chosen_passphrase()?,
        };
        let vault = home.create_vault(params, &passphrase, &mut UnwrapErr(SysRng))?;
        self.passphrase = Some(passphrase);
        Ok(vault)
    }

    fn new_passphrase(&self, new: &NewPassphrase) -> Result<Passphrase, Failure> {
        match &new.new_passphrase_file {
            Some(file) => passphrase::from_file(file),
            None => self.chosen_passphrase(),
        }
    }

    fn chosen_passphrase(&self) -> Result<Passphrase, Failure> {
        let language = self.texts.language().of_passphrases();
        passphrase::chosen(&self.texts, &generate(language, &mut UnwrapErr(SysRng)))
    }
}

/// The vault that a command makes where there is none. What speaks of things that only exist in a vault makes none.
fn if_missing(command: &Command) -> Option<Params> {
    match command {
        Command::Ask { .. } | Command::Inbox { .. } | Command::Status => Some(Params::requester()),
        Command::Desk(Desk::Create { .. }) => Some(Params::desk()),
        _ => None,
    }
}
