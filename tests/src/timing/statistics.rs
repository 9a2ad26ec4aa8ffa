//! The statistics of timing: Welch's t, percentiles, and the area under the curve of a guess.

/// Welch's t of two samples: the difference of their means in units of its standard error.
pub fn welch_t(left: &[f64], right: &[f64]) -> f64 {
    let (left, right) = (Moments::of(left), Moments::of(right));
    let error = (left.variance / left.count + right.variance / right.count).sqrt();
    let difference = left.mean - right.mean;
    if error > 0.0 { difference / error } else { 0.0 }
}

struct Moments {
    count: f64,
    mean: f64,
    variance: f64,
}

impl Moments {
    fn of(sample: &[f64]) -> Self {
        let count = sample.len() as f64;
        let mean = sample.iter().sum::<f64>() / count.max(1.0);
        let squares = sample.iter().map(|value| (value - mean).powi(2)).sum::<f64>();
        Self { count: count.max(1.0), mean, variance: squares / (count - 1.0).max(1.0) }
    }
}

/// The value that `percent` of the sample do not exceed.
pub fn percentile(sample: &[f64], percent: u32) -> f64 {
    let mut sorted = sample.to_vec();
    sorted.sort_by(f64::total_cmp);
    let last = sorted.len().saturating_sub(1);
    sorted.get(last * percent as usize / 100).copied().unwrap_or(0.0)
}

/// How often one of `left` is larger than one of `right`, half for equal ones: 0.5 where nothing can be guessed
/// (Mann and Whitney's U over the number of pairs).
pub fn auc(left: &[f64], right: &[f64]) -> f64 {
    let mut sorted = right.to_vec();
    sorted.sort_by(f64::total_cmp);
    let score = |value: &f64| {
        let below = sorted.partition_point(|other| other < value);
        let not_above = sorted.partition_point(|other| other <= value);
        (below + not_above) as f64 / 2.0
    };
    left.iter().map(score).sum::<f64>() / (left.len() * right.len()) as f64
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_t_of_known_samples() {
        // scipy.stats.ttest_ind([1, 2, 3, 4], [2, 4, 6, 8, 10], equal_var=False) gives t = -2.2514.
        let t = welch_t(&[1.0, 2.0, 3.0, 4.0], &[2.0, 4.0, 6.0, 8.0, 10.0]);
        assert!((t + 2.2514).abs() < 1e-3, "{t}");
        assert_eq!(welch_t(&[1.0, 1.0], &[1.0, 1.0]), 0.0);
    }

    #[test]
    fn the_area_is_a_half_where_nothing_differs_and_one_where_all_is_larger() {
        assert_eq!(auc(&[1.0, 2.0, 3.0], &[1.0, 2.0, 3.0]), 0.5);
        assert_eq!(auc(&[4.0, 5.0], &[1.0, 2.0, 3.0]), 1.0);
        assert_eq!(auc(&[0.0], &[1.0, 2.0]), 0.0);
    }

    #[test]
    fn percentiles_are_values_of_the_sample() {
        let sample: Vec<f64> = (0..=100).map(f64::from).collect();
        assert_eq!([0, 50, 100].map(|percent| percentile(&sample, percent)), [0.0, 50.0, 100.0]);
    }
}
