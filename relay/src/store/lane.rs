//! The lanes of the log (docs/spec/store.md §4). What arrives and what is copied go to segments of their own.
//!
//! A segment of envelopes is soon empty; what was copied once has already outlived its neighbours. Written among new
//! envelopes it would have to be copied again whenever these are gone.

use core::ops::{Index, IndexMut};

/// Which of the log's segments in use a block goes to.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub enum Lane {
    /// What is written for the first time.
    #[default]
    News,
    /// What is written again, from a segment whose use shall end.
    Copies,
}

impl Lane {
    /// All of them.
    pub const ALL: [Self; 2] = [Self::News, Self::Copies];

    /// The lane of that number, as blocks tell it.
    pub fn from_number(number: u8) -> Option<Self> {
        Self::ALL.into_iter().find(|lane| lane.number() == number)
    }

    /// Its number in a block.
    pub fn number(self) -> u8 {
        self as u8
    }
}

/// Something of each lane.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub struct Lanes<T>([T; 2]);

impl<T> Lanes<T> {
    /// What is made of each lane's.
    pub fn map<U>(&self, of: impl FnMut(&T) -> U) -> Lanes<U> {
        Lanes(self.0.each_ref().map(of))
    }

    /// All of them.
    pub fn iter(&self) -> impl Iterator<Item = &T> {
        self.0.iter()
    }
}

impl<T> Index<Lane> for Lanes<T> {
    type Output = T;

    fn index(&self, lane: Lane) -> &T {
        &self.0[lane as usize]
    }
}

impl<T> IndexMut<Lane> for Lanes<T> {
    fn index_mut(&mut self, lane: Lane) -> &mut T {
        &mut self.0[lane as usize]
    }
}
