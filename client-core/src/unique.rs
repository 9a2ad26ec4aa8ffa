//! Lists that hold each thing once: the order of a list is a preference, so the first place of each counts.

/// The items without repetitions, in their first order.
pub(crate) fn unique<T: PartialEq>(items: impl IntoIterator<Item = T>) -> Vec<T> {
    items.into_iter().fold(Vec::new(), |mut kept, item| {
        if !kept.contains(&item) {
            kept.push(item);
        }
        kept
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_item_keeps_its_first_place() {
        assert_eq!(unique([3, 1, 3, 2, 1]), [3, 1, 2]);
    }
}
