//! Disks that are full, out of files, read-only, or fail a sync: never an untrue *stored*, and service again as soon as
//! there is room. `POTERNE_FAULTS` sets the number of failing syncs.

use std::fs::{self, File};
use std::io::Write as _;
use std::path::PathBuf;
use std::time::{Duration, Instant};

use poterne_hostile::count::{count, is_soak, skip, tell};
use poterne_hostile::crowd::{Size, delete, put};
use poterne_protocol::op::Answer;
use poterne_transport::client::RelayClient;

use crate::stage::{CROWD, Stage, pause};

/// A crowd that deletes nothing, so that the disk fills.
const HOARDERS: Size = Size { deleted_of_ten: 0, ..CROWD };
/// Service comes back within this time.
const BACK_WITHIN: Duration = Duration::from_secs(10);
/// How long anything may take on a busy machine.
const PATIENCE: Duration = Duration::from_secs(60);
const NO_IMAGE: &str = "no loop-mounted ext4 here (needs root, loop devices, mkfs.ext4)";

/// Whatever takes room or files away; they come back when it is dropped.
struct Hog(PathBuf);

impl Hog {
    fn folder(stage: &Stage) -> PathBuf {
        let folder = stage.disk().mount.join("hog");
        fs::create_dir(&folder).expect("the disk takes a folder");
        folder
    }

    /// Takes all room but `left_mib`.
    fn of_room(stage: &Stage, left_mib: u64) -> Self {
        let folder = Self::folder(stage);
        let mut file = File::create(folder.join("hog")).expect("the disk takes a file");
        let space = rustix::fs::statvfs(&folder).expect("the disk tells its room");
        let room = (space.f_bavail * space.f_frsize).saturating_sub(left_mib << 20);
        let mib = vec![1; 1 << 20];
        for _ in 0..room >> 20 {
            file.write_all(&mib).expect("there is room");
        }
        file.sync_all().expect("syncs");
        Self(folder)
    }

    /// Takes all files.
    fn of_files(stage: &Stage) -> Self {
        let folder = Self::folder(stage);
        let mut number = 0u32;
        while File::create(folder.join(number.to_string())).is_ok() {
            number += 1;
        }
        Self(folder)
    }
}

impl Drop for Hog {
    fn drop(&mut self) {
        fs::remove_dir_all(&self.0).expect("what was made can be removed");
    }
}

/// Puts until one is stored, or until one is full; says how long that took.
fn put_until(stage: &Stage, client: &RelayClient, stored: bool) -> Duration {
    let begun = Instant::now();
    while begun.elapsed() < PATIENCE {
        let number = stage.ledger.next();
        let answer = stage.runtime.block_on(client.call(&put(number, stage.pin()))).ok();
        if stage.ledger.put_was(number, answer.as_ref()) == stored {
            return begun.elapsed();
        }
        pause(10);
    }
    panic!("no put was answered as it should be");
}

fn judge_return(what: &str, time: Duration) {
    tell(format_args!("{what}: service is back after {time:?}"));
    assert!(time < BACK_WITHIN || !is_soak(), "{what}: service was back after {time:?} only");
}

#[test]
fn a_full_disk_refuses_puts_and_serves_again_as_soon_as_there_is_room() {
    let Some(mut stage) = Stage::on_image(64, &[]) else { return skip("disk full", NO_IMAGE) };
    stage.relay.run();
    let client = stage.connect();
    let hog = Hog::of_room(&stage, 2);
    let crowd = stage.gather(HOARDERS);
    put_until(&stage, &client, false);
    pause(300);
    drop(crowd);
    stage.check_since(0);
    let waiting = stage.ledger.waiting();
    for number in &waiting[..20] {
        stage.ledger.leaves(*number);
        let answer = stage.runtime.block_on(client.call(&delete(*number, stage.pin())));
        assert!(matches!(answer, Ok(Answer::Done)), "a full disk lets go of what it holds: {answer:?}");
        stage.ledger.left(*number);
    }
    stage.relay.kill();
    stage.relay.run();
    stage.check_since(0);
    let client = stage.connect();
    put_until(&stage, &client, false);
    drop(hog);
    judge_return("disk full", put_until(&stage, &client, true));
    stage.relay.kill();
    stage.relay.run();
    stage.check_since(0);
}

#[test]
fn a_disk_without_files_refuses_puts_and_serves_again_as_soon_as_there_are_some() {
    let Some(mut stage) = Stage::on_image(64, &["-N", "80"]) else { return skip("inode full", NO_IMAGE) };
    stage.relay.run();
    let client = stage.connect();
    let hog = Hog::of_files(&stage);
    let crowd = stage.gather(HOARDERS);
    put_until(&stage, &client, false);
    pause(300);
    drop(crowd);
    stage.check_since(0);
    drop(hog);
    judge_return("inode full", put_until(&stage, &client, true));
    stage.relay.kill();
    stage.relay.run();
    stage.check_since(0);
}

#[test]
fn a_disk_that_turns_read_only_takes_no_put_any_more() {
    let Some(mut stage) = Stage::on_image(64, &[]) else { return skip("read-only", NO_IMAGE) };
    stage.relay.run();
    let crowd = stage.gather(CROWD);
    pause(300);
    if !stage.disk().fall_back_to_read_only() {
        return skip("read-only", "this kernel lets no file system find an error on demand");
    }
    await_refusal(&stage);
    let stored = stage.ledger.stored();
    pause(500);
    assert_eq!(stage.ledger.stored(), stored, "puts are acknowledged by a disk that is read-only");
    drop(crowd);
    stage.relay.kill();
    assert!(stage.disk().heal());
    stage.relay.run();
    stage.check_since(0);
    tell(format_args!("read-only: {stored} stored, 0 lost"));
}

/// Waits until a put was answered *read-only*, and until what was acknowledged before that has come in.
fn await_refusal(stage: &Stage) {
    let begun = Instant::now();
    while stage.ledger.take_refusals().read_only == 0 {
        assert!(begun.elapsed() < PATIENCE, "no put was answered read-only");
        pause(10);
    }
    pause(300);
}

#[test]
fn a_sync_that_fails_is_never_followed_by_an_untrue_acknowledgement() {
    let faults = count("POTERNE_FAULTS", 3);
    if std::process::Command::new("strace").arg("-V").output().is_err() {
        return skip("failing syncs", "strace is not installed");
    }
    let Some(mut stage) = Stage::on_image(128, &[]) else { return skip("failing syncs", NO_IMAGE) };
    let mut begun = 0;
    for fault in 0..faults {
        // In `test` some of the twenty.
        let number = 1 + fault * 20 / faults;
        stage.relay.run();
        stage.relay.kill();
        let first = stage.ledger.last();
        begun += usize::from(fail(&mut stage, number));
        assert!(stage.disk().cut_power());
        stage.relay.wrap_in::<&str>(&[]).kill();
        assert!(stage.disk().heal());
        stage.relay.run();
        stage.check_since(first);
        stage.relay.kill();
    }
    tell(format_args!(
        "{faults} failing syncs, {begun} while serving, {} stored, 0 lost",
        stage.ledger.stored()
    ));
}

/// Lets each thread's n-th sync fail, under load. Says whether the relay came to serve at all.
fn fail(stage: &mut Stage, number: u64) -> bool {
    let inject = format!("inject=fdatasync:error=EIO:when={number}");
    let words = [
        "strace",
        "-D",
        "-f",
        "-qq",
        "--seccomp-bpf",
        "-o",
        "/dev/null",
        "-e",
        "trace=fdatasync",
        "-e",
        &inject,
    ];
    let silence = stage.relay.log().len();
    stage.relay.wrap_in(&words).launch();
    while !stage.relay.log()[silence..].contains("ready") {
        if stage.relay.has_ended() {
            return false;
        }
        pause(10);
    }
    let crowd = stage.gather(CROWD);
    await_refusal(stage);
    let stored = stage.ledger.stored();
    pause(200);
    assert_eq!(stage.ledger.stored(), stored, "puts are acknowledged after a failed sync");
    drop(crowd);
    true
}
