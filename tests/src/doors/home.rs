//! A home of the `poterne` command, driven as scripts drive it: one process a command, or a `shell` that stays.

use std::ffi::OsStr;
use std::io::{BufRead, BufReader, Write};
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdin, ChildStdout, Command, ExitStatus, Output, Stdio};

use serde_json::Value;

use super::binary;

/// A folder with a vault in it, and the passphrase beside it.
#[derive(Clone)]
pub struct Home {
    folder: PathBuf,
    passphrase: PathBuf,
}

/// What a failed command left.
#[derive(Clone, Debug)]
pub struct Failure {
    /// Its exit code.
    pub code: i32,
    /// What it wrote to stderr.
    pub stderr: String,
}

impl Failure {
    /// The error's code, which is never translated.
    pub fn error(&self) -> String {
        let error: Value = serde_json::from_str(self.stderr.trim()).unwrap_or(Value::Null);
        error["error"]["code"].as_str().unwrap_or_default().to_owned()
    }
}

/// What a command left that answers people.
#[derive(Clone, Debug)]
pub struct Ran {
    /// Its exit code.
    pub code: i32,
    /// What it wrote to stdout.
    pub out: String,
    /// What it wrote to stderr.
    pub err: String,
}

impl From<Output> for Ran {
    fn from(output: Output) -> Self {
        let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
        Self {
            code: output.status.code().unwrap_or(-1),
            out: text(&output.stdout),
            err: text(&output.stderr),
        }
    }
}

impl Home {
    /// A home in `parent` that does not exist yet.
    pub fn new(parent: &Path, name: &str) -> Self {
        let passphrase = parent.join(format!("{name}.passphrase"));
        std::fs::write(&passphrase, format!("the passphrase of {name}\n"))
            .expect("the test folder takes files");
        Self { folder: parent.join(name), passphrase }
    }

    /// Runs one command with `--json` and gives its answer.
    pub fn try_run<S: AsRef<OsStr>>(&self, words: &[S]) -> Result<Value, Failure> {
        let output = self.command().args(words).output().expect("poterne runs");
        if output.status.success() {
            return Ok(serde_json::from_slice(&output.stdout).expect("a command answers JSON"));
        }
        let stderr = String::from_utf8_lossy(&output.stderr).into_owned();
        Err(Failure { code: output.status.code().unwrap_or(-1), stderr })
    }

    /// Runs one command that must succeed.
    pub fn run<S: AsRef<OsStr> + std::fmt::Debug>(&self, words: &[S]) -> Value {
        self.try_run(words).unwrap_or_else(|failure| panic!("{words:?} failed: {failure:?}"))
    }

    /// Runs one command whose answer is for people.
    pub fn people<S: AsRef<OsStr>>(&self, words: &[S]) -> Ran {
        self.bare_command().args(words).output().expect("poterne runs").into()
    }

    /// The folder with the vault in it.
    pub fn folder(&self) -> &Path {
        &self.folder
    }

    /// The file that holds the passphrase.
    pub fn passphrase_file(&self) -> &Path {
        &self.passphrase
    }

    /// A `shell` that stays until it is dropped.
    pub fn shell(&self) -> Shell {
        let mut process = self
            .command()
            .arg("shell")
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .expect("poterne shell starts");
        let input = process.stdin.take().expect("stdin is piped");
        let output = BufReader::new(process.stdout.take().expect("stdout is piped"));
        Shell { process, input: Some(input), output }
    }

    /// Copies the home as it is now.
    pub fn copy_to(&self, name: &str) -> Self {
        let folder = self.folder.with_file_name(name);
        std::fs::create_dir_all(&folder).expect("the test folder takes folders");
        for file in std::fs::read_dir(&self.folder).expect("a home is a folder") {
            let file = file.expect("a home can be listed");
            std::fs::copy(file.path(), folder.join(file.file_name())).expect("a home can be copied");
        }
        Self { folder, passphrase: self.passphrase.clone() }
    }

    /// Puts an older copy in the place of this home.
    pub fn roll_back_to(&self, copy: &Self) {
        std::fs::remove_dir_all(&self.folder).expect("a home can be removed");
        std::fs::rename(&copy.folder, &self.folder).expect("a copy can be moved");
    }

    /// The command on this home, with `--json` and without words yet.
    pub fn command(&self) -> Command {
        let mut command = self.bare_command();
        command.arg("--json");
        command
    }

    /// In English, unless words say otherwise.
    fn bare_command(&self) -> Command {
        let mut command = Command::new(binary("poterne"));
        command.env("POTERNE_VAULT", "smallest").env("LC_ALL", "C.UTF-8").env_remove("POTERNE_HOME");
        command.arg("--home").arg(&self.folder).arg("--passphrase-file").arg(&self.passphrase);
        command
    }
}

/// A running `poterne shell`.
pub struct Shell {
    process: Child,
    input: Option<ChildStdin>,
    output: BufReader<ChildStdout>,
}

impl Shell {
    /// One command; its answer, which may be an error object.
    pub fn run(&mut self, words: &[&str]) -> Value {
        self.line(&serde_json::to_string(words).expect("words are JSON"))
    }

    /// One line as it is; its answer.
    pub fn line(&mut self, line: &str) -> Value {
        let input = self.input.as_mut().expect("the shell is open");
        writeln!(input, "{line}").expect("the shell reads");
        let mut answer = String::new();
        self.output.read_line(&mut answer).expect("the shell answers");
        serde_json::from_str(&answer).unwrap_or_else(|_| panic!("{line} was answered {answer:?}"))
    }

    /// The id of its process.
    pub fn process_id(&self) -> u32 {
        self.process.id()
    }

    /// Ends the input and waits for the end.
    pub fn end(mut self) -> ExitStatus {
        drop(self.input.take());
        self.process.wait().expect("a child can be waited for")
    }
}

impl Drop for Shell {
    fn drop(&mut self) {
        drop(self.input.take());
        self.process.wait().ok();
    }
}
