//! `cargo xtask up` as a newcomer meets it, in a target folder of its own.

use std::fs;
use std::io::{BufRead, BufReader};
use std::os::unix::fs::symlink;
use std::path::Path;
use std::process::{Child, Command, Output, Stdio};

use poterne_tests::doors::binary;

/// A demo that runs, and what it has printed so far.
struct Demo {
    process: Child,
    printed: Vec<String>,
}

impl Demo {
    /// Starts it on programs that are built, and reads what it prints up to the last line.
    fn start(target: &Path) -> Self {
        let mut command = Command::new(binary("xtask"));
        command.args(["up", "--fresh"]).env("CARGO_TARGET_DIR", target).env("POTERNE_VAULT", "smallest");
        // All is built by whoever runs the tests.
        command.env("CARGO", "true").stdin(Stdio::null()).stdout(Stdio::piped());
        let mut process = command.spawn().expect("xtask starts");
        let lines = BufReader::new(process.stdout.take().expect("stdout is piped")).lines();
        let mut printed = Vec::new();
        for line in lines.map_while(Result::ok) {
            printed.push(line);
            if printed.last().is_some_and(|line| line.contains("--fresh")) {
                break;
            }
        }
        Self { process, printed }
    }

    /// The line to paste that holds these words.
    fn line(&self, words: &str) -> &str {
        let line = self.printed.iter().find(|line| line.contains(words));
        line.unwrap_or_else(|| panic!("no line with {words} in {:#?}", self.printed))
    }

    /// Ctrl-C; whether it ends well.
    fn interrupt(mut self) -> bool {
        let id = self.process.id().to_string();
        Command::new("kill").args(["-s", "INT", &id]).status().expect("kill runs");
        self.process.wait().expect("a child can be waited for").success()
    }
}

fn paste(line: &str, input: &str) -> Output {
    let mut command = Command::new("sh");
    command.args(["-c", line]).env("POTERNE_VAULT", "smallest").env("LC_ALL", "C.UTF-8");
    let piped = command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut child = piped.spawn().expect("sh starts");
    std::io::Write::write_all(&mut child.stdin.take().expect("stdin is piped"), input.as_bytes())
        .expect("the command reads");
    child.wait_with_output().expect("a child can be waited for")
}

#[test]
fn a_newcomer_gets_a_card_and_two_lines_that_work_and_ctrl_c_ends_all() {
    let folder = tempfile::tempdir().unwrap();
    let target = folder.path().join("target");
    fs::create_dir(&target).unwrap();
    symlink(binary("xtask").parent().unwrap(), target.join("debug")).unwrap();
    let demo = Demo::start(&target);
    let card = demo.line("poterne:").trim();
    assert!(card.starts_with("poterne:"), "{card}");
    assert!(demo.printed.iter().filter(|line| line.contains('█') || line.contains('▀')).count() > 10);
    let asked = paste(demo.line("'I need help'"), "");
    assert!(asked.status.success(), "{}", String::from_utf8_lossy(&asked.stderr));
    let answered = paste(demo.line("shell"), "queue\nclaim\n");
    let answered = String::from_utf8_lossy(&answered.stdout).into_owned();
    assert_eq!(answered.matches("I need help").count(), 2, "{answered}");
    assert!(demo.interrupt());
    let left = processes_that_name(&target);
    assert!(left.is_empty(), "{left:?}");
}

/// The command lines of all processes that name a folder.
fn processes_that_name(folder: &Path) -> Vec<String> {
    let folder = folder.to_string_lossy().into_owned();
    let lines = fs::read_dir("/proc").expect("Linux has /proc").flatten();
    let lines = lines.filter_map(|entry| fs::read_to_string(entry.path().join("cmdline")).ok());
    lines.filter(|line| line.contains(&folder)).collect()
}
