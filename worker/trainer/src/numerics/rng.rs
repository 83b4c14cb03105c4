//! Philox4x32-10, a counter-based generator: any draw is a function of (key, counter), so nothing
//! depends on how many draws came before. Salmon, Moraes, Dror, Shaw: Parallel random numbers: as
//! easy as 1, 2, 3, SC'11, doi:10.1145/2063384.2063405.

const MULTIPLIERS: [u32; 2] = [0xD251_1F53, 0xCD9E_8D57];
const WEYL: [u32; 2] = [0x9E37_79B9, 0xBB67_AE85];
const N_ROUNDS: usize = 10;

/// What a stream of draws is for; the second word of its key.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Purpose {
    InitialWeights = 0,
    Order = 1,
    Dropout = 2,
}

/// The four words that a seed and a purpose give at a counter.
pub(crate) fn draw(seed: u32, purpose: Purpose, counter: [u32; 4]) -> [u32; 4] {
    philox([seed, purpose as u32], counter)
}

fn philox(mut key: [u32; 2], mut c: [u32; 4]) -> [u32; 4] {
    for round in 0..N_ROUNDS {
        if round > 0 {
            key = [key[0].wrapping_add(WEYL[0]), key[1].wrapping_add(WEYL[1])];
        }
        let first = u64::from(MULTIPLIERS[0]) * u64::from(c[0]);
        let second = u64::from(MULTIPLIERS[1]) * u64::from(c[2]);
        let (high, low) = ((first >> 32) as u32, first as u32);
        let (high2, low2) = ((second >> 32) as u32, second as u32);
        c = [high2 ^ c[1] ^ key[0], low2, high ^ c[3] ^ key[1], low];
    }
    c
}

/// The order of an epoch's samples (epochs count from 1): Fisher-Yates from 0, 1, 2, ...
pub(crate) fn shuffle(seed: u32, epoch: u32, order: &mut [u32]) {
    for (position, sample) in order.iter_mut().enumerate() {
        *sample = position as u32;
    }
    for i in (1..order.len()).rev() {
        let [u, ..] = draw(seed, Purpose::Order, [epoch, i as u32, 0, 0]);
        let j = (u64::from(u) * (i as u64 + 1)) >> 32;
        order.swap(i, j as usize);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The known answers of the authors' Random123 distribution (kat_vectors, philox4x32 10).
    #[test]
    fn known_answers() {
        let cases = [
            ([0; 2], [0; 4], [0x6627_e8d5, 0xe169_c58d, 0xbc57_ac4c, 0x9b00_dbd8]),
            ([u32::MAX; 2], [u32::MAX; 4], [0x408f_276d, 0x41c8_3b0e, 0xa20b_c7c6, 0x6d54_51fd]),
            (
                [0xa409_3822, 0x299f_31d0],
                [0x243f_6a88, 0x85a3_08d3, 0x1319_8a2e, 0x0370_7344],
                [0xd16c_fe09, 0x94fd_cceb, 0x5001_e420, 0x2412_6ea1],
            ),
        ];
        for (key, counter, expected) in cases {
            assert_eq!(philox(key, counter), expected);
        }
    }

    #[test]
    fn a_shuffle_is_a_permutation_that_depends_on_seed_and_epoch() {
        let order = |seed, epoch| {
            let mut order = vec![0; 100];
            shuffle(seed, epoch, &mut order);
            order
        };
        let mut sorted = order(1, 1);
        sorted.sort_unstable();
        assert!(sorted.iter().enumerate().all(|(i, &x)| i as u32 == x));
        assert_eq!(order(1, 1), order(1, 1));
        assert_ne!(order(1, 1), order(1, 2));
        assert_ne!(order(1, 1), order(2, 1));
    }

    /// Each of the 6 orders of 3 samples comes up about equally often.
    #[test]
    fn a_shuffle_is_fair() {
        let mut counts = std::collections::BTreeMap::new();
        for seed in 0..6000 {
            let mut order = [0; 3];
            shuffle(seed, 1, &mut order);
            *counts.entry(order).or_insert(0) += 1;
        }
        assert_eq!(counts.len(), 6);
        assert!(counts.values().all(|count| (850..1150).contains(count)), "{counts:?}");
    }
}
