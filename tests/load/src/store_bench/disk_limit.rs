//! The limit: a thread that writes whatever waits to a file, syncs it once, and tells those who waited. No record, no
//! check, no index: what the disk and the same batching allow.
//!
//! Either the file grows (append), or it was written before (prewritten), which is what a log gains by recycling.

use std::fs::{File, OpenOptions};
use std::io::{self, IoSlice, Write as _};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::mpsc::{Receiver, SyncSender, TrySendError, sync_channel};
use std::thread;

use anyhow::{Context as _, bail};
use poterne_load::payload::{PAYLOAD_BYTES, Payload, Payloads};
use poterne_load::{Failure, Setup, Target, Work, run, target::Found};
use serde_json::json;
use tokio::sync::oneshot;

use crate::children::{number, puts_phase, tell};

/// Payloads of one write at most, as in the relay's engine.
const GROUP: usize = 1024;
/// Payloads that wait at most, as in the relay's engine.
const INBOX: usize = 4096;
/// Payloads in one file, as in the relay's segments.
const FILE_PAYLOADS: u64 = 16_384;

struct Job {
    payload: Payload,
    done: oneshot::Sender<()>,
}

/// The way to the thread that writes.
struct Limit {
    inbox: SyncSender<Job>,
}

/// `limit FOLDER PUTS PRODUCERS append|prewritten`: fills files in a folder that it makes and removes.
pub fn child(words: &[&str]) -> anyhow::Result<()> {
    let [folder, puts, producers, kind] = words else { bail!("limit FOLDER PUTS PRODUCERS KIND") };
    let (puts, producers) = (number(puts)?, number(producers)? as usize);
    let folder = PathBuf::from(folder);
    std::fs::create_dir_all(&folder).with_context(|| format!("making {}", folder.display()))?;
    let files = Files::make(&folder, puts, *kind == "prewritten")?;
    let (inbox, jobs) = sync_channel(INBOX);
    let writer = thread::spawn(move || write_all(files, &jobs));
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    let setup = Setup {
        producers,
        mailboxes: 1,
        work: Work::Put,
        phases: vec![puts_phase(puts)],
        payloads: Arc::new(Payloads::of_run(1)),
    };
    let outcome = runtime.block_on(run(&[Arc::new(Limit { inbox })], &setup));
    writer.join().expect("the writer does not panic").context("writing")?;
    std::fs::remove_dir_all(&folder)?;
    tell(&json!({ "puts": outcome.phases[0].to_json() }));
    Ok(())
}

impl Target for Limit {
    type Handle = ();

    async fn put(&self, _: u32, payload: Payload) -> Result<(), Failure> {
        let (done, wait) = oneshot::channel();
        self.inbox.try_send(Job { payload, done }).map_err(|error| match error {
            TrySendError::Full(_) => Failure::Refused,
            TrySendError::Disconnected(_) => Failure::Unknown,
        })?;
        wait.await.map_err(|_| Failure::Unknown)
    }

    async fn fetch(&self, _: u32) -> Result<Vec<Found<()>>, Failure> {
        Err(Failure::Unknown)
    }

    async fn delete(&self, _: u32, _: Vec<()>) -> Result<(), Failure> {
        Err(Failure::Unknown)
    }
}

/// The files, each with room for [`FILE_PAYLOADS`].
struct Files {
    files: Vec<File>,
    written: u64,
}

impl Files {
    fn make(folder: &Path, puts: u64, prewritten: bool) -> io::Result<Self> {
        let open = |number: u64| -> io::Result<File> {
            let path = folder.join(format!("limit-{number:04}"));
            let mut file = OpenOptions::new().create(true).truncate(true).write(true).open(path)?;
            if prewritten {
                let zeros = vec![0; 1 << 20];
                for _ in 0..FILE_PAYLOADS * PAYLOAD_BYTES as u64 / zeros.len() as u64 {
                    file.write_all(&zeros)?;
                }
                file.sync_all()?;
            }
            Ok(file)
        };
        let files = (0..puts.div_ceil(FILE_PAYLOADS).max(1)).map(open).collect::<io::Result<_>>()?;
        File::open(folder)?.sync_all()?;
        Ok(Self { files, written: 0 })
    }

    /// Writes some payloads, with one sync for each file that they touch.
    fn write(&mut self, mut payloads: &[Payload]) -> io::Result<()> {
        while !payloads.is_empty() {
            let (file, at) = (self.written / FILE_PAYLOADS, self.written % FILE_PAYLOADS);
            let some = payloads.len().min((FILE_PAYLOADS - at) as usize);
            let file = &self.files[file as usize % self.files.len()];
            write_at(file, &payloads[..some], at * PAYLOAD_BYTES as u64)?;
            file.sync_data()?;
            self.written += some as u64;
            payloads = &payloads[some..];
        }
        Ok(())
    }
}

fn write_at(file: &File, payloads: &[Payload], offset: u64) -> io::Result<()> {
    let parts: Vec<IoSlice<'_>> = payloads.iter().map(|payload| IoSlice::new(&payload[..])).collect();
    let written = rustix::io::pwritev(file, &parts, offset)?;
    match written == payloads.len() * PAYLOAD_BYTES {
        true => Ok(()),
        false => Err(io::ErrorKind::WriteZero.into()),
    }
}

fn write_all(mut files: Files, jobs: &Receiver<Job>) -> io::Result<()> {
    while let Ok(first) = jobs.recv() {
        let (mut payloads, mut waiting) = (vec![first.payload], vec![first.done]);
        while payloads.len() < GROUP {
            let Ok(job) = jobs.try_recv() else { break };
            payloads.push(job.payload);
            waiting.push(job.done);
        }
        files.write(&payloads)?;
        for done in waiting {
            done.send(()).ok();
        }
    }
    Ok(())
}
