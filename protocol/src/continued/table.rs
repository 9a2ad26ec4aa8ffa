//! The relay's side: the channels that it holds between requests.

use std::collections::{BTreeMap, BTreeSet};

use crate::channel::{RelayChannel, RequestKeys};
use crate::frame::{ChannelId, ChannelOpening, Continued, Fault, OuterFrame};
use crate::kdf;
use crate::limits::{CONTINUED_ANSWER_BYTES, CONTINUED_CHANNELS, CONTINUED_IDLE_SECS};
use crate::secret_bytes::SecretBytes;
use crate::time::UnixTime;

/// How much a relay holds of its clients' channels.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct ContinuedLimits {
    /// Channels at once, at least 1. The one that was idle longest makes room.
    pub channels: usize,
    /// Bytes of remembered answers over all channels.
    pub answer_bytes: usize,
    /// Seconds after which an idle channel ends.
    pub idle_secs: u64,
}

impl Default for ContinuedLimits {
    fn default() -> Self {
        Self {
            channels: CONTINUED_CHANNELS,
            answer_bytes: CONTINUED_ANSWER_BYTES,
            idle_secs: CONTINUED_IDLE_SECS,
        }
    }
}

/// What the relay does with a frame.
#[derive(Debug)]
pub enum Turn {
    /// The same request is being carried out: its answer serves both. Ask again when it was given.
    Pending(ChannelId),
    /// It was answered already: send this again.
    Repeat(OuterFrame),
    /// A new request: carry it out, then call [`ContinuedChannels::answer`].
    Request {
        /// Whose request it is.
        channel: ChannelId,
        /// Its bytes ([`crate::inner::decode_request`]).
        inner: SecretBytes,
    },
}

/// A hash of what was sealed, by which a repeated request is known.
type Fingerprint = [u8; 32];

struct Held {
    channel: RelayChannel,
    /// Of the frame 3.
    opening: Fingerprint,
    /// Of the last request's sealed bytes, and its counter.
    last: (u64, Fingerprint),
    /// To the last request; nothing while it is carried out.
    answer: Option<OuterFrame>,
    last_used: UnixTime,
}

impl Held {
    fn answer_bytes(&self) -> usize {
        self.answer.as_ref().map_or(0, OuterFrame::body_bytes)
    }

    fn turn(&self) -> Turn {
        match &self.answer {
            Some(answer) => Turn::Repeat(answer.clone()),
            None => Turn::Pending(self.channel.id()),
        }
    }
}

/// The channels that go on from connection to connection.
pub struct ContinuedChannels {
    limits: ContinuedLimits,
    held: BTreeMap<ChannelId, Held>,
    by_opening: BTreeMap<Fingerprint, ChannelId>,
    by_use: BTreeSet<(UnixTime, ChannelId)>,
    answer_bytes: usize,
}

impl ContinuedChannels {
    /// An empty table.
    pub fn new(limits: ContinuedLimits) -> Self {
        Self {
            limits,
            held: BTreeMap::new(),
            by_opening: BTreeMap::new(),
            by_use: BTreeSet::new(),
            answer_bytes: 0,
        }
    }

    /// Looks a frame 3 up before it costs a decapsulation. A repeated one whose channel lives gets the first answer
    /// again; once the channel has gone on nobody waits for that, and the frame is a fault. `None` means that it is new.
    pub fn repeated_opening(
        &mut self,
        opening: &ChannelOpening,
        now: UnixTime,
    ) -> Option<Result<Turn, Fault>> {
        let id = *self.by_opening.get(&opening_fingerprint(opening))?;
        let held = self.held.get(&id)?;
        if held.last.0 != 0 {
            return Some(Err(Fault::ChannelUnknown));
        }
        let turn = held.turn();
        self.touch(id, now);
        Some(Ok(turn))
    }

    /// Takes in a channel that was just accepted from `opening`, with its first request. Where the same opening was
    /// accepted meanwhile, the first acceptance stays.
    pub fn begin(
        &mut self,
        opening: &ChannelOpening,
        channel: RelayChannel,
        inner: SecretBytes,
        now: UnixTime,
    ) -> Result<Turn, Fault> {
        if let Some(turn) = self.repeated_opening(opening, now) {
            return turn;
        }
        let id = channel.id();
        if self.held.contains_key(&id) {
            // Two first requests under one encapsulation: no client of ours does that.
            return Err(Fault::ChannelUnknown);
        }
        let fingerprint = opening_fingerprint(opening);
        let last = (0, fingerprint_of(&opening.sealed));
        self.by_opening.insert(fingerprint, id);
        self.by_use.insert((now, id));
        self.held.insert(id, Held { channel, opening: fingerprint, last, answer: None, last_used: now });
        self.make_room();
        Ok(Turn::Request { channel: id, inner })
    }

    /// Takes a frame 5: the next request, or the last one again. Anything else is a fault and changes nothing.
    pub fn go_on(&mut self, frame: &Continued, now: UnixTime) -> Result<Turn, Fault> {
        let held = self.held.get_mut(&frame.channel).ok_or(Fault::ChannelUnknown)?;
        let fingerprint = fingerprint_of(&frame.sealed);
        if (frame.counter, fingerprint) == held.last {
            let turn = held.turn();
            self.touch(frame.channel, now);
            return Ok(turn);
        }
        if frame.counter != held.channel.next_request() {
            return Err(Fault::ChannelUnknown);
        }
        if held.answer.is_none() {
            return Err(Fault::Busy);
        }
        let inner = held.channel.open_sealed(&frame.sealed).map_err(|_| Fault::ChannelUnknown)?;
        held.last = (frame.counter, fingerprint);
        self.answer_bytes -= held.answer_bytes();
        held.answer = None;
        self.touch(frame.channel, now);
        Ok(Turn::Request { channel: frame.channel, inner })
    }

    /// Seals the answer to the request that is being carried out, and remembers it. `None` where the channel is gone
    /// meanwhile, or nothing is asked: the client encapsulates anew.
    pub fn answer(&mut self, channel: &ChannelId, inner: &[u8], now: UnixTime) -> Option<OuterFrame> {
        let held = self.held.get_mut(channel).filter(|held| held.answer.is_none())?;
        let answer = held.channel.seal(inner).ok()?;
        self.answer_bytes += answer.body_bytes();
        held.answer = Some(answer.clone());
        self.touch(*channel, now);
        self.make_room();
        Some(answer)
    }

    /// Ends the channels that were idle for too long.
    pub fn handle_timeout(&mut self, now: UnixTime) {
        while let Some((last_used, id)) = self.by_use.first().copied() {
            if last_used.plus(self.limits.idle_secs) > now {
                return;
            }
            self.forget(&id);
        }
    }

    /// Ends the channels whose request key is erased.
    pub fn handle_rotation(&mut self, keys: &RequestKeys) {
        let is_erased = |held: &Held| keys.secret(held.channel.day()).is_none();
        let erased = self.held.iter().filter(|(_, held)| is_erased(held)).map(|(id, _)| *id);
        for id in erased.collect::<Vec<_>>() {
            self.forget(&id);
        }
    }

    /// When [`handle_timeout`](Self::handle_timeout) next has work to do.
    pub fn poll_timeout(&self) -> Option<UnixTime> {
        self.by_use.first().map(|(last_used, _)| last_used.plus(self.limits.idle_secs))
    }

    /// Channels held now.
    pub fn len(&self) -> usize {
        self.held.len()
    }

    /// Whether none is held.
    pub fn is_empty(&self) -> bool {
        self.held.is_empty()
    }

    /// Bytes of remembered answers.
    pub fn answer_bytes(&self) -> usize {
        self.answer_bytes
    }

    /// Drops what was idle longest until the bounds hold. The channel used last stays: its answer is on its way.
    fn make_room(&mut self) {
        while self.held.len() > 1
            && (self.held.len() > self.limits.channels || self.answer_bytes > self.limits.answer_bytes)
        {
            let (_, idlest) = *self.by_use.first().expect("every held channel has a last use");
            self.forget(&idlest);
        }
    }

    fn touch(&mut self, id: ChannelId, now: UnixTime) {
        if let Some(held) = self.held.get_mut(&id) {
            self.by_use.remove(&(held.last_used, id));
            // A clock that goes back leaves the order of use as it is.
            held.last_used = held.last_used.max(now);
            self.by_use.insert((held.last_used, id));
        }
    }

    fn forget(&mut self, id: &ChannelId) {
        if let Some(held) = self.held.remove(id) {
            self.by_opening.remove(&held.opening);
            self.by_use.remove(&(held.last_used, *id));
            self.answer_bytes -= held.answer_bytes();
        }
    }
}

fn opening_fingerprint(opening: &ChannelOpening) -> Fingerprint {
    kdf::hash(&[&opening.day.0.to_le_bytes(), opening.encapsulation.as_bytes(), &opening.sealed])
}

fn fingerprint_of(sealed: &[u8]) -> Fingerprint {
    kdf::hash(&[sealed])
}
