//! Publishing from a coordinator's device: the next step at each relay, one call at a time (docs/spec/notice.md §7).
//!
//! A step that a relay refuses holds up its own epoch at that relay, and nothing else.

use poterne_protocol::keys::Pin;
use poterne_protocol::op::Answer;
use poterne_protocol::time::UnixTime;
use rand_core::CryptoRng;

use super::coordinator::Step;
use super::seat::Seat;
use super::{Device, Purpose, stored};
use crate::desk::epoch::Epoch;
use crate::effect::CallResult;
use crate::vault::Batch;

/// Seconds before a step that failed is tried again.
const AGAIN_SECS: u64 = 60;

impl Device {
    /// Makes missing notices, and takes the next step of publishing at each relay.
    pub(super) fn publish(&mut self, now: UnixTime, rng: &mut impl CryptoRng) {
        let own = self.identity();
        let Some(coordinator) = &mut self.coordinator else { return };
        let devices: Vec<_> = std::iter::once(own).chain(self.others.iter().copied()).collect();
        let grants = coordinator.publish_ahead(now.day(), &devices, rng);
        let steps = coordinator.next_steps(now.day());
        if !grants.is_empty() {
            let mut batch = Batch::new();
            for (index, grant) in grants {
                if index == own.index {
                    self.sit_down(Seat::new(grant), &mut batch);
                } else {
                    self.granted.push((index, grant));
                }
            }
            self.save_desk(batch);
        }
        self.refused.retain(|(_, epoch), _| epoch.day >= now.day());
        for (pin, step) in steps {
            self.take_step(pin, step, now);
        }
    }

    fn sit_down(&mut self, seat: Seat, batch: &mut Batch) {
        let epoch = seat.grant.epoch;
        let made = self.coordinator.as_ref().and_then(|coordinator| coordinator.days.get(&epoch));
        stored::write_seat(batch, &seat, made);
        self.seats.insert(epoch, seat);
    }

    fn take_step(&mut self, pin: Pin, step: Step, now: UnixTime) {
        let is_early = self.publish_due.get(&(pin, step.epoch)).is_some_and(|due| now < *due);
        let is_busy = self.calls.any(|at, purpose| *at == pin && matches!(purpose, Purpose::Publish { .. }));
        if is_early || is_busy {
            return;
        }
        self.publish_due.remove(&(pin, step.epoch));
        if let Some(request) =
            self.coordinator.as_ref().and_then(|coordinator| coordinator.request(&pin, step))
        {
            self.call(pin, request, Purpose::Publish { step });
        }
    }

    pub(super) fn handle_published(&mut self, pin: Pin, step: Step, result: CallResult, now: UnixTime) {
        let Some(coordinator) = &mut self.coordinator else { return };
        let place = (pin, step.epoch);
        if matches!(result, Ok(Answer::Refused)) {
            self.refused.insert(place, step);
        }
        if result.is_ok_and(|answer| coordinator.handle_answer(&pin, step, &answer)) {
            self.refused.remove(&place);
            self.save_seat(step.epoch);
        } else {
            self.publish_due.insert(place, now.plus(AGAIN_SECS));
        }
    }

    /// Puts what is known of an epoch into a commit.
    pub(super) fn save_seat(&mut self, epoch: Epoch) {
        let Some(seat) = self.seats.get(&epoch) else { return };
        let made = self.coordinator.as_ref().and_then(|coordinator| coordinator.days.get(&epoch));
        let mut batch = Batch::new();
        stored::write_seat(&mut batch, seat, made);
        self.effects.save(batch);
    }
}
