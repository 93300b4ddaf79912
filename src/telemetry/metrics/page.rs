//! Lines of the exposition format.

use std::fmt::{Display, Write as _};

use crate::telemetry::latency::{BOUNDS_US, Histogram};

/// The text so far.
#[derive(Default)]
pub(super) struct Page(String);

impl Page {
    pub(super) fn head(&mut self, name: &str, kind: &str, help: &str) {
        let _ = writeln!(self.0, "# HELP {name} {help}\n# TYPE {name} {kind}");
    }

    /// `labels` are written with their braces, or empty.
    pub(super) fn line(&mut self, name: &str, labels: &str, value: impl Display) {
        let _ = writeln!(self.0, "{name}{labels} {value}");
    }

    /// A metric of one line.
    pub(super) fn one(&mut self, name: &str, kind: &str, help: &str, value: u64) {
        self.head(name, kind, help);
        self.line(name, "", value);
    }

    /// Buckets are cumulative here, and times in seconds.
    pub(super) fn histogram(&mut self, name: &str, help: &str, times: &Histogram) {
        self.head(name, "histogram", help);
        let bucket = format!("{name}_bucket");
        let mut total = 0;
        for (count, bound) in times.counts().iter().zip(BOUNDS_US) {
            total += count;
            let seconds = f64::from(bound) / 1e6;
            self.line(&bucket, &format!("{{le=\"{seconds}\"}}"), total);
        }
        self.line(&bucket, "{le=\"+Inf\"}", times.count());
        self.line(&format!("{name}_sum"), "", times.sum().as_secs_f64());
        self.line(&format!("{name}_count"), "", times.count());
    }

    pub(super) fn finish(self) -> String {
        self.0
    }
}

/// A label's value.
pub(super) fn escape(label: &str) -> String {
    label
        .replace('\\', "\\\\")
        .replace('"', "\\\"")
        .replace('\n', "\\n")
}
