use super::*;

fn of(values: impl IntoIterator<Item = f64>) -> Quantiles {
    let mut found = Quantiles::default();
    values.into_iter().for_each(|value| found.add(value));
    found
}

#[test]
fn a_quantile_is_right_to_within_a_twenty_first() {
    let values: Vec<f64> = (0..5000).map(|step| 0.11 * 1.0047_f64.powi(step)).collect();
    let found = of(values.clone());
    for share in [0.0002, 0.01, 0.25, 0.5, 0.95, 0.99, 1.0] {
        let exact = values[(share * 5000.0_f64).ceil() as usize - 1];
        let told = found.quantile(share).unwrap();
        assert!((told / exact - 1.0).abs() <= 1.0 / 21.0 + 1e-9, "{share}: {told} for {exact}");
    }
}

#[test]
fn without_values_there_is_no_quantile() {
    assert_eq!(Quantiles::default().quantile(0.5), None);
    assert_eq!(Quantiles::default().encode(), Vec::<u8>::new());
}

#[test]
fn a_sum_is_the_same_as_of_all_values_in_any_order() {
    let values: Vec<f64> = (0..2000).map(|step| f64::from(step * step) * 0.37).collect();
    let all = of(values.clone());
    for chunk in [1, 7, 999] {
        let mut sum = Quantiles::default();
        for part in values.chunks(chunk).rev() {
            sum.merge(&of(part.iter().copied()).encode()).unwrap();
        }
        assert_eq!(sum, all);
        assert_eq!(sum.encode(), all.encode());
    }
    assert_eq!(all.count(), 2000);
}

#[test]
fn what_is_encoded_is_read_back_and_small() {
    let mut found = of([120.0]);
    assert_eq!(found.encode().len(), 2);
    for times in [0, 1, 127, 128, 1 << 40, u64::MAX] {
        found.add_class(200, times);
        assert_eq!(Quantiles::decode(&found.encode()).unwrap(), found);
    }
    assert_eq!(found.count(), u64::MAX);
}

#[test]
fn what_lies_outside_counts_in_the_nearest_class() {
    let found = of([0.0, -5.0, f64::NAN, f64::NEG_INFINITY, 1e300, f64::INFINITY]);
    assert_eq!(found.count(), 6);
    assert_eq!(found.quantile(0.5), Some(0.1));
    assert!(found.quantile(1.0).unwrap() > 3e9);
}

#[test]
fn malformed_bytes_change_nothing() {
    let mut found = of([1.0, 50.0]);
    let before = found.clone();
    let too_long: Vec<u8> = std::iter::once(3).chain(std::iter::repeat_n(0xff, 12)).collect();
    let overflows = [&[3][..], &[0xff; 9], &[2]].concat();
    for bytes in [&[1, 1, 7][..], &[9, 0x80], &too_long, &overflows] {
        assert_eq!(found.merge(bytes), Err(Malformed));
        assert_eq!(found, before);
    }
    assert_eq!(Quantiles::decode(&[7]), Err(Malformed));
}

#[test]
fn classes_that_repeat_or_are_out_of_order_add_up() {
    let mut found = Quantiles::default();
    found.merge(&[9, 1, 3, 2, 9, 4]).unwrap();
    assert_eq!(found.encode(), [3, 2, 9, 5]);
}
