//! The embedded store at work in a relay: the rules over it, and what must be done beside requests
//! (docs/spec/store.md §9).

use std::io;
use std::path::Path;
use std::sync::{Arc, mpsc};
use std::time::{Duration, Instant};

use poterne_relay_core::cursor::CursorKey;
use poterne_relay_core::policy::Policy;
use poterne_relay_core::relay::Relay;
use rand_core::UnwrapErr;

use super::Config;
use super::disk::DiskMedium;
use super::embedded::EmbeddedStore;
use super::keeper::Keeper;
use super::medium::{self, Medium};
use super::open::{OpenError, open};
use super::shared::Shared;
use super::sled_index::SledIndexes;
use crate::clock;

/// The key of the store's cursors. It belongs to this instance: who restores a backup leaves it out.
const CURSOR_KEY_FILE: &str = "cursor-key";
/// Time that tidying may take of each look at what is not a request.
const TIDY_TIME: Duration = Duration::from_millis(25);
/// What is done at the end may take this long, of the ten seconds of an operator's stop.
const END_TIME: Duration = Duration::from_secs(2);
/// Rows that are brought into the index at the end, in about a second; with more, the next start reads them from the log.
const LAST_ROWS: usize = 50_000;

/// What the engine does at each tick; see [`crate::engine::Tend`].
pub type Tend = Box<dyn FnMut(&mut Relay<EmbeddedStore>) + Send>;

/// Opens the store in `path` and starts the threads behind it.
pub fn start(path: &Path, policy: Policy, config: Config) -> Result<(Relay<EmbeddedStore>, Tend), OpenError> {
    let medium = Arc::new(DiskMedium::open(path).map_err(OpenError::from_disk)?);
    let cursors = cursor_key(&*medium)?;
    let begun = Instant::now();
    let store = open(medium, Box::new(SledIndexes::new(path)), config, clock::now().day())?;
    let envelopes = store.shared().inner().book.envelopes();
    tracing::info!(envelopes, millis = begun.elapsed().as_millis() as u64, "the store is open");
    let behind = Behind { shared: store.shared().clone(), keeper: Some(Keeper::spawn(store.shared())?) };
    let relay = Relay::new(store, policy, cursors);
    Ok((relay, Box::new(move |relay| behind.tend(relay.store_mut()))))
}

fn cursor_key(medium: &dyn Medium) -> io::Result<CursorKey> {
    let found = medium::read_whole(medium, CURSOR_KEY_FILE)?;
    if let Some(bytes) = found.as_deref().and_then(|bytes| <&[u8; 32]>::try_from(bytes).ok()) {
        return Ok(CursorKey::from_bytes(bytes));
    }
    let key = CursorKey::generate(&mut UnwrapErr(getrandom::SysRng));
    medium::replace(medium, CURSOR_KEY_FILE, key.expose())?;
    Ok(key)
}

/// The threads behind the store. At the end deleted envelopes are erased and the index is brought up.
struct Behind {
    shared: Arc<Shared>,
    keeper: Option<Keeper>,
}

impl Behind {
    fn tend(&self, store: &mut EmbeddedStore) {
        store.set_today(clock::now().day());
        let begun = Instant::now();
        while begun.elapsed() < TIDY_TIME {
            match store.tidy() {
                Ok(true) => {}
                Ok(false) => return,
                Err(error) => return tracing::warn!(%error, "the store could not be tidied"),
            }
        }
    }
}

impl Drop for Behind {
    /// What is not done in time the next start does: everything that was acknowledged is on the disk.
    fn drop(&mut self) {
        let (keeper, shared) = (self.keeper.take(), self.shared.clone());
        let (done, ended) = mpsc::channel();
        let wind_up = move || {
            drop(keeper);
            wind_up(&shared);
            // Nobody waits any more where the time was over.
            done.send(()).ok();
        };
        let thread = std::thread::Builder::new().name("store-end".to_owned()).spawn(wind_up);
        if thread.is_err() || ended.recv_timeout(END_TIME).is_err() {
            tracing::warn!("erasing and the index are left to the next start");
        }
    }
}

/// Overwrites what was deleted and brings the index up.
fn wind_up(shared: &Shared) {
    if let Err(error) = shared.erase() {
        tracing::error!(%error, "deleted envelopes could not be overwritten");
    }
    if shared.inner().rows.waiting() > LAST_ROWS {
        return;
    }
    if let Err(error) = shared.settle() {
        tracing::warn!(%error, "the index could not be brought up");
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn cursors_outlive_a_restart() {
        let home = tempfile::tempdir().expect("a temporary directory");
        let key = || {
            let medium = DiskMedium::open(home.path()).expect("opens");
            *cursor_key(&medium).expect("reads or makes").expose()
        };
        assert_eq!(key(), key());
    }
}
