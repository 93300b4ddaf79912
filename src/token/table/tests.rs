use std::collections::HashMap;

use proptest::prelude::*;

use super::*;

/// Twelve tokens of which many end alike, so that they want the same place.
fn token(number: u8) -> Vec<u8> {
    let end = [b"0123456789abcdef", b"fedcba9876543210"][usize::from(number % 4 == 3)];
    [&[b'a' + number][..], &b"x".repeat(number.into()), end].concat()
}

#[derive(Clone, Debug)]
enum Step {
    Insert(u8),
    Get(u8),
    Remove(u8),
    Evict,
}

fn steps() -> impl Strategy<Value = Vec<Step>> {
    let number = 0..12_u8;
    let step = prop_oneof![
        4 => number.clone().prop_map(Step::Insert),
        4 => number.clone().prop_map(Step::Get),
        2 => number.prop_map(Step::Remove),
        1 => Just(Step::Evict),
    ];
    prop::collection::vec(step, 0..200)
}

proptest! {
    /// Whatever is done, it holds what a plain map holds that drops the same, and is never too full.
    #[test]
    fn it_is_a_map(entries_max in 0..9_usize, steps in steps()) {
        let mut table = Table::new(entries_max);
        let mut plain: HashMap<Vec<u8>, usize> = HashMap::new();
        for (value, step) in steps.into_iter().enumerate() {
            match step {
                Step::Insert(number) if entries_max > 0 && !plain.contains_key(&token(number)) => {
                    if table.is_full() {
                        let (dropped, old) = table.evict().unwrap();
                        prop_assert_eq!(plain.remove(&*dropped), Some(old));
                    }
                    table.insert(&token(number), value);
                    plain.insert(token(number), value);
                }
                Step::Insert(number) | Step::Get(number) => {
                    prop_assert_eq!(table.get(&token(number)), plain.get(&token(number)));
                }
                Step::Remove(number) => {
                    prop_assert_eq!(table.remove(&token(number)), plain.remove(&token(number)));
                }
                Step::Evict => match table.evict() {
                    Some((dropped, old)) => prop_assert_eq!(plain.remove(&*dropped), Some(old)),
                    None => prop_assert!(plain.is_empty()),
                },
            }
            prop_assert!(table.len() <= entries_max);
            prop_assert_eq!(table.len(), plain.len());
            for number in 0..12 {
                let found = table.find(&token(number)).is_some();
                prop_assert_eq!(found, plain.contains_key(&token(number)));
            }
            let taken = table.index.places.iter().filter(|place| **place != 0);
            prop_assert_eq!(taken.count(), plain.len());
        }
    }

    /// What was asked for since all came in outlives what was not, and those go in the order in which they came.
    #[test]
    fn what_is_asked_for_stays(asked in prop::collection::vec(any::<bool>(), 1..100)) {
        let name = |number: usize| format!("token {number:03}").into_bytes();
        let mut table = Table::new(asked.len());
        for number in 0..asked.len() {
            table.insert(&name(number), number);
        }
        let all = 0..asked.len();
        for number in all.clone().filter(|number| asked[*number]) {
            table.get(&name(number));
        }
        let quiet: Vec<usize> = all.filter(|number| !asked[*number]).collect();
        let gone: Vec<usize> = quiet.iter().map_while(|_| table.evict()).map(|(_, number)| number).collect();
        prop_assert_eq!(gone, quiet);
    }
}

/// The deny twin: tokens that differ in their first byte alone have the same hash, and are told apart.
#[test]
fn tokens_are_compared_in_full() {
    let mut table = Table::new(4);
    table.insert(b"a0123456789abcdef", 1);
    assert_eq!(table.get(b"b0123456789abcdef"), None);
    assert_eq!(table.get(b"0123456789abcdef"), None);
    assert_eq!(table.remove(b"aa0123456789abcdef"), None);
    assert_eq!(table.get(b"a0123456789abcdef"), Some(&1));
}

/// One that is asked for again and again is not pushed out by any number of those that come once.
#[test]
fn those_that_come_once_displace_each_other() {
    let mut table = Table::new(64);
    let often = b"one that is asked for";
    table.insert(often, 0);
    for number in 1..10_000 {
        assert_eq!(table.get(often), Some(&0));
        if table.is_full() {
            table.evict();
        }
        table.insert(format!("once {number}").as_bytes(), number);
    }
}

/// Where all were asked for lately, the hand gives up after a bounded way.
#[test]
fn dropping_one_passes_a_bounded_number() {
    let many = 4 * PASSED_MAX;
    let name = |number: usize| format!("token {number}").into_bytes();
    let mut table = Table::new(many);
    for number in 0..many {
        table.insert(&name(number), number);
        table.get(&name(number));
    }
    assert_eq!(table.evict().map(|(_, number)| number), Some(PASSED_MAX));
    assert_eq!(table.hand, PASSED_MAX + 1);
    let still_used = table.entries.iter().flatten().filter(|entry| entry.is_used);
    assert_eq!(still_used.count(), many - PASSED_MAX - 1);
}

/// Two fit in one cache line.
#[test]
fn entries_are_small() {
    assert_eq!(size_of::<Option<Entry<std::rc::Rc<u64>>>>(), 32);
}
