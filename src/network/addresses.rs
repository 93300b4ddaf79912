//! Sets of addresses, made of networks.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use ipnet::{IpNet, Ipv4Net, Ipv4Subnets, Ipv6Net, Ipv6Subnets};

/// The addresses of some networks. Whether one is in it takes a binary search over the places where the set begins and ends.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct AddressSet {
    v4: Borders<u32>,
    v6: Borders<u128>,
}

/// Where a set of numbers begins, ends, begins again, in ascending order: each even entry is the first that is in, each odd
/// one the first that is not any more. One that reaches the largest number has no end.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
struct Borders<T>(Box<[T]>);

impl<T: Copy + Ord> Borders<T> {
    /// `ranges`: the first and the last of each; `after` gives the number behind one.
    fn new(mut ranges: Vec<(T, T)>, after: impl Fn(T) -> Option<T>) -> Self {
        ranges.sort_unstable();
        let mut borders = Vec::with_capacity(2 * ranges.len());
        // The end of what was taken over so far; `None`: it has none, and everything that follows is in already.
        let mut open: Option<Option<T>> = None;
        for (first, last) in ranges {
            let end = after(last);
            open = Some(match open {
                Some(None) => None,
                Some(Some(before)) if first <= before => end.map(|end| before.max(end)),
                Some(Some(before)) => {
                    borders.extend([before, first]);
                    end
                }
                None => {
                    borders.push(first);
                    end
                }
            });
        }
        borders.extend(open.flatten());
        Borders(borders.into())
    }

    fn contains(&self, number: T) -> bool {
        self.0.partition_point(|border| *border <= number) % 2 == 1
    }

    /// The ranges that have a number from `from` to `to`: the first of each, and the number behind its last.
    fn ranges(&self, from: T, to: T) -> impl Iterator<Item = (T, Option<T>)> {
        let behind = self.0.partition_point(|border| *border <= from) / 2;
        let pairs = self.0.chunks(2).skip(behind);
        pairs
            .filter_map(|pair| Some((*pair.first()?, pair.get(1).copied())))
            .take_while(move |(first, _)| *first <= to)
    }
}

impl AddressSet {
    pub fn new(networks: &[IpNet]) -> Self {
        let mut v4 = Vec::new();
        let mut v6 = Vec::new();
        for network in networks {
            match network {
                IpNet::V4(network) => {
                    v4.push((network.network().to_bits(), network.broadcast().to_bits()));
                }
                IpNet::V6(network) => {
                    v6.push((network.network().to_bits(), network.broadcast().to_bits()));
                }
            }
        }
        AddressSet {
            v4: Borders::new(v4, |last| last.checked_add(1)),
            v6: Borders::new(v6, |last| last.checked_add(1)),
        }
    }

    pub fn contains(&self, address: IpAddr) -> bool {
        match address.to_canonical() {
            IpAddr::V4(address) => self.v4.contains(address.to_bits()),
            IpAddr::V6(address) => self.v6.contains(address.to_bits()),
        }
    }

    /// What of a network is in the set: the network itself where all of it is, nothing where none is.
    pub fn part_of(&self, network: IpNet) -> Vec<IpNet> {
        match network {
            IpNet::V4(whole) => self.part_of_v4(whole),
            IpNet::V6(whole) => self.part_of_v6(whole),
        }
    }

    fn part_of_v4(&self, whole: Ipv4Net) -> Vec<IpNet> {
        let (from, to) = (whole.network().to_bits(), whole.broadcast().to_bits());
        let mut parts = Vec::new();
        for (first, end) in self.v4.ranges(from, to) {
            let last = end.map_or(u32::MAX, |end| end - 1);
            let (first, last) = (first.max(from), last.min(to));
            let (first, last) = (Ipv4Addr::from_bits(first), Ipv4Addr::from_bits(last));
            parts.extend(Ipv4Subnets::new(first, last, 0).map(IpNet::V4));
        }
        parts
    }

    fn part_of_v6(&self, whole: Ipv6Net) -> Vec<IpNet> {
        let (from, to) = (whole.network().to_bits(), whole.broadcast().to_bits());
        let mut parts = Vec::new();
        for (first, end) in self.v6.ranges(from, to) {
            let last = end.map_or(u128::MAX, |end| end - 1);
            let (first, last) = (first.max(from), last.min(to));
            let (first, last) = (Ipv6Addr::from_bits(first), Ipv6Addr::from_bits(last));
            parts.extend(Ipv6Subnets::new(first, last, 0).map(IpNet::V6));
        }
        parts
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn networks(texts: &[&str]) -> Vec<IpNet> {
        texts.iter().map(|text| text.parse().unwrap()).collect()
    }

    fn address(text: &str) -> IpAddr {
        text.parse().unwrap()
    }

    #[test]
    fn a_network_begins_and_ends_where_its_prefix_says() {
        let set = AddressSet::new(&networks(&[
            "192.0.2.64/26",
            "10.0.0.1/32",
            "255.255.255.0/24",
            "0.0.0.0/32",
            "2001:db8::/32",
            "::1/128",
        ]));
        for (inside, outside) in [
            ("192.0.2.64", "192.0.2.63"),
            ("192.0.2.127", "192.0.2.128"),
            ("10.0.0.1", "10.0.0.0"),
            ("10.0.0.1", "10.0.0.2"),
            ("255.255.255.0", "255.255.254.255"),
            ("255.255.255.255", "254.255.255.255"),
            ("0.0.0.0", "0.0.0.1"),
            ("2001:db8::", "2001:db7:ffff:ffff:ffff:ffff:ffff:ffff"),
            ("2001:db8:ffff:ffff:ffff:ffff:ffff:ffff", "2001:db9::"),
            ("::1", "::2"),
            ("::1", "::"),
            // Mapped, it is the IPv4 address.
            ("::ffff:192.0.2.64", "::ffff:192.0.2.63"),
        ] {
            assert!(set.contains(address(inside)), "{inside}");
            assert!(!set.contains(address(outside)), "{outside}");
        }
        // Nor is an IPv4 address in a network of IPv6, however large.
        let all = AddressSet::new(&networks(&["::/0"]));
        assert!(all.contains(address("2001:db8::1")));
        assert!(!all.contains(address("::ffff:192.0.2.1")));
        assert!(!all.contains(address("192.0.2.1")));
        assert!(!AddressSet::default().contains(address("192.0.2.1")));
    }

    #[test]
    fn neighbours_and_nested_networks_are_one() {
        let one = AddressSet::new(&networks(&["10.0.0.0/8"]));
        for same in [
            &["10.0.0.0/9", "10.128.0.0/9"][..],
            &[
                "10.1.0.0/16",
                "10.0.0.0/8",
                "10.0.0.0/8",
                "10.255.255.255/32",
            ],
        ] {
            assert_eq!(AddressSet::new(&networks(same)), one);
        }
        let all = AddressSet::new(&networks(&["0.0.0.0/0"]));
        let halves = AddressSet::new(&networks(&["128.0.0.0/1", "1.2.3.4/32", "0.0.0.0/1"]));
        assert_eq!(halves, all);
    }

    #[test]
    fn a_part_of_a_network() {
        let set = AddressSet::new(&networks(&[
            "10.0.0.0/8",
            "192.0.2.0/25",
            "192.0.2.192/26",
            "2001:db8::/32",
        ]));
        for (whole, parts) in [
            ("10.1.0.0/16", &["10.1.0.0/16"][..]),
            ("0.0.0.0/1", &["10.0.0.0/8"]),
            ("192.0.2.0/24", &["192.0.2.0/25", "192.0.2.192/26"]),
            ("192.0.3.0/24", &[]),
            ("::/0", &["2001:db8::/32"]),
            ("2001:db8:1::/48", &["2001:db8:1::/48"]),
        ] {
            assert_eq!(
                set.part_of(whole.parse().unwrap()),
                networks(parts),
                "{whole}"
            );
        }
    }

    fn network() -> impl Strategy<Value = IpNet> {
        // Few bits, so that networks meet.
        let v4 = (0u32..64, 24u8..=32).prop_map(|(bits, prefix)| {
            IpNet::V4(
                Ipv4Net::new(Ipv4Addr::from_bits(bits << 2), prefix)
                    .unwrap()
                    .trunc(),
            )
        });
        let v6 = (0u128..64, 120u8..=128).prop_map(|(bits, prefix)| {
            IpNet::V6(
                Ipv6Net::new(Ipv6Addr::from_bits(bits << 2), prefix)
                    .unwrap()
                    .trunc(),
            )
        });
        prop_oneof![v4, v6]
    }

    proptest! {
        #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

        /// The set says what asking each network in turn says, and so do its parts.
        #[test]
        fn it_is_in_where_one_of_the_networks_has_it(
            all in prop::collection::vec(network(), 0..12),
            whole in network(),
        ) {
            let set = AddressSet::new(&all);
            let part = AddressSet::new(&set.part_of(whole));
            let v4 = (0u32..1024).map(|bits| IpAddr::from(Ipv4Addr::from_bits(bits)));
            let v6 = (0u128..1024).map(|bits| IpAddr::from(Ipv6Addr::from_bits(bits)));
            for address in v4.chain(v6) {
                let naive = all.iter().any(|network| network.contains(&address));
                prop_assert_eq!(set.contains(address), naive, "{}", address);
                let both = naive && whole.contains(&address);
                prop_assert_eq!(part.contains(address), both, "{}", address);
            }
        }
    }
}
