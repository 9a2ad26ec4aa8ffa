//! Licence, ban and duplicate rules over the dependency tree. The tables with their reasons: `rules_table`.

use std::collections::{BTreeMap, BTreeSet};

use crate::crates::{Package, Tree};
use crate::rules_table::{ALLOWED_LICENCES, BANS, Ban, ONE_COPY};
use crate::spdx;
use crate::tally::Tally;

pub fn step(tally: &mut Tally) {
    tally.step("licences, bans, duplicates");
    match Tree::read() {
        Ok(tree) => {
            report(tally, "licences", tree.all().filter_map(licence_fault).collect());
            report(tally, "bans", tree.all().filter_map(ban_fault).collect());
            report(tally, "duplicates", duplicate_faults(tree.shipped()));
        }
        Err(error) => tally.fail(format_args!("licences, bans, duplicates: {error:#}")),
    }
}

fn report(tally: &mut Tally, rule: &str, faults: Vec<String>) {
    if faults.is_empty() {
        tally.pass(1);
    }
    for fault in faults {
        tally.fail(format_args!("{rule}: {fault}"));
    }
}

fn licence_fault(package: &Package) -> Option<String> {
    let licence = package.licence.as_deref().unwrap_or("");
    let is_allowed = |licence: &str| ALLOWED_LICENCES.contains(&licence);
    let fault = || format!("{} {} has the licence `{licence}`", package.name, package.version);
    (!spdx::is_satisfied(licence, &is_allowed)).then(fault)
}

fn ban_fault(package: &Package) -> Option<String> {
    let ban = BANS.iter().find(|ban| is_named(ban, &package.name))?;
    let allowed = ban.allowed_from.is_some_and(|from| version(&package.version) >= Some(from));
    let fault = || format!("{} {}: {}", package.name, package.version, ban.reason);
    (!allowed).then(fault)
}

fn is_named(ban: &Ban, name: &str) -> bool {
    match ban.name.strip_suffix('*') {
        Some(prefix) => name.starts_with(prefix),
        None => name == ban.name,
    }
}

/// Major, minor and patch; a pre-release counts as its release.
fn version(text: &str) -> Option<(u64, u64, u64)> {
    let release = text.split(['-', '+']).next()?;
    let mut numbers = release.split('.').map(str::parse);
    match (numbers.next(), numbers.next(), numbers.next()) {
        (Some(Ok(major)), Some(Ok(minor)), Some(Ok(patch))) => Some((major, minor, patch)),
        _ => None,
    }
}

fn duplicate_faults<'a>(packages: impl Iterator<Item = &'a Package>) -> Vec<String> {
    let mut versions: BTreeMap<&str, BTreeSet<&str>> = BTreeMap::new();
    for package in packages.filter(|package| ONE_COPY.contains(&package.name.as_str())) {
        versions.entry(&package.name).or_default().insert(&package.version);
    }
    let doubled = versions.iter().filter(|(_, versions)| versions.len() > 1);
    doubled.map(|(name, versions)| format!("{name} stands in the tree as {versions:?}")).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn package(name: &str, version: &str, licence: &str) -> Package {
        Package { name: name.into(), version: version.into(), licence: Some(licence.into()) }
    }

    #[test]
    fn a_copyleft_licence_is_a_fault() {
        assert!(licence_fault(&package("a", "1.0.0", "AGPL-3.0-only")).is_some());
        assert!(licence_fault(&package("a", "1.0.0", "MIT OR Apache-2.0")).is_none());
        assert!(licence_fault(&Package { licence: None, ..package("a", "1.0.0", "") }).is_some());
    }

    #[test]
    fn a_banned_generation_is_a_fault_and_the_next_is_not() {
        assert!(ban_fault(&package("ml-kem", "0.3.3", "MIT")).is_some());
        assert!(ban_fault(&package("ml-kem", "0.3.4", "MIT")).is_none());
        assert!(ban_fault(&package("ml-kem", "0.4.0-rc.1", "MIT")).is_none());
    }

    #[test]
    fn a_ban_with_a_star_meets_every_ending() {
        assert!(ban_fault(&package("openssl-sys", "0.9.1", "MIT")).is_some());
        assert!(ban_fault(&package("openss", "0.9.1", "MIT")).is_none());
    }

    #[test]
    fn two_copies_of_a_primitive_are_a_fault() {
        let (old, new) = (package("sha2", "0.10.0", "MIT"), package("sha2", "0.11.1", "MIT"));
        assert_eq!(duplicate_faults([&old, &new].into_iter()).len(), 1);
        assert_eq!(duplicate_faults([&new, &new].into_iter()).len(), 0);
    }
}
