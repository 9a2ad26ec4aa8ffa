//! Logs to stderr, without identifiers (docs/operators/relay.md §6).
//!
//! Invariant: only our own crates are ever heard. What quinn, rustls and sled log names addresses and keys of records,
//! so nothing of theirs passes, whatever the level or the environment says.

use tracing::Level;
use tracing_subscriber::filter::{LevelFilter, Targets};
use tracing_subscriber::layer::SubscriberExt as _;
use tracing_subscriber::util::{SubscriberInitExt as _, TryInitError};

/// The crates whose events are written with care for what they say.
const OUR_CRATES: [&str; 4] =
    ["poterne_protocol", "poterne_relay", "poterne_relay_core", "poterne_transport"];

/// Starts logging at `level`: error, warn, info, debug or trace; anything else is info.
pub fn start(level: &str) -> Result<(), TryInitError> {
    let lines = tracing_subscriber::fmt::layer().with_writer(std::io::stderr).with_ansi(false);
    tracing_subscriber::registry().with(lines).with(filter(level)).try_init()
}

fn filter(level: &str) -> Targets {
    let level: Level = level.parse().unwrap_or(Level::INFO);
    let ours = OUR_CRATES.map(|name| (name, LevelFilter::from_level(level)));
    Targets::new().with_default(LevelFilter::OFF).with_targets(ours)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn foreign_crates_are_silent_at_every_level() {
        for level in ["error", "trace"] {
            for foreign in ["quinn", "quinn_proto::connection", "rustls::server", "sled", "h2"] {
                assert!(!filter(level).would_enable(foreign, &Level::ERROR), "{foreign} at {level}");
            }
        }
    }

    #[test]
    fn our_crates_are_heard_up_to_the_level() {
        assert!(filter("debug").would_enable("poterne_relay::listen", &Level::DEBUG));
        assert!(!filter("info").would_enable("poterne_transport", &Level::DEBUG));
        assert!(filter("nonsense").would_enable("poterne_relay", &Level::INFO));
    }
}
