//! Features of later versions: a guard that is not built must not be taken for one that is on.
//!
//! Refuses their keys, unless the value says that the feature is off, so that one file can serve several versions.

use super::field::Field;
use super::problem::Spot;
use super::reader::Reader;

impl Reader<'_> {
    /// Refuses a feature of later versions, unless it is `false`.
    pub(super) fn unbuilt(&self, key: &str, feature: &str) {
        let Field::Good(at) = self.look_up(key) else {
            return;
        };
        if at.value.node.boolean() != Some(false) {
            let spot = Spot {
                place: at.value.place.clone(),
                key: at.spot.key,
            };
            let message = format!("{feature} not built yet in this version; remove it");
            self.findings.error(&spot, message);
        }
    }
}
