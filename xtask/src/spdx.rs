//! Licence expressions as they stand in Cargo.toml (SPDX, and the older `A/B`), judged against an allow-list.

/// Whether `expression` can be satisfied by licences that `is_allowed` takes. Unreadable expressions can't.
pub fn is_satisfied(expression: &str, is_allowed: &dyn Fn(&str) -> bool) -> bool {
    let words = words(expression);
    let mut rest = words.as_slice();
    any(&mut rest, is_allowed) == Some(true) && rest.is_empty()
}

fn words(expression: &str) -> Vec<String> {
    let spaced = expression.replace('(', " ( ").replace(')', " ) ").replace('/', " OR ");
    spaced.split_whitespace().map(str::to_owned).collect()
}

/// `all (OR all)*`; both sides are read in full, so that a broken right side is seen.
fn any(rest: &mut &[String], is_allowed: &dyn Fn(&str) -> bool) -> Option<bool> {
    let mut held = all(rest, is_allowed)?;
    while take(rest, "OR") {
        held |= all(rest, is_allowed)?;
    }
    Some(held)
}

/// `one (AND one)*`
fn all(rest: &mut &[String], is_allowed: &dyn Fn(&str) -> bool) -> Option<bool> {
    let mut held = one(rest, is_allowed)?;
    while take(rest, "AND") {
        held &= one(rest, is_allowed)?;
    }
    Some(held)
}

/// `( any )`, or a licence with or without an exception.
fn one(rest: &mut &[String], is_allowed: &dyn Fn(&str) -> bool) -> Option<bool> {
    if take(rest, "(") {
        let held = any(rest, is_allowed)?;
        return take(rest, ")").then_some(held);
    }
    let (licence, tail) = rest.split_first()?;
    *rest = tail;
    if !take(rest, "WITH") {
        return Some(is_allowed(licence));
    }
    let (exception, tail) = rest.split_first()?;
    *rest = tail;
    Some(is_allowed(&format!("{licence} WITH {exception}")))
}

fn take(rest: &mut &[String], word: &str) -> bool {
    match rest.split_first() {
        Some((first, tail)) if first == word => {
            *rest = tail;
            true
        }
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn judged(expression: &str) -> bool {
        is_satisfied(expression, &|licence| ["MIT", "Apache-2.0", "ISC"].contains(&licence))
    }

    #[test]
    fn one_allowed_side_of_an_or_is_enough() {
        assert!(judged("MIT OR GPL-3.0-only"));
        assert!(judged("Apache-2.0/MIT"));
        assert!(judged("GPL-2.0-only OR (ISC AND MIT)"));
    }

    #[test]
    fn an_and_needs_both_sides() {
        assert!(judged("ISC AND (Apache-2.0 OR GPL-3.0-only)"));
        assert!(!judged("MIT AND GPL-3.0-only"));
        assert!(!judged("(MIT OR Apache-2.0) AND Unicode-3.0"));
    }

    #[test]
    fn an_exception_is_a_licence_of_its_own() {
        assert!(!judged("Apache-2.0 WITH LLVM-exception"));
        assert!(judged("Apache-2.0 WITH LLVM-exception OR MIT"));
    }

    #[test]
    fn what_cannot_be_read_is_not_satisfied() {
        for broken in ["", "(MIT", "MIT OR", "MIT MIT", "MIT WITH", ")"] {
            assert!(!judged(broken), "{broken}");
        }
    }
}
