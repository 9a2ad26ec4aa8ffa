//! The system's clock. The one place in the relay where time comes in.

use std::time::SystemTime;

use poterne_protocol::time::UnixTime;

/// Now. A clock before 1970 counts as 1970.
pub fn now() -> UnixTime {
    let since = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH);
    UnixTime(since.map_or(0, |elapsed| elapsed.as_secs()))
}
