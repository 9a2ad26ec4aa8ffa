//! What the relay offers today: its request keys and the descriptor that it signed over the newest of them
//! (docs/spec/transport.md §3).

use std::sync::{Arc, RwLock};
use std::time::Duration;

use poterne_protocol::address::{AddressError, HostPort};
use poterne_protocol::channel::RequestKeys;
use poterne_protocol::codec::DecodeError;
use poterne_protocol::descriptor::{Descriptor, Operator, RelayIdentity, RelayLimits};
use poterne_protocol::limits::CONTINUED_IDLE_SECS;
use poterne_protocol::time::{Day, UnixTime};
use rand_core::{CryptoRng, UnwrapErr};
use tokio::time::sleep;

use crate::clock;
use crate::config::Config;
use crate::request_key_dir::{RequestKeyDir, RequestKeyError};

/// Between two looks at the clock: it may be set, and a suspended machine wakes late.
const LOOK: Duration = Duration::from_secs(30);

/// Why nothing can be offered.
#[derive(Debug, thiserror::Error)]
pub enum TodayError {
    /// The public host and port are none.
    #[error("The setting public is not right: {0}. Give it as HOST:PORT.")]
    Address(AddressError),
    /// The keys can't be had.
    #[error(transparent)]
    Keys(#[from] RequestKeyError),
    /// The operator's name can't stand in a descriptor.
    #[error("The setting operator_name is not right: {0}. At most 64 bytes without control characters fit.")]
    Operator(DecodeError),
}

/// Keys and descriptor of the day, for many readers.
pub struct Today {
    identity: RelayIdentity,
    dir: RequestKeyDir,
    operator: Operator,
    addresses: Vec<HostPort>,
    limits: RelayLimits,
    offer: RwLock<Offer>,
}

#[derive(Clone)]
struct Offer {
    keys: Arc<RequestKeys>,
    descriptor: Arc<[u8]>,
}

impl Today {
    /// Takes or makes the keys of the day of `now`, and signs its descriptor.
    pub fn begin(
        config: &Config,
        identity: RelayIdentity,
        now: UnixTime,
        rng: &mut impl CryptoRng,
    ) -> Result<Self, TodayError> {
        let dir = RequestKeyDir::open(&config.request_key_dir())?;
        let keys = dir.turn(identity.pin(), now.day(), rng)?;
        let operator =
            Operator::new(config.operator_id, &config.operator_name).map_err(TodayError::Operator)?;
        let addresses = vec![config.public_host_port().parse().map_err(TodayError::Address)?];
        let limits = limits(config);
        let offer = RwLock::new(sign(&identity, keys, &operator, &addresses, limits));
        Ok(Self { identity, dir, operator, addresses, limits, offer })
    }

    /// The keys that open channels now.
    pub fn keys(&self) -> Arc<RequestKeys> {
        self.offer().keys
    }

    /// The signed descriptor.
    pub fn descriptor(&self) -> Arc<[u8]> {
        self.offer().descriptor
    }

    /// Makes the key of `day` where it has come. Tells whether it did.
    pub fn turn(&self, day: Day, rng: &mut impl CryptoRng) -> Result<bool, RequestKeyError> {
        if day <= self.offer().keys.newest().0 {
            return Ok(false);
        }
        let keys = self.dir.turn(self.identity.pin(), day, rng)?;
        let offer = sign(&self.identity, keys, &self.operator, &self.addresses, self.limits);
        *self.offer.write().expect("nothing panics while it writes the offer") = offer;
        Ok(true)
    }

    /// Turns the day whenever midnight (UTC) has passed. A disk that refuses is tried again: until then yesterday's
    /// descriptor goes on.
    pub async fn keep(self: Arc<Self>) {
        let mut rng = UnwrapErr(getrandom::SysRng);
        loop {
            sleep(LOOK).await;
            match self.turn(clock::now().day(), &mut rng) {
                Ok(true) => tracing::info!("a new day: new request key"),
                Ok(false) => {}
                Err(error) => tracing::error!(%error, "no request key for the new day"),
            }
        }
    }

    fn offer(&self) -> Offer {
        self.offer.read().expect("nothing panics while it writes the offer").clone()
    }
}

fn limits(config: &Config) -> RelayLimits {
    RelayLimits {
        fetch_envelopes: config.fetch_envelopes,
        fetch_wait_secs: config.fetch_wait_secs,
        continued_idle_secs: u16::try_from(CONTINUED_IDLE_SECS).expect("an hour in seconds fits"),
        permits: config.permits,
    }
}

fn sign(
    identity: &RelayIdentity,
    keys: RequestKeys,
    operator: &Operator,
    addresses: &[HostPort],
    limits: RelayLimits,
) -> Offer {
    let (day, request_key) = keys.newest();
    let (operator, addresses) = (operator.clone(), addresses.to_vec());
    let descriptor = Descriptor { day, request_key, operator, addresses, limits };
    Offer { keys: Arc::new(keys), descriptor: descriptor.sign(identity).into() }
}

#[cfg(test)]
mod tests {
    use rand_chacha::ChaCha20Rng;
    use rand_core::SeedableRng as _;

    use super::*;

    fn today(folder: &tempfile::TempDir, day: u32) -> Today {
        let config = Config { data_dir: folder.path().to_owned(), ..Config::default() };
        let identity = RelayIdentity::from_seed(&[1; 32]);
        Today::begin(&config, identity, Day(day).start(), &mut ChaCha20Rng::seed_from_u64(1)).unwrap()
    }

    fn day_of(today: &Today) -> Day {
        let pin = today.identity.pin();
        Descriptor::parse_verified(&today.descriptor(), &pin).unwrap().descriptor().day
    }

    #[test]
    fn the_descriptor_offers_the_key_that_opens() {
        let folder = tempfile::tempdir().unwrap();
        let today = today(&folder, 20_000);
        let pin = today.identity.pin();
        let verified = Descriptor::parse_verified(&today.descriptor(), &pin).unwrap();
        assert_eq!(verified.descriptor().request_key, today.keys().newest().1);
        assert_eq!(verified.descriptor().addresses[0].to_string(), "127.0.0.1:4433");
    }

    #[test]
    fn a_new_day_brings_a_new_descriptor_and_keeps_yesterdays_key() {
        let folder = tempfile::tempdir().unwrap();
        let today = today(&folder, 20_000);
        let mut rng = ChaCha20Rng::seed_from_u64(2);
        assert!(!today.turn(Day(20_000), &mut rng).unwrap());
        assert!(today.turn(Day(20_001), &mut rng).unwrap());
        assert_eq!(day_of(&today), Day(20_001));
        assert!(today.keys().secret(Day(20_000)).is_some());
    }

    #[test]
    fn a_restart_offers_the_same_key() {
        let folder = tempfile::tempdir().unwrap();
        let first = today(&folder, 20_000).keys().newest().1;
        assert_eq!(today(&folder, 20_000).keys().newest().1, first);
    }
}
