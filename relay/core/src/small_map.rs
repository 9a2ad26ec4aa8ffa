//! An ordered map that is one short list while it is small, which nearly all mailboxes are, and a tree from then on.
//!
//! A list of one costs a quarter of a tree of one, and a million mailboxes hold one envelope each; an intake of a
//! million envelopes must not be a list.

use std::collections::BTreeMap;

/// Entries up to which the map stays a list: the quota of a plain mailbox.
const FEW: usize = 64;

/// An ordered map, compact while it has at most 64 entries.
#[derive(Clone, Debug)]
pub struct SmallMap<K, V>(Shape<K, V>);

#[derive(Clone, Debug)]
enum Shape<K, V> {
    Few(Vec<(K, V)>),
    Many(BTreeMap<K, V>),
}

impl<K, V> Default for SmallMap<K, V> {
    fn default() -> Self {
        Self(Shape::Few(Vec::new()))
    }
}

impl<K: Copy + Ord, V: PartialEq> PartialEq for SmallMap<K, V> {
    fn eq(&self, other: &Self) -> bool {
        self.len() == other.len() && self.iter().eq(other.iter())
    }
}
impl<K: Copy + Ord, V: Eq> Eq for SmallMap<K, V> {}

impl<K: Copy + Ord, V> SmallMap<K, V> {
    /// How many entries there are.
    pub fn len(&self) -> usize {
        match &self.0 {
            Shape::Few(list) => list.len(),
            Shape::Many(tree) => tree.len(),
        }
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// The value of `key`.
    pub fn get(&self, key: &K) -> Option<&V> {
        match &self.0 {
            Shape::Few(list) => search(list, key).ok().map(|at| &list[at].1),
            Shape::Many(tree) => tree.get(key),
        }
    }

    /// The value of `key`, to be changed.
    pub fn get_mut(&mut self, key: &K) -> Option<&mut V> {
        match &mut self.0 {
            Shape::Few(list) => search(list, key).ok().map(|at| &mut list[at].1),
            Shape::Many(tree) => tree.get_mut(key),
        }
    }

    /// Sets the value of `key`; gives back the one it had.
    pub fn insert(&mut self, key: K, value: V) -> Option<V> {
        self.grow();
        match &mut self.0 {
            Shape::Few(list) => match search(list, &key) {
                Ok(at) => Some(core::mem::replace(&mut list[at].1, value)),
                Err(at) => {
                    if list.len() == list.capacity() {
                        // Twice as much, as a list grows by itself, would be idle in most of a million mailboxes.
                        list.reserve_exact(1 + list.len() / 4);
                    }
                    list.insert(at, (key, value));
                    None
                }
            },
            Shape::Many(tree) => tree.insert(key, value),
        }
    }

    /// Takes `key` out.
    pub fn remove(&mut self, key: &K) -> Option<V> {
        match &mut self.0 {
            Shape::Few(list) => search(list, key).ok().map(|at| list.remove(at).1),
            Shape::Many(tree) => tree.remove(key),
        }
    }

    /// All entries in the order of their keys.
    pub fn iter(&self) -> impl DoubleEndedIterator<Item = (&K, &V)> {
        let (few, many) = match &self.0 {
            Shape::Few(list) => (&list[..], None),
            Shape::Many(tree) => (&[][..], Some(tree.iter())),
        };
        few.iter().map(|(key, value)| (key, value)).chain(many.into_iter().flatten())
    }

    /// The entries from `start` on, in the order of their keys.
    pub fn from(&self, start: K) -> impl DoubleEndedIterator<Item = (&K, &V)> {
        let (few, many) = match &self.0 {
            Shape::Few(list) => (&list[list.partition_point(|(key, _)| *key < start)..], None),
            Shape::Many(tree) => (&[][..], Some(tree.range(start..))),
        };
        few.iter().map(|(key, value)| (key, value)).chain(many.into_iter().flatten())
    }

    /// Keeps the entries for which `keep` holds.
    pub fn retain(&mut self, mut keep: impl FnMut(&K, &V) -> bool) {
        match &mut self.0 {
            Shape::Few(list) => {
                list.retain(|(key, value)| keep(key, value));
                list.shrink_to(2 * list.len());
            }
            Shape::Many(tree) => tree.retain(|key, value| keep(key, value)),
        }
        if self.is_empty() {
            *self = Self::default();
        }
    }

    fn grow(&mut self) {
        if let Shape::Few(list) = &mut self.0
            && list.len() == FEW
        {
            self.0 = Shape::Many(core::mem::take(list).into_iter().collect());
        }
    }
}

fn search<K: Ord, V>(list: &[(K, V)], key: &K) -> Result<usize, usize> {
    list.binary_search_by(|(other, _)| other.cmp(key))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn map(keys: core::ops::Range<u8>) -> SmallMap<u8, u8> {
        let mut map = SmallMap::default();
        keys.for_each(|key| _ = map.insert(key, key));
        map
    }

    #[test]
    fn it_is_a_list_up_to_64_entries_and_then_a_tree() {
        assert!(matches!(map(0..64).0, Shape::Few(_)));
        assert!(matches!(map(0..65).0, Shape::Many(_)));
    }

    #[test]
    fn two_maps_are_equal_by_their_entries_whatever_their_shape() {
        let mut shrunk = map(0..65);
        shrunk.remove(&64);
        assert_eq!(shrunk, map(0..64));
        assert_ne!(map(0..3), map(0..4));
        assert_ne!(map(0..3), map(1..4));
    }

    #[test]
    fn a_value_is_changed_in_place_in_either_shape() {
        for keys in [0..3, 0..65] {
            let mut map = map(keys);
            *map.get_mut(&1).expect("it is there") = 9;
            assert_eq!(map.get(&1), Some(&9));
            assert_eq!(map.get_mut(&200), None);
        }
    }

    proptest! {
        #[test]
        fn it_is_a_tree_by_another_shape(steps in proptest::collection::vec((any::<bool>(), 0u8..100, any::<u8>()), 0..300)) {
            let (mut map, mut tree) = (SmallMap::default(), BTreeMap::new());
            for (insert, key, value) in steps {
                if insert {
                    prop_assert_eq!(map.insert(key, value), tree.insert(key, value));
                } else {
                    prop_assert_eq!(map.remove(&key), tree.remove(&key));
                }
                prop_assert_eq!(map.get(&key), tree.get(&key));
                prop_assert!(map.iter().eq(tree.iter()));
                prop_assert!(map.from(key).rev().eq(tree.range(key..).rev()));
            }
            map.retain(|key, _| key % 3 == 0);
            tree.retain(|key, _| key % 3 == 0);
            prop_assert!(map.iter().eq(tree.iter()) && map.len() == tree.len());
        }
    }
}
