//! Which row a canonical host belongs to.
//!
//! Owns: the table of hosts, generic over what it finds. Comes in: a canonical host. Goes out: the most specific row or
//! none. An exact name beats a wildcard; a wildcard stands for exactly one label, as in a certificate (RFC 6125 6.4.3),
//! so a name that TLS would refuse is not reached over plain HTTP either.

use std::collections::HashMap;

use foldhash::fast::RandomState;

use crate::http::host::CanonicalHost;

/// A table from host names to `T`. Its hash is fast and withstands no attack, and need not: the names in it are the
/// configuration's, and those that clients ask for are never entered.
#[derive(Debug)]
pub struct Routes<T> {
    exact: HashMap<Box<str>, T, RandomState>,
    /// By parent: `t.example.com` for `*.t.example.com`.
    wildcard: HashMap<Box<str>, T, RandomState>,
}

impl<T> Default for Routes<T> {
    fn default() -> Self {
        Routes {
            exact: HashMap::default(),
            wildcard: HashMap::default(),
        }
    }
}

impl<T> Routes<T> {
    /// Adds a row for a canonical name, or for `*.` and a canonical parent. Answers the row that was there before.
    pub fn insert(&mut self, hostname: &str, row: T) -> Option<T> {
        match hostname.strip_prefix("*.") {
            Some(parent) => self.wildcard.insert(parent.into(), row),
            None => self.exact.insert(hostname.into(), row),
        }
    }

    /// The row of a host.
    pub fn find(&self, host: &CanonicalHost) -> Option<&T> {
        let host = host.as_str();
        self.exact.get(host).or_else(|| {
            let (_, parent) = host.split_once('.')?;
            self.wildcard.get(parent)
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_most_specific_row_or_none() {
        let mut routes = Routes::default();
        assert_eq!(routes.insert("app.t.example.com", "exact"), None);
        assert_eq!(routes.insert("*.t.example.com", "wildcard"), None);
        assert_eq!(
            routes.insert("*.t.example.com", "wildcard"),
            Some("wildcard")
        );
        let find = |host: &str| {
            routes
                .find(&CanonicalHost::parse(host.as_bytes()).unwrap())
                .copied()
        };
        assert_eq!(find("App.T.example.com."), Some("exact"));
        assert_eq!(find("other.t.example.com"), Some("wildcard"));
        assert_eq!(find("a.other.t.example.com"), None);
        assert_eq!(find("t.example.com"), None);
        assert_eq!(find("xapp.example.com"), None);
    }
}
