//! What every soak begins with: a relay of its own, a crowd's ledger, a runtime.

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use poterne_hostile::crowd::{Crowd, Size, connect};
use poterne_hostile::image::Image;
use poterne_hostile::ledger::Ledger;
use poterne_protocol::address::RelayAddress;
use poterne_protocol::keys::Pin;
use poterne_tests::doors::relay::Relay;
use poterne_transport::client::RelayClient;
use tokio::runtime::Runtime;

/// A crowd that keeps a relay of two cores busy.
pub const CROWD: Size = Size { connections: 4, producers: 32, deleted_of_ten: 7 };

/// A relay with small segments, so that a short run begins, empties and uses many.
pub struct Stage {
    pub relay: Relay,
    pub ledger: Arc<Ledger>,
    pub runtime: Runtime,
    /// Where its data lies on a disk of its own.
    pub disk: Option<Image>,
    // The last to go: it holds the others.
    folder: tempfile::TempDir,
}

impl Stage {
    /// A relay that is made and not started.
    pub fn new() -> Self {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let mut relay = Relay::init_anywhere(&folder.path().join("relay"));
        relay.set("log_level", "info").set("reserve_bytes", 0).set("reserve_percent", 0);
        let runtime = Runtime::new().expect("a runtime");
        Self { relay, ledger: Arc::default(), runtime, disk: None, folder }
    }

    /// The same with its data on an ext4 image of its own; `None` where that can't be had.
    pub fn on_image(mib: u64, words: &[&str]) -> Option<Self> {
        let mut stage = Self::new();
        let image = Image::make_with(stage.folder.path(), mib, words)?;
        stage.relay.set("data_dir", image.mount.join("data").display());
        stage.disk = Some(image);
        Some(stage)
    }

    /// A folder for what a test makes.
    pub fn folder(&self) -> &Path {
        self.folder.path()
    }

    /// Its disk.
    pub fn disk(&self) -> &Image {
        self.disk.as_ref().expect("it was made on one")
    }

    /// Its address.
    pub fn address(&self) -> RelayAddress {
        self.relay.address().parse().expect("init tells an address")
    }

    /// Its pin.
    pub fn pin(&self) -> Pin {
        self.address().pin
    }

    /// A client of it.
    pub fn connect(&self) -> RelayClient {
        self.runtime.block_on(connect(&self.address()))
    }

    /// A crowd at work.
    pub fn gather(&self, size: Size) -> Crowd {
        self.runtime.block_on(Crowd::gather(&self.address(), &self.ledger, size))
    }

    /// Compares what is there with the books, from that number on.
    pub fn check_since(&self, first: u64) {
        let client = self.connect();
        self.runtime.block_on(self.ledger.check_since(first, &client, self.pin()));
    }
}

/// Waits.
pub fn pause(millis: u64) {
    std::thread::sleep(Duration::from_millis(millis));
}
