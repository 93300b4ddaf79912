//! Features of later versions: a guard that is not built must not be taken for one that is on.
//!
//! Refuses their keys, unless the value says that the feature is off, so that one file can serve several versions.

use super::field::Field;
use super::problem::Spot;
use super::reader::Reader;
use super::written::Node;

/// A value with which a feature that is not built is off, so that it may be written.
#[derive(Clone, Copy, Debug)]
pub(super) enum Harmless {
    False,
}

impl Harmless {
    fn covers(self, node: &Node) -> bool {
        match self {
            Harmless::False => node.boolean() == Some(false),
        }
    }
}

impl Reader<'_> {
    /// Refuses a feature of later versions, unless the value means that it is off. Says whether it was asked for.
    pub(super) fn unbuilt(&self, key: &str, feature: &str, harmless: Harmless) -> bool {
        let Field::Good(at) = self.look_up(key) else {
            return false;
        };
        let asked_for = !harmless.covers(&at.value.node);
        if asked_for {
            let spot = Spot {
                place: at.value.place.clone(),
                key: at.spot.key,
            };
            let message = format!("{feature} not built yet in this version; remove it");
            self.findings.error(&spot, message);
        }
        asked_for
    }
}
