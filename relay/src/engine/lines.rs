//! Requests that wait, in a line for each connection (docs/spec/relay.md §1.1). The lines are served in turns, a request
//! at a time, and nobody may have more waiting than there is room left: alone a connection has half of the room, beside
//! n others that want all they can get 1/(n + 2), and as much is left for who comes with nothing (dynamic thresholds:
//! Choudhury and Hahne, 1998).
//!
//! All steps take a time that does not grow with what waits, and none allocates once as much has waited before.
//!
//! Invariants: a connection stands in `turns`, once, while it has a request waiting; in `served`, once, while it has one
//! in the next group; in `lines` while it has either.

use std::collections::{HashMap, VecDeque};

use poterne_transport::listen::Source;

/// Requests, and the puts among them.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub(super) struct Count {
    pub(super) puts: usize,
    pub(super) requests: usize,
}

impl Count {
    fn add(&mut self, is_put: bool) {
        self.requests += 1;
        self.puts += usize::from(is_put);
    }

    fn subtract(&mut self, other: Self) {
        self.requests -= other.requests;
        self.puts -= other.puts;
    }

    /// Whether one more finds room beside `all`, of which this is one connection's part, where there is so much.
    fn may_grow(self, all: Self, room: Self, is_put: bool) -> bool {
        let grows = |own: usize, all: usize, room: usize| own < room.saturating_sub(all);
        grows(self.requests, all.requests, room.requests)
            && (!is_put || grows(self.puts, all.puts, room.puts))
    }
}

/// The lines of all connections.
pub(super) struct Lines<T> {
    lines: HashMap<Source, Line>,
    turns: VecDeque<Source>,
    served: Vec<Source>,
    /// What waits, here and for the next group.
    all: Count,
    waiting: usize,
    places: Places<T>,
}

/// One connection's line.
#[derive(Default)]
struct Line {
    first: usize,
    last: usize,
    waiting: usize,
    /// Here and for the next group.
    held: Count,
    /// For the next group.
    served: Count,
}

impl<T> Lines<T> {
    pub(super) fn new() -> Self {
        Self {
            lines: HashMap::new(),
            turns: VecDeque::new(),
            served: Vec::new(),
            all: Count::default(),
            waiting: 0,
            places: Places { places: Vec::new(), free: None },
        }
    }

    /// Requests that wait here.
    pub(super) fn len(&self) -> usize {
        self.waiting
    }

    /// Puts a request at the end of its connection's line, where that may have one more of so much room.
    pub(super) fn push(&mut self, source: Source, is_put: bool, room: Count, request: T) -> bool {
        let held = self.lines.get(&source).map_or(Count::default(), |line| line.held);
        if !held.may_grow(self.all, room, is_put) {
            return false;
        }
        let place = self.places.take(Waiter { request, is_put });
        let line = self.lines.entry(source).or_default();
        if line.waiting == 0 {
            line.first = place;
            self.turns.push_back(source);
        } else {
            self.places.link(line.last, place);
        }
        line.last = place;
        line.waiting += 1;
        line.held.add(is_put);
        self.all.add(is_put);
        self.waiting += 1;
        true
    }

    /// The first request of the line whose turn it is, for the next group.
    pub(super) fn pop(&mut self) -> Option<T> {
        let source = self.turns.pop_front()?;
        let line = self.lines.get_mut(&source).expect("who has a turn has a line");
        let (Waiter { request, is_put }, next) = self.places.leave(line.first);
        line.first = next;
        line.waiting -= 1;
        if line.waiting > 0 {
            self.turns.push_back(source);
        }
        if line.served.requests == 0 {
            self.served.push(source);
        }
        line.served.add(is_put);
        self.waiting -= 1;
        Some(request)
    }

    /// The next group is on its way: what was popped waits no more.
    pub(super) fn begun(&mut self) {
        for source in self.served.drain(..) {
            let line = self.lines.get_mut(&source).expect("who was served has a line");
            let served = std::mem::take(&mut line.served);
            line.held.subtract(served);
            self.all.subtract(served);
            if line.waiting == 0 {
                self.lines.remove(&source);
            }
        }
    }
}

struct Waiter<T> {
    request: T,
    is_put: bool,
}

/// Places for those who wait, chained to lines; those that are free are one line more.
struct Places<T> {
    places: Vec<Place<T>>,
    free: Option<usize>,
}

struct Place<T> {
    waiter: Option<Waiter<T>>,
    /// The place behind it, where there is one: its line, or that of the free ones, knows.
    next: usize,
}

impl<T> Places<T> {
    fn take(&mut self, waiter: Waiter<T>) -> usize {
        let Some(place) = self.free else {
            self.places.push(Place { waiter: Some(waiter), next: usize::MAX });
            return self.places.len() - 1;
        };
        let taken = &mut self.places[place];
        self.free = Some(taken.next).filter(|next| *next != usize::MAX);
        *taken = Place { waiter: Some(waiter), next: usize::MAX };
        place
    }

    fn link(&mut self, place: usize, next: usize) {
        self.places[place].next = next;
    }

    /// Frees a place. Gives who waited there, and the place behind it.
    fn leave(&mut self, place: usize) -> (Waiter<T>, usize) {
        let left = &mut self.places[place];
        let waiter = left.waiter.take().expect("somebody waits in each place of a line");
        let next = std::mem::replace(&mut left.next, self.free.unwrap_or(usize::MAX));
        self.free = Some(place);
        (waiter, next)
    }
}

#[cfg(test)]
mod tests {
    use proptest::collection::vec;
    use proptest::prelude::*;

    use super::*;

    const ROOM: Count = Count { puts: 8, requests: 64 };

    fn pushes(lines: &mut Lines<u64>, source: u64, is_put: bool) -> bool {
        lines.push(Source(source), is_put, ROOM, source)
    }

    /// How many of a hundred puts at once it gets in.
    fn flood(lines: &mut Lines<u64>, source: u64) -> usize {
        (0..100).filter(|_| pushes(lines, source, true)).count()
    }

    fn popped(lines: &mut Lines<u64>, most: usize) -> Vec<u64> {
        std::iter::from_fn(|| lines.pop()).take(most).collect()
    }

    #[test]
    fn lines_are_served_in_turns() {
        let mut lines = Lines::new();
        for source in [1, 1, 1, 2, 3, 3] {
            assert!(pushes(&mut lines, source, false));
        }
        assert_eq!(popped(&mut lines, 4), [1, 2, 3, 1]);
        assert!(pushes(&mut lines, 2, false));
        assert_eq!(popped(&mut lines, 4), [3, 1, 2]);
    }

    #[test]
    fn of_one_connection_what_came_first_is_first() {
        let mut lines = Lines::new();
        for number in 0..5 {
            assert!(lines.push(Source(1), false, ROOM, number));
        }
        assert_eq!(popped(&mut lines, 9), [0, 1, 2, 3, 4]);
    }

    #[test]
    fn alone_a_connection_has_half_of_the_room() {
        assert_eq!(flood(&mut Lines::new(), 1), ROOM.puts / 2);
    }

    #[test]
    fn greedy_connections_share_and_leave_a_place_to_who_has_none() {
        let mut lines = Lines::new();
        for _ in 0..9 {
            (1..=3).for_each(|source| _ = pushes(&mut lines, source, true));
        }
        assert!(pushes(&mut lines, 4, true));
        assert!(!pushes(&mut lines, 1, true));
        assert_eq!(popped(&mut lines, 9), [1, 2, 3, 4, 1, 2, 3]);
    }

    #[test]
    fn a_flood_of_other_requests_takes_no_room_from_puts() {
        let mut lines = Lines::new();
        let others = (0..100).filter(|_| pushes(&mut lines, 1, false)).count();
        assert_eq!(others, ROOM.requests / 2);
        assert_eq!(flood(&mut lines, 2), ROOM.puts / 2);
    }

    #[test]
    fn what_was_taken_for_the_next_group_counts_until_that_begins() {
        let mut lines = Lines::new();
        assert_eq!(flood(&mut lines, 1), 4);
        assert_eq!(popped(&mut lines, 3).len(), 3);
        assert_eq!(flood(&mut lines, 1), 0);
        lines.begun();
        assert_eq!(flood(&mut lines, 1), 3);
    }

    #[derive(Clone, Copy, Debug)]
    enum Step {
        Begin,
        Pop,
        Push(u64, bool),
    }

    fn step() -> impl Strategy<Value = Step> {
        prop_oneof![
            1 => Just(Step::Begin),
            8 => Just(Step::Pop),
            12 => (0..5u64, any::<bool>()).prop_map(|(source, is_put)| Step::Push(source, is_put)),
        ]
    }

    proptest! {
        #[test]
        fn whatever_comes_nothing_is_lost_and_nothing_counts_for_ever(steps in vec(step(), 0..300)) {
            let (mut lines, mut inside) = (Lines::new(), 0);
            for step in steps {
                match step {
                    Step::Begin => lines.begun(),
                    Step::Pop => inside -= usize::from(lines.pop().is_some()),
                    Step::Push(source, is_put) => inside += usize::from(pushes(&mut lines, source, is_put)),
                }
                prop_assert_eq!(lines.len(), inside);
                prop_assert!(lines.all.requests <= ROOM.requests && lines.all.puts <= ROOM.puts);
                prop_assert!(lines.places.places.len() <= ROOM.requests);
            }
            prop_assert_eq!(popped(&mut lines, usize::MAX).len(), inside);
            lines.begun();
            prop_assert!(lines.lines.is_empty() && lines.turns.is_empty());
            prop_assert_eq!(lines.all, Count::default());
        }
    }
}
