//! Who may come in: so many connections of a core, of an address, and so many upgraded ones of a tunnel (S9).

use std::cell::{Cell, RefCell};
use std::collections::HashMap;
use std::hash::Hash;
use std::net::IpAddr;
use std::rc::Rc;

use crate::limits::CONNECTIONS_ENDING_MAX;
use crate::policy::client_address::AddressKey;
use crate::runtime::deadline::Deadlines;
use crate::runtime::deadline::eviction::Eviction;

/// The places of one core, taken and free.
#[derive(Default)]
pub struct Admission {
    open: Rc<Cell<usize>>,
    addresses: Rc<Tally<AddressKey>>,
    upgrades: Rc<Tally<String>>,
}

/// The right to hold one connection open; given back when it is dropped.
pub struct Slot(Rc<Cell<usize>>);

impl Drop for Slot {
    fn drop(&mut self) {
        self.0.set(self.0.get() - 1);
    }
}

/// What a core says to one more connection.
pub enum Admitted {
    Yes(Slot),
    /// Another one is being ended for it.
    Instead(Slot),
    /// There may be room when other tasks have run: as many as may are being ended, or those that could be have just got
    /// bytes.
    Soon,
    /// None of the others can be ended.
    No,
}

impl Admission {
    /// A place among `most` connections. Where none is free, a connection that only waits makes way.
    pub fn admit(&self, most: usize, deadlines: &Deadlines) -> Admitted {
        let open = self.open.get();
        let slot = || {
            self.open.set(open + 1);
            Slot(self.open.clone())
        };
        if open < most {
            Admitted::Yes(slot())
        } else if open >= most.saturating_add(CONNECTIONS_ENDING_MAX) {
            Admitted::Soon
        } else {
            match deadlines.evict() {
                Eviction::Done => Admitted::Instead(slot()),
                Eviction::Soon => Admitted::Soon,
                Eviction::Nobody => Admitted::No,
            }
        }
    }

    /// A place among `most` connections of an address; 0: there is no bound.
    pub fn admit_address(&self, address: IpAddr, most: usize) -> Option<AddressSlot> {
        Tally::take(&self.addresses, AddressKey::of(address), most).map(AddressSlot)
    }

    /// A place among `most` upgraded connections of a tunnel; 0: there is no bound.
    pub fn admit_upgrade(&self, tunnel: &str, most: usize) -> Option<UpgradeSlot> {
        Tally::take(&self.upgrades, tunnel.to_owned(), most).map(UpgradeSlot)
    }

    pub fn open(&self) -> usize {
        self.open.get()
    }
}

/// The right to hold one connection of an address open; given back when it is dropped.
pub struct AddressSlot(#[expect(dead_code, reason = "held for its drop")] Counted<AddressKey>);

/// The right to hold one upgraded connection of a tunnel open; given back when it is dropped.
pub struct UpgradeSlot(#[expect(dead_code, reason = "held for its drop")] Counted<String>);

/// How many hold a place under each key. A key that nobody holds takes no room.
struct Tally<K>(RefCell<HashMap<K, usize>>);

impl<K> Default for Tally<K> {
    fn default() -> Self {
        Tally(RefCell::default())
    }
}

impl<K: Clone + Eq + Hash> Tally<K> {
    fn take(tally: &Rc<Self>, key: K, most: usize) -> Option<Counted<K>> {
        let mut counts = tally.0.borrow_mut();
        let count = counts.entry(key.clone()).or_default();
        if most != 0 && *count >= most {
            return None;
        }
        *count += 1;
        drop(counts);
        Some(Counted {
            tally: tally.clone(),
            key,
        })
    }
}

/// One of those counted.
struct Counted<K: Eq + Hash> {
    tally: Rc<Tally<K>>,
    key: K,
}

impl<K: Eq + Hash> Drop for Counted<K> {
    fn drop(&mut self) {
        let mut counts = self.tally.0.borrow_mut();
        if let Some(count) = counts.get_mut(&self.key) {
            *count -= 1;
            if *count == 0 {
                counts.remove(&self.key);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn address(text: &str) -> IpAddr {
        text.parse().unwrap()
    }

    #[test]
    fn an_address_has_its_places_and_gives_them_back() {
        let admission = Admission::default();
        let held: Vec<_> = (0..2)
            .map(|_| admission.admit_address(address("10.0.0.1"), 2).unwrap())
            .collect();
        assert!(admission.admit_address(address("10.0.0.1"), 2).is_none());
        assert!(
            admission
                .admit_address(address("::ffff:10.0.0.1"), 2)
                .is_none()
        );
        assert!(admission.admit_address(address("10.0.0.2"), 2).is_some());
        assert!(admission.admit_address(address("10.0.0.1"), 0).is_some());
        drop(held);
        assert!(admission.admit_address(address("10.0.0.1"), 1).is_some());
        assert!(admission.addresses.0.borrow().is_empty());
    }

    #[test]
    fn a_network_of_64_bits_is_one_client() {
        let admission = Admission::default();
        let _held = admission.admit_address(address("2001:db8::1"), 1).unwrap();
        assert!(
            admission
                .admit_address(address("2001:db8::ffff:1"), 1)
                .is_none()
        );
        assert!(
            admission
                .admit_address(address("2001:db8:0:1::1"), 1)
                .is_some()
        );
    }

    #[test]
    fn a_full_core_with_nobody_to_end_says_no() {
        let admission = Admission::default();
        let deadlines = Deadlines::default();
        let Admitted::Yes(slot) = admission.admit(1, &deadlines) else {
            panic!("the first one is admitted");
        };
        assert!(matches!(admission.admit(1, &deadlines), Admitted::No));
        drop(slot);
        assert!(matches!(admission.admit(1, &deadlines), Admitted::Yes(_)));
    }
}
