//! Times counted into fixed buckets: as much room for a million of them as for none.

use std::time::Duration;

/// Upper bounds of the buckets in microseconds, each inclusive: 10 us to 10 s, five to a decade. What took longer is in
/// one more bucket.
pub const BOUNDS_US: [u32; 31] = [
    10, 20, 30, 50, 70, 100, 200, 300, 500, 700, 1_000, 2_000, 3_000, 5_000, 7_000, 10_000, 20_000,
    30_000, 50_000, 70_000, 100_000, 200_000, 300_000, 500_000, 700_000, 1_000_000, 2_000_000,
    3_000_000, 5_000_000, 7_000_000, 10_000_000,
];

/// How many times fell into each bucket, and their sum.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Histogram {
    counts: [u64; BOUNDS_US.len() + 1],
    sum: Duration,
}

impl Histogram {
    pub fn observe(&mut self, time: Duration) {
        // Rounded up, so that a bound is an upper one; what does not fit is beyond the last.
        let micros = u32::try_from(time.as_nanos().div_ceil(1000)).unwrap_or(u32::MAX);
        let bucket = BOUNDS_US.partition_point(|bound| *bound < micros);
        if let Some(count) = self.counts.get_mut(bucket) {
            *count += 1;
        }
        self.sum += time;
    }

    /// Adds another core's times.
    pub fn merge(&mut self, other: &Histogram) {
        for (mine, theirs) in self.counts.iter_mut().zip(&other.counts) {
            *mine += theirs;
        }
        self.sum += other.sum;
    }

    /// The count of each bucket; the last one is of those beyond every bound.
    pub fn counts(&self) -> &[u64] {
        &self.counts
    }

    pub fn count(&self) -> u64 {
        self.counts.iter().sum()
    }

    pub fn sum(&self) -> Duration {
        self.sum
    }

    /// The time that `permille` of a thousand did not exceed, in microseconds, as if times were spread evenly within
    /// their bucket; the last bound where it lies beyond. `None`: there are no times.
    pub fn quantile_us(&self, permille: u64) -> Option<u64> {
        let total = self.count();
        let rank = (total * permille).div_ceil(1000).max(1);
        let (mut seen, mut lower) = (0, 0);
        for (count, upper) in self.counts.iter().zip(BOUNDS_US) {
            let upper = u64::from(upper);
            if *count > 0 && seen + count >= rank {
                return Some(lower + (upper - lower) * (rank - seen) / count);
            }
            (seen, lower) = (seen + count, upper);
        }
        (total > 0).then_some(lower)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(times: &[u64]) -> Histogram {
        let mut histogram = Histogram::default();
        for nanos in times {
            histogram.observe(Duration::from_nanos(*nanos));
        }
        histogram
    }

    /// The bounds of the bucket that a time falls into.
    fn bucket(nanos: u64) -> usize {
        of(&[nanos]).counts().iter().position(|&n| n == 1).unwrap()
    }

    #[test]
    fn a_bound_belongs_to_its_bucket_and_one_nanosecond_more_to_the_next() {
        for (index, bound) in BOUNDS_US.into_iter().enumerate() {
            let nanos = u64::from(bound) * 1000;
            assert_eq!((bucket(nanos), bucket(nanos + 1)), (index, index + 1));
        }
        assert_eq!((bucket(0), bucket(u64::MAX)), (0, BOUNDS_US.len()));
    }

    #[test]
    fn cores_add_up() {
        let mut one = of(&[1_000, 15_000]);
        one.merge(&of(&[15_000, 20_000_000_000]));
        assert_eq!(one, of(&[15_000, 20_000_000_000, 1_000, 15_000]));
        assert_eq!((one.count(), one.sum().as_micros()), (4, 20_000_031));
    }

    #[test]
    fn quantiles_lie_within_their_bucket() {
        assert_eq!(of(&[]).quantile_us(500), None);
        assert_eq!(of(&[15_000]).quantile_us(500), Some(20));
        let mut times = [15_000; 100];
        times[99] = 4_000_000;
        let histogram = of(&times);
        assert_eq!(histogram.quantile_us(500), Some(15));
        assert_eq!(histogram.quantile_us(990), Some(20));
        assert_eq!(histogram.quantile_us(1000), Some(5_000));
        assert_eq!(of(&[u64::MAX]).quantile_us(500), Some(10_000_000));
    }
}
