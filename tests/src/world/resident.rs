//! A real client machine in the world: its vault on a disk that can be cut off in the middle of any write, and the
//! person who uses it.
//!
//! It is the shell of docs/spec/client.md §1 and no more: effects are carried out in their order, and a save is durable
//! before the next effect is looked at. [`Habits::saves_late`] makes the mutant that a world must find.

use std::cell::RefCell;
use std::rc::Rc;

use poterne_client_core::effect::{CallError, CallId, Effect, Machine};
use poterne_client_core::vault::memory::MemoryDisk;
use poterne_client_core::vault::{Batch, Disk, DiskError, Params, Vault};
use poterne_protocol::op::Answer;
use poterne_protocol::time::UnixTime;
use rand_chacha::ChaCha20Rng;
use rand_chacha::rand_core::Rng;

use super::{Actor, Call};

const PASSPHRASE: &[u8] = b"the passphrase of everybody in this world";
/// Writes of a commit, among which a cut falls.
const WRITES: u64 = 12;

/// The vault of a resident.
pub type Home = Vault<SharedDisk>;

/// A machine that lives in a vault.
pub trait Living: Machine + Sized {
    /// The machine as its vault knows it.
    fn load(home: &Home) -> Self;
}

/// Who looks at a machine and uses it. What a person wants follows from what the machine shows, as with people: a text
/// that a crash has taken back is typed again.
pub trait Person<M> {
    /// Looks, and does what is to be done now.
    fn act(&mut self, machine: &mut M, home: &Home, now: UnixTime, dice: &mut ChaCha20Rng);
    /// When the person next wants to act.
    fn poll_timeout(&self) -> Option<UnixTime>;
    /// The machine was started again: what was asked of it and not answered is forgotten.
    fn restarted(&mut self) {}
}

/// How a resident's machine is treated.
#[derive(Clone, Copy, Debug)]
pub struct Habits {
    /// The sizes of the vault.
    pub vault: Params,
    /// In how many of a thousand saves the power goes.
    pub cut_permille: u64,
    /// The mutant: calls are made before the saves that they rely on.
    pub saves_late: bool,
}

/// A machine, its vault, and its person.
pub struct Resident<M, P> {
    disk: SharedDisk,
    home: Home,
    machine: M,
    person: P,
    habits: Habits,
    life: u32,
    has_news: bool,
    late: Vec<Batch>,
}

impl<M: Living, P: Person<M>> Resident<M, P> {
    /// Somebody with a fresh vault in which the machine is at home. Calls that it wanted to make are forgotten.
    pub fn new(mut machine: M, person: P, habits: Habits, dice: &mut ChaCha20Rng) -> Self {
        let disk = SharedDisk::new(habits.vault.file_bytes());
        let vault = Vault::format(disk.clone(), habits.vault, PASSPHRASE, dice);
        let mut home = vault.expect("a whole disk takes a vault");
        while let Some(effect) = machine.poll_effect() {
            if let Effect::Save(batch) = effect {
                home.commit(batch, dice).expect("a whole disk takes a commit");
            }
        }
        let machine = M::load(&home);
        Self { disk, home, machine, person, habits, life: 0, has_news: true, late: Vec::new() }
    }

    /// Carries one effect out. A call is handed on.
    fn carry_out(&mut self, effect: Effect, dice: &mut ChaCha20Rng) -> Option<Call> {
        match effect {
            Effect::Call(call) => {
                let number = u64::from(self.life) << 32 | call.id.0;
                Some(Call { number, relay: call.relay, request: call.request })
            }
            Effect::Save(batch) if self.habits.saves_late => {
                self.late.push(batch);
                None
            }
            Effect::Save(batch) => {
                self.save(batch, dice);
                None
            }
        }
    }

    fn save(&mut self, batch: Batch, dice: &mut ChaCha20Rng) {
        if dice.next_u64() % 1000 < self.habits.cut_permille {
            self.disk.plan_cut(dice);
        }
        if self.home.commit(batch, dice).is_err() {
            self.start_again(dice);
        }
    }

    /// The mutant comes round to what it should have saved.
    fn catch_up(&mut self, dice: &mut ChaCha20Rng) {
        for batch in std::mem::take(&mut self.late) {
            self.save(batch, dice);
        }
    }

    /// The machine is gone with all that was not saved; unsynced writes reached the disk or not, whole or torn.
    fn start_again(&mut self, dice: &mut ChaCha20Rng) {
        self.disk.cut(dice);
        self.late.clear();
        self.home =
            Vault::open(self.disk.clone(), PASSPHRASE).expect("a vault opens after a cut at any write");
        self.machine = M::load(&self.home);
        self.person.restarted();
        self.life += 1;
        self.has_news = true;
    }
}

impl<M: Living, P: Person<M>> Actor for Resident<M, P> {
    fn handle_timeout(&mut self, now: UnixTime, dice: &mut ChaCha20Rng) {
        self.catch_up(dice);
        self.machine.handle_timeout(now, dice);
        self.has_news = true;
    }

    fn handle_answer(&mut self, call: u64, answer: Option<Answer>, now: UnixTime, dice: &mut ChaCha20Rng) {
        self.catch_up(dice);
        if call >> 32 != u64::from(self.life) {
            return;
        }
        let id = CallId(call & u64::from(u32::MAX));
        self.machine.handle_answer(id, answer.ok_or(CallError::TimedOut), now, dice);
        self.has_news = true;
    }

    fn poll_call(&mut self, now: UnixTime, dice: &mut ChaCha20Rng) -> Option<Call> {
        loop {
            if let Some(effect) = self.machine.poll_effect() {
                if let Some(call) = self.carry_out(effect, dice) {
                    return Some(call);
                }
            } else if self.has_news {
                self.has_news = false;
                self.person.act(&mut self.machine, &self.home, now, dice);
            } else {
                return None;
            }
        }
    }

    fn poll_timeout(&self) -> Option<UnixTime> {
        [self.machine.poll_timeout(), self.person.poll_timeout()].into_iter().flatten().min()
    }

    fn crash(&mut self, _now: UnixTime, dice: &mut ChaCha20Rng) {
        self.start_again(dice);
    }
}

/// A disk that the world holds on to while a vault uses it.
#[derive(Clone)]
pub struct SharedDisk(Rc<RefCell<MemoryDisk>>);

impl SharedDisk {
    fn new(bytes: u64) -> Self {
        Self(Rc::new(RefCell::new(MemoryDisk::new(bytes))))
    }

    /// Some write or sync to come fails, and everything after it.
    fn plan_cut(&self, dice: &mut ChaCha20Rng) {
        let (kind, writes) = (dice.next_u64() % 3, dice.next_u64() % WRITES);
        let mut disk = self.0.borrow_mut();
        match kind {
            0 => disk.fail_after(writes),
            1 => disk.tear_after(writes),
            _ => disk.fail_next_sync(),
        }
    }

    fn cut(&self, dice: &mut ChaCha20Rng) {
        self.0.borrow_mut().crash_randomly(dice);
    }
}

impl Disk for SharedDisk {
    fn len(&self) -> u64 {
        self.0.borrow().len()
    }

    fn read_at(&self, offset: u64, buffer: &mut [u8]) -> Result<(), DiskError> {
        self.0.borrow().read_at(offset, buffer)
    }

    fn write_at(&mut self, offset: u64, bytes: &[u8]) -> Result<(), DiskError> {
        self.0.borrow_mut().write_at(offset, bytes)
    }

    fn sync(&mut self) -> Result<(), DiskError> {
        self.0.borrow_mut().sync()
    }
}
