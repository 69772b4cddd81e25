//! The buckets of durations: base 2^(1/64), whole microseconds, decided in whole numbers, so that every machine puts a
//! duration into the same one and what was added can be taken away again.

use crate::stats::float;

/// `floor(2^63 2^(k/64))`: the upper bounds of the 64 buckets of an octave, as the leading bits of a number.
const BOUNDS: [u64; 64] = [
    0x8000_0000_0000_0000,
    0x8164_d1f3_bc03_0773,
    0x82cd_8698_ac2b_a1d7,
    0x843a_28c3_acde_4046,
    0x85aa_c367_cc48_7b14,
    0x871f_6196_9e8d_1010,
    0x8898_0e80_92da_8527,
    0x8a14_d575_496e_fd9a,
    0x8b95_c1e3_ea8b_d6e6,
    0x8d1a_df5b_7e5b_a9e5,
    0x8ea4_398b_45cd_53c0,
    0x9031_dc43_1466_b1dc,
    0x91c3_d373_ab11_c336,
    0x935a_2b2f_13e6_e92b,
    0x94f4_efa8_fef7_0961,
    0x9694_2d37_2018_5a00,
    0x9837_f051_8db8_a96f,
    0x99e0_4593_20b7_fa64,
    0x9b8d_39b9_d54e_5538,
    0x9d3e_d9a7_2cff_b750,
    0x9ef5_3260_91a1_11ad,
    0xa0b0_510f_b971_4fc2,
    0xa270_4303_0c49_6818,
    0xa435_15ae_09e6_809e,
    0xa5fe_d6a9_b151_38ea,
    0xa7cd_93b4_e965_3569,
    0xa9a1_5ab4_ea7c_0ef8,
    0xab7a_39b5_a93e_d337,
    0xad58_3eea_42a1_4ac6,
    0xaf3b_78ad_690a_4374,
    0xb123_f581_d2ac_258f,
    0xb311_c412_a911_2489,
    0xb504_f333_f9de_6484,
    0xb6fd_91e3_28d1_7791,
    0xb8fb_af47_62fb_9ee9,
    0xbaff_5ab2_133e_45fb,
    0xbd08_a39f_580c_36be,
    0xbf17_99b6_7a73_1082,
    0xc12c_4cca_6670_9456,
    0xc346_ccda_2497_6407,
    0xc567_2a11_5506_dadd,
    0xc78d_74c8_abb9_b15c,
    0xc9b9_bd86_6e2f_27a2,
    0xcbec_14fe_f272_7c5c,
    0xce24_8c15_1f84_80e3,
    0xd063_33da_ef2b_2594,
    0xd2a8_1d91_f12a_e45a,
    0xd4f3_5aab_cfed_fa1f,
    0xd744_fcca_d69d_6af4,
    0xd99d_15c2_78af_d7b5,
    0xdbfb_b797_daf2_3755,
    0xde60_f482_5e0e_9123,
    0xe0cc_deec_2a94_e111,
    0xe33f_8972_be8a_5a51,
    0xe5b9_06e7_7c83_48a8,
    0xe839_6a50_3c4b_dc68,
    0xeac0_c6e7_dd24_392e,
    0xed4f_301e_d994_2b84,
    0xefe4_b99b_dcda_f5cb,
    0xf281_773c_59ff_b139,
    0xf525_7d15_2486_cc2c,
    0xf7d0_df73_0ad1_3bb8,
    0xfa83_b2db_722a_033a,
    0xfd3e_0c0c_f486_c174,
];

/// The last: durations of up to `u64::MAX` microseconds.
const LAST: u16 = 64 * 64 + 1;

/// A bucket of durations. Bucket `i` holds those over `2^((i-1)/64)` and up to `2^(i/64)` microseconds, as the native
/// histograms of Prometheus at schema 6 do (its specification, section "Data model"); a duration of zero has a bucket
/// of its own, before all others.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Bucket(
    /// 0 for zero, else `i + 1`.
    u16,
);

impl Bucket {
    /// The bucket of zero alone.
    pub const ZERO: Self = Self(0);

    /// The bucket of a duration in microseconds.
    #[must_use]
    pub fn of(micros: u64) -> Self {
        let Some(octave) = micros.checked_ilog2() else { return Self::ZERO };
        let leading = micros << (63 - octave);
        let within = BOUNDS.partition_point(|bound| *bound < leading);
        Self(u16::try_from(octave as usize * 64 + within + 1).unwrap_or(LAST))
    }

    /// The shortest duration in it, in whole microseconds.
    #[must_use]
    pub fn low(self) -> u64 {
        if self == Self::ZERO { 0 } else { Self(self.0 - 1).bound() + 1 }
    }

    /// The longest duration in it, in whole microseconds.
    #[must_use]
    pub fn high(self) -> u64 {
        self.bound()
    }

    /// What stands for its durations, in microseconds: the harmonic mean of the shortest and the longest, whose
    /// greatest relative error is the least that one number can have, `(high - low) / (high + low)`; with this base at
    /// most `(2^(1/64) - 1) / (2^(1/64) + 1)`, which is 0.5415 % (Masson, Rim, Lee 2019, VLDB 12, lemma 2). A bucket
    /// of one duration gives it exactly. Not rounded: between 128 and 129 half a microsecond matters.
    #[must_use]
    pub fn value(self) -> f64 {
        let (low, high) = (self.low(), self.high());
        if low == high { float(low) } else { 2.0 * float(low) / (float(low) + float(high)) * float(high) }
    }

    /// The largest whole number that it or a bucket before it holds.
    fn bound(self) -> u64 {
        let Some(index) = self.0.checked_sub(1) else { return 0 };
        let (octave, within) = (index / 64, usize::from(index % 64));
        if octave == 64 { u64::MAX } else { BOUNDS[within] >> (63 - octave) }
    }

    /// Its place among all buckets, from 0 for that of zero.
    #[must_use]
    pub fn place(self) -> u16 {
        self.0
    }

    /// The bucket at a place; none where no whole number of microseconds falls, or past the last.
    #[must_use]
    pub fn at(place: u16) -> Option<Self> {
        (place <= LAST).then_some(Self(place)).filter(|bucket| bucket.low() <= bucket.high())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// With c = 2^(k/64): 2^63 c to the square is 2^126 2^(2k/64), so each bound squared is the bound at twice its
    /// place, but for what `floor` took away.
    #[test]
    fn the_bounds_are_powers_of_the_base() {
        assert_eq!(BOUNDS[0], 1 << 63);
        assert_eq!(BOUNDS[32], 13_043_817_825_332_782_212, "2^63 times the root of two");
        for (k, bound) in BOUNDS.iter().enumerate() {
            let twice = u128::from(BOUNDS[2 * k % 64]);
            let octaves = if k < 32 { 63 } else { 64 };
            let (low, high) = (u128::from(*bound).pow(2), (u128::from(*bound) + 1).checked_pow(2));
            assert!(low >> octaves <= twice, "{k} is too high");
            assert!(high.is_none_or(|high| high >> octaves >= twice), "{k} is too low");
        }
    }

    #[test]
    fn every_number_is_in_one_bucket_and_its_bounds_are_in_it() {
        let mut next = 0;
        for bucket in (0..=LAST).filter_map(Bucket::at) {
            assert_eq!(bucket.low(), next, "no gap and no overlap before {bucket:?}");
            assert_eq!((Bucket::of(bucket.low()), Bucket::of(bucket.high())), (bucket, bucket));
            next = bucket.high().wrapping_add(1);
        }
        assert_eq!(next, 0, "up to the last number");
        assert_eq!(Bucket::at(LAST + 1), None);
        assert_eq!(Bucket::at(2), None, "no whole number between 1 and 2^(1/64)");
    }

    #[test]
    fn bounds_are_those_of_prometheus() {
        // An upper bound is in its bucket: index 0 ends with 1, index 64 with 2, index 128 with 4.
        let index = |micros| Bucket::of(micros).place() - 1;
        assert_eq!([index(1), index(2), index(4), index(1 << 40)], [0, 64, 128, 64 * 40]);
        // 1,000,000 lies between 2^(1275/64) and 2^(1276/64).
        assert_eq!(index(1_000_000), 1276);
        for micros in [3_u64, 100, 12_345, 86_400_000_000, 31_557_600_000_000] {
            let by_logarithm = (float(micros).log2() * 64.0).ceil();
            assert!((f64::from(index(micros)) - by_logarithm).abs() < 0.5, "{micros}");
        }
    }

    #[test]
    fn the_worst_error_is_known() {
        let worst = (1..=LAST).filter_map(Bucket::at).map(|bucket| {
            let (low, high, value) = (float(bucket.low()), float(bucket.high()), bucket.value());
            ((value - low) / low).max((high - value) / high)
        });
        let worst = worst.fold(0.0, f64::max);
        assert!((0.005_41..0.005_416).contains(&worst), "{worst}");
        assert_eq!((1..93).map(|v| Bucket::of(v).value()).collect::<Vec<_>>(), (1..93).map(float).collect::<Vec<_>>());
    }
}
