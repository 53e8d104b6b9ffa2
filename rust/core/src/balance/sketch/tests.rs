use super::*;

fn of(values: impl IntoIterator<Item = f64>) -> Sketch {
    let mut sketch = Sketch::default();
    values.into_iter().for_each(|value| sketch.add(value));
    sketch
}

#[test]
fn a_quantile_is_at_most_a_tenth_too_high() {
    let values: Vec<f64> = (1..=1000).map(|value| f64::from(value) * 3.0).collect();
    let sketch = of(values.clone());
    for quantile in [0.01, 0.5, 0.95, 0.99, 1.0] {
        let exact = values[(quantile * 1000.0) as usize - 1];
        let found = sketch.quantile(quantile).unwrap();
        assert!((exact..=exact * 1.1 + 1e-6).contains(&found), "{quantile}: {found} for {exact}");
    }
}

#[test]
fn without_values_there_is_no_quantile() {
    assert_eq!(Sketch::default().quantile(0.5), None);
    assert_eq!(Sketch::default().share_above(1.0), 0.0);
}

#[test]
fn a_sum_is_the_sketch_of_all_values() {
    let (odd, even) = ((0..500).map(|it| f64::from(2 * it + 1)), (0..500).map(|it| f64::from(2 * it)));
    let mut sum = of(odd.clone());
    sum.merge(&of(even.clone()));
    let all = of(odd.chain(even));
    assert_eq!(sum.total(), 1000);
    assert_eq!(sum.quantile(0.9), all.quantile(0.9));
}

#[test]
fn what_lies_outside_counts_in_the_nearest_bucket() {
    let sketch = of([0.0, -5.0, f64::NAN, 1e300, f64::INFINITY]);
    assert_eq!(sketch.total(), 5);
    assert_eq!(sketch.quantile(0.5), Some(1.0));
    assert!(sketch.quantile(1.0).unwrap() > 500_000.0);
}

#[test]
fn the_share_above_leaves_out_the_own_bucket() {
    let sketch = of([10.0, 100.0, 100.0, 1000.0]);
    assert_eq!(sketch.share_above(100.0), 0.25);
    assert_eq!(sketch.share_above(5.0), 1.0);
    assert_eq!(sketch.share_above(1000.0), 0.0);
}

#[test]
fn halving_keeps_the_shape() {
    let mut sketch = of((0..1000).map(|it| f64::from(it % 10 + 1) * 50.0));
    let before = sketch.quantile(0.9);
    sketch.halve();
    assert_eq!((sketch.total(), sketch.quantile(0.9)), (500, before));
}
