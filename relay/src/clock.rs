//! The relay's clock. The one place in the relay where time comes in; a wall clock that leaps ahead is held
//! (docs/spec/relay.md §1).

use std::sync::{LazyLock, Mutex};
use std::time::{Instant, SystemTime};

use poterne_protocol::time::UnixTime;
use poterne_relay_core::leap::HeldClock;

static CLOCK: LazyLock<Clock> = LazyLock::new(Clock::begin);

struct Clock {
    began: Instant,
    held: Mutex<Held>,
}

struct Held {
    clock: HeldClock,
    is_held: bool,
}

/// Now. It begins with what the system shows at the first call, which is believed.
pub fn now() -> UnixTime {
    CLOCK.now()
}

impl Clock {
    fn begin() -> Self {
        let held = Held { clock: HeldClock::new(wall(), 0), is_held: false };
        Self { began: Instant::now(), held: Mutex::new(held) }
    }

    fn now(&self) -> UnixTime {
        let mut held = self.held.lock().expect("nothing panics while it reads the clock");
        let time = held.clock.time(wall(), self.began.elapsed().as_secs());
        let is_held = time.held_secs > 0;
        if is_held != held.is_held {
            held.is_held = is_held;
            tell(time.held_secs / 3600);
        }
        time.now
    }
}

fn tell(hours: u64) {
    match hours {
        0 => tracing::warn!("the relay follows the clock of this machine again"),
        hours => tracing::error!(
            hours,
            "the clock of this machine has leapt ahead: nothing expires by it; set it right, or restart the relay if it is"
        ),
    }
}

/// What the system shows. A clock before 1970 counts as 1970.
fn wall() -> UnixTime {
    let since = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH);
    UnixTime(since.map_or(0, |elapsed| elapsed.as_secs()))
}
