//! A folder with homes and a passphrase, and the binary on them.

use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};

use serde_json::Value;
use tempfile::TempDir;

/// Where one test plays.
pub struct Place {
    folder: TempDir,
}

/// What a run left behind.
pub struct Ran {
    pub code: i32,
    pub out: String,
    pub err: String,
}

impl Place {
    pub fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        std::fs::write(folder.path().join("right"), "right words\n").unwrap();
        std::fs::write(folder.path().join("wrong"), "wrong words\n").unwrap();
        Self { folder }
    }

    pub fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    /// The binary on a home, with the right passphrase, in English.
    pub fn command(&self, home: &str) -> Command {
        let mut command = poterne();
        command.arg("--home").arg(self.path(home)).arg("--passphrase-file").arg(self.path("right"));
        command
    }

    pub fn run(&self, home: &str, words: &[&str]) -> Ran {
        run(self.command(home).args(words))
    }

    /// The same with input.
    pub fn run_with_input(&self, home: &str, words: &[&str], input: &str) -> Ran {
        feed(self.command(home).args(words), input)
    }

    /// A home that has a vault.
    pub fn home(&self, name: &str) -> PathBuf {
        assert_eq!(self.run(name, &["status"]).code, 0);
        self.path(name)
    }
}

/// The binary with nothing of the developer's surroundings.
pub fn poterne() -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_poterne"));
    for name in ["LC_ALL", "LC_MESSAGES", "POTERNE_HOME", "XDG_DATA_HOME"] {
        command.env_remove(name);
    }
    command.env("LANG", "en_GB.UTF-8").env("POTERNE_VAULT", "smallest").stdin(Stdio::null());
    command
}

pub fn run(command: &mut Command) -> Ran {
    ran(command.output().unwrap())
}

pub fn feed(command: &mut Command, input: &str) -> Ran {
    let piped = command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut child = piped.spawn().unwrap();
    // A child that ends without reading is not this function's matter.
    child.stdin.take().unwrap().write_all(input.as_bytes()).ok();
    ran(child.wait_with_output().unwrap())
}

fn ran(output: Output) -> Ran {
    let text = |bytes| String::from_utf8(bytes).unwrap();
    Ran { code: output.status.code().unwrap(), out: text(output.stdout), err: text(output.stderr) }
}

impl Ran {
    /// The answer of a run with --json.
    pub fn json(&self) -> Value {
        assert_eq!(self.code, 0, "{}", self.err);
        serde_json::from_str(&self.out).unwrap()
    }

    /// The code of the error of a run with --json.
    pub fn error_code(&self) -> String {
        assert_ne!(self.code, 0);
        assert_eq!(self.out, "");
        let error: Value = serde_json::from_str(&self.err).unwrap();
        assert!(error["error"]["message"].as_str().is_some_and(|message| !message.is_empty()));
        error["error"]["code"].as_str().unwrap().to_owned()
    }
}

/// Every file below a folder, with its bytes.
pub fn files(folder: &Path) -> Vec<(PathBuf, Vec<u8>)> {
    let mut all = Vec::new();
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            all.extend(files(&path))
        } else {
            all.push((path.clone(), std::fs::read(&path).unwrap()))
        }
    }
    all.sort();
    all
}
