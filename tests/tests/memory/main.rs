//! What is left in memory of a conversation that was dropped: nothing (docs/threat-model.md, *Memory*).
//!
//! Two tests, on one conversation. In the first each block of memory is looked at when it is given back: whole secrets must
//! have been erased by their owners. The second looks at everything, and runs itself as a child for that. The child lets two
//! machines talk, writes every secret that was made to a file, masked, while it is made, drops everything and waits. Its
//! parent takes the child's core image and looks for every 8 bytes in a row of each secret. In both a planted secret must be
//! found, or nothing was looked at.

mod core_image;
mod heap;
mod talk;

use std::collections::BTreeMap;
use std::fs;
use std::hint::black_box;
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::slice;
use std::time::{Duration, Instant};

use core_image::{WINDOW_BYTES, Windows, scan};

/// Names the folder that the child works in; without it the test is the parent.
const CHILD: &str = "POTERNE_MEMORY_CHILD";
/// What the child masks its secrets with, so that it holds no second copy of them.
const MASK: u8 = 0xa5;
const SECRETS: &str = "secrets";
/// Children: a register may hold anything for a moment, so what counts is what all of their images hold.
const IMAGES: usize = 2;
const READY: &str = "ready";
const CHILD_DEADLINE: Duration = Duration::from_secs(120);
const POLL_PAUSE: Duration = Duration::from_millis(20);

#[test]
fn nothing_is_left_of_a_conversation_that_was_dropped() {
    if let Some(folder) = std::env::var_os(CHILD) {
        return talk::run(&PathBuf::from(folder));
    }
    let name = "nothing_is_left_of_a_conversation_that_was_dropped";
    if !is_installed("gcore") {
        return skip(name, "gcore is not installed (Debian: apt-get install gdb)");
    }
    let images: Vec<Image> = (0..IMAGES).map(|_| Image::take(name)).collect();
    let secrets = images[0].secrets;
    for image in &images {
        assert_eq!(image.secrets, secrets, "each child makes the same secrets");
        assert!(
            image.found.contains_key(&secrets),
            "the planted secret was not found: nothing was looked at"
        );
    }
    // By number and length: a text is longer than a key.
    let times = |number: usize| images.iter().filter(|image| image.found.contains_key(&number)).count();
    let leaked: Vec<_> = images[0].found.iter().filter(|(number, _)| times(**number) == IMAGES).collect();
    let leaked: Vec<_> = leaked.into_iter().filter(|(number, _)| **number != secrets).collect();
    assert!(leaked.is_empty(), "{} of {secrets} secrets are still in memory: {leaked:?}", leaked.len());
}

#[test]
fn owners_erase_their_secrets_before_they_give_memory_back() {
    let folder = tempfile::tempdir().unwrap();
    drop(talk::talk(folder.path()));
    let made = secrets(&folder.path().join(SECRETS));
    let (number, planted): (_, Vec<u8>) = (made.len(), (100..132).collect());
    let sought = [&made[..], slice::from_ref(&planted)].concat();
    let mut left = heap::left_by(&sought, || {
        drop(talk::talk(folder.path()));
        drop(black_box(planted));
    });
    let again = secrets(&folder.path().join(SECRETS));
    assert!(
        again == made,
        "each conversation makes the same secrets, so that each is known before it is made"
    );
    let control = left.remove(&number).expect("the planted secret was not found: nothing was looked at");
    assert_eq!(control.block_bytes, 32);
    assert!(left.is_empty(), "{} of {number} secrets were left in memory given back: {left:#?}", left.len());
}

/// What was found in one core image: the number of each secret, from 0, with its length.
struct Image {
    /// How many secrets there were; the planted one has the next number.
    secrets: usize,
    found: BTreeMap<usize, usize>,
}

impl Image {
    fn take(test: &str) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let mut child = Waiting::start(test, folder.path());
        let image = core_of(child.0.id(), folder.path());
        child.end();
        let secrets = secrets(&folder.path().join(SECRETS));
        let found = scan(&image, &Windows::of(&secrets), WINDOW_BYTES);
        let found = found.into_iter().map(|number| (number, secrets[number].len())).collect();
        Self { secrets: secrets.len() - 1, found }
    }
}

/// The child, until it is dropped.
struct Waiting(Child);

impl Waiting {
    fn start(test: &str, folder: &Path) -> Self {
        let program = std::env::current_exe().unwrap();
        let child = Command::new(program)
            .args(["--exact", test, "--nocapture", "--test-threads=1"])
            .env(CHILD, folder)
            .stdin(Stdio::piped())
            .stdout(Stdio::null())
            .spawn()
            .unwrap();
        let mut waiting = Self(child);
        let started = Instant::now();
        while !folder.join(READY).exists() {
            assert!(started.elapsed() < CHILD_DEADLINE, "the child is not ready in time");
            assert_eq!(waiting.0.try_wait().unwrap(), None, "the child has ended");
            std::thread::sleep(POLL_PAUSE);
        }
        waiting
    }

    fn end(&mut self) {
        self.0.stdin.take().unwrap().write_all(b"\n").unwrap();
        assert!(self.0.wait().unwrap().success());
    }
}

impl Drop for Waiting {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

fn core_of(pid: u32, folder: &Path) -> Vec<u8> {
    let prefix = folder.join("core");
    let taken = Command::new("gcore").arg("-o").arg(&prefix).arg(pid.to_string()).output().unwrap();
    assert!(taken.status.success(), "gcore: {}", String::from_utf8_lossy(&taken.stderr));
    fs::read(folder.join(format!("core.{pid}"))).unwrap()
}

/// The secrets that the child wrote down: length u16, bytes, masked.
fn secrets(path: &Path) -> Vec<Vec<u8>> {
    let masked = fs::read(path).unwrap();
    let bytes: Vec<u8> = masked.iter().map(|byte| byte ^ MASK).collect();
    let (mut rest, mut secrets) = (&bytes[..], Vec::new());
    while let Some((length, behind)) = rest.split_first_chunk::<2>() {
        let (secret, behind) = behind.split_at(u16::from_le_bytes(*length).into());
        secrets.push(secret.to_vec());
        rest = behind;
    }
    secrets
}

fn is_installed(program: &str) -> bool {
    let path = std::env::var_os("PATH").unwrap_or_default();
    std::env::split_paths(&path).any(|folder| folder.join(program).is_file())
}

/// A test that can't run here says so, to the run that counts it and to people.
#[expect(clippy::print_stdout, reason = "a test that can't run here says so")]
fn skip(name: &str, reason: &str) {
    println!("SKIPPED: {name}: {reason}");
    if let Some(path) = std::env::var_os("POTERNE_SKIPS") {
        let mut file = fs::OpenOptions::new().append(true).create(true).open(path).unwrap();
        writeln!(file, "{name}: {reason}").unwrap();
    }
}
