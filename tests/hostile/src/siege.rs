//! Attackers that hold on: readers that never read, and clients whose first frame never ends. Whoever is thrown out comes
//! back.

use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use poterne_protocol::address::RelayAddress;
use poterne_protocol::descriptor::VerifiedDescriptor;
use poterne_protocol::op::{Fetch, FetchFrom, Request, Start};
use poterne_tests::cast::KeyedMailbox;
use poterne_transport::raw;
use quinn::Endpoint;
use tokio::task::JoinSet;
use tokio::time::{sleep, timeout};

use crate::stranger::{Stranger, at, descriptor};

/// Attackers that share a socket.
const PER_SOCKET: usize = 100;
/// Fetches that a reader asks for and does not read: 4 MiB, more than all windows.
const UNREAD: usize = 16;
/// After so long a reader begins anew, whether it was thrown out or not.
const READER_LASTS: Duration = Duration::from_secs(10);
/// Between two bytes of a frame that never ends.
const CRAWL: Duration = Duration::from_secs(1);
/// A frame that opens a channel, of 4096 bytes, or so it says.
const BEGINNING: [u8; 4] = [3, 0, 16, 0];
/// After it was thrown out, before an attacker is back.
const PAUSE: Duration = Duration::from_millis(500);

/// Attackers at work; dropping it ends them.
pub struct Siege {
    attackers: JoinSet<()>,
    inside: Arc<AtomicUsize>,
}

/// Where attackers go, and by what.
#[derive(Clone)]
struct Way {
    endpoint: Endpoint,
    address: RelayAddress,
    descriptor: VerifiedDescriptor,
    inside: Arc<AtomicUsize>,
}

impl Siege {
    /// Begins. The mailbox, which is full, is what the readers fetch.
    ///
    /// # Panics
    /// When there are no sockets.
    pub async fn lay(address: &RelayAddress, readers: usize, crawlers: usize, full: &KeyedMailbox) -> Self {
        let descriptor = descriptor(address).await;
        let mut siege = Self { attackers: JoinSet::new(), inside: Arc::default() };
        let mut way = None;
        for number in 0..readers + crawlers {
            if number % PER_SOCKET == 0 {
                let endpoint = raw::endpoint(at(address)).expect("a socket");
                let (address, descriptor) = (address.clone(), descriptor.clone());
                way = Some(Way { endpoint, address, descriptor, inside: siege.inside.clone() });
            }
            let way = way.clone().expect("the first one makes it");
            if number < readers {
                siege.attackers.spawn(read_nothing(way, full.clone()));
            } else {
                siege.attackers.spawn(crawl(way));
            }
        }
        siege
    }

    /// Attackers that are inside now.
    pub fn inside(&self) -> usize {
        self.inside.load(Ordering::Relaxed)
    }

    /// Waits until so many are inside, but no longer than `limit`.
    pub async fn gather(&self, wanted: usize, limit: Duration) {
        let waiting = async {
            while self.inside() < wanted {
                sleep(Duration::from_millis(20)).await;
            }
        };
        timeout(limit, waiting).await.ok();
    }
}

/// Counts one that is inside.
struct Inside<'a>(&'a AtomicUsize);

impl<'a> Inside<'a> {
    fn enter(count: &'a AtomicUsize) -> Self {
        count.fetch_add(1, Ordering::Relaxed);
        Self(count)
    }
}

impl Drop for Inside<'_> {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::Relaxed);
    }
}

async fn read_nothing(way: Way, full: KeyedMailbox) {
    loop {
        timeout(READER_LASTS, read_nothing_once(&way, &full)).await.ok();
        sleep(PAUSE).await;
    }
}

async fn read_nothing_once(way: &Way, full: &KeyedMailbox) -> io::Result<()> {
    let mut stranger = Stranger::open(&way.endpoint, at(&way.address), &way.descriptor).await?;
    let from = vec![FetchFrom { mailbox: full.read(), start: Start::First }];
    let request = Request::Fetch(Fetch { from, max: 64, wait_secs: 0 });
    for _ in 0..UNREAD {
        stranger.ask(&request).await?;
    }
    let _inside = Inside::enter(&way.inside);
    stranger.connection().closed().await;
    Ok(())
}

async fn crawl(way: Way) {
    loop {
        // Thrown out, or not let in.
        crawl_once(&way).await.ok();
        sleep(PAUSE).await;
    }
}

/// The beginning of a frame, and then byte after byte of it.
async fn crawl_once(way: &Way) -> io::Result<()> {
    let connection = raw::connect_on(&way.endpoint, at(&way.address)).await?;
    let (mut send, _receive) = connection.open_bi().await?;
    send.write_all(&BEGINNING).await?;
    let _inside = Inside::enter(&way.inside);
    loop {
        tokio::select! {
            error = connection.closed() => return Err(error.into()),
            () = sleep(CRAWL) => send.write_all(&[0]).await?,
        }
    }
}
