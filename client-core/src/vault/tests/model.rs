//! The vault against a `BTreeMap`, with commits, reopenings and power cuts in any order.

use std::collections::BTreeMap;

use proptest::prelude::*;

use super::*;

#[derive(Clone, Debug)]
enum Step {
    Commit(Vec<(u8, Option<(u8, usize)>)>),
    Cut { after: u64, changes: Vec<(u8, Option<(u8, usize)>)>, seed: u64 },
    Reopen,
}

type Model = BTreeMap<Vec<u8>, Vec<u8>>;

fn changes() -> impl Strategy<Value = Vec<(u8, Option<(u8, usize)>)>> {
    let length = prop_oneof![4 => 0..200usize, 2 => 900..1200usize, 1 => 4000..13_000usize];
    let value = proptest::option::weighted(0.7, (any::<u8>(), length));
    proptest::collection::vec((0..24u8, value), 0..6)
}

fn step() -> impl Strategy<Value = Step> {
    prop_oneof![
        6 => changes().prop_map(Step::Commit),
        2 => (0..14u64, changes(), any::<u64>()).prop_map(|(after, changes, seed)| Step::Cut { after, changes, seed }),
        1 => Just(Step::Reopen),
    ]
}

fn batch_of(changes: &[(u8, Option<(u8, usize)>)]) -> Batch {
    let mut batch = Batch::new();
    for (key, value) in changes {
        match value {
            None => batch.delete(&[b'k', *key]),
            Some((fill, length)) => batch.put(&[b'k', *key], vec![*fill; *length]),
        }
    }
    batch
}

fn applied(model: &Model, changes: &[(u8, Option<(u8, usize)>)]) -> Model {
    let mut model = model.clone();
    for (key, value) in changes {
        match value {
            None => drop(model.remove(&vec![b'k', *key])),
            Some((fill, length)) => drop(model.insert(vec![b'k', *key], vec![*fill; *length])),
        }
    }
    model
}

fn cut(
    mut vault: Vault<MemoryDisk>,
    model: &mut Model,
    after: u64,
    changes: &[(u8, Option<(u8, usize)>)],
    seed: u64,
) -> Vault<MemoryDisk> {
    if after == 0 {
        vault.disk.fail_next_sync();
    } else {
        vault.disk.fail_after(after);
    }
    let result = vault.commit(batch_of(changes), &mut rng(seed));
    let mut disk = vault.into_disk();
    disk.crash_randomly(&mut rng(seed.wrapping_add(1)));
    let vault = Vault::open(disk, PASSPHRASE).unwrap();
    let new = applied(model, changes);
    let found: Model = contents(&vault).into_iter().collect();
    match result {
        Ok(()) => assert_eq!(found, new),
        Err(CommitError::Full { .. }) => assert_eq!(found, *model),
        Err(_) => assert!(found == *model || found == new),
    }
    *model = found;
    vault
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 96, ..ProptestConfig::default() })]

    #[test]
    fn the_vault_holds_what_the_model_holds(steps in proptest::collection::vec(step(), 1..40)) {
        let mut vault = vault_with(Params::new(MEMORY_KIB_MIN, 1, 1, 48).unwrap());
        let mut model = Model::new();
        for (seed, step) in (0..).zip(steps) {
            match step {
                Step::Reopen => vault = reopen(vault),
                Step::Cut { after, changes, seed } => vault = cut(vault, &mut model, after, &changes, seed),
                Step::Commit(changes) => match vault.commit(batch_of(&changes), &mut rng(seed)) {
                    Ok(()) => model = applied(&model, &changes),
                    Err(CommitError::Full { .. }) => {}
                    Err(error) => panic!("{error}"),
                },
            }
            prop_assert_eq!(&contents(&vault).into_iter().collect::<Model>(), &model);
        }
        let free = vault.free_pages();
        prop_assert_eq!(reopen(vault).free_pages(), free);
    }
}
