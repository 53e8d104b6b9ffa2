use super::*;

const NAMED: [&str; NAMES] = ["acme", "t", "u", "a", "k", "fast", "p", "m", "", "", ""];

#[test]
fn rows_of_a_minute_and_the_same_names_are_one_group() {
    let mut tally = Tally::default();
    let row = Row { total_ms: 10.0, ..Row::default() };
    assert!(tally.add(60_000, &NAMED, &row));
    assert!(!tally.add(119_999, &NAMED, &row));
    assert!(tally.add(120_000, &NAMED, &row));
    let mut other = NAMED;
    (other[0], other[1]) = ("acm", "et");
    assert!(tally.add(60_000, &other, &row));
    assert!(!tally.add(60_000, &NAMED, &row));
    tally.add_again(&row);
    let counted: Vec<i64> = (0..4).filter_map(|number| Some(tally.group(number)?.counts()[0])).collect();
    assert_eq!(counted, [4, 1, 1]);
}

#[test]
fn sums_are_the_same_in_whatever_parts_they_are_made() {
    let rows: Vec<Row> = (1..500_i64)
        .map(|number| Row {
            tokens: [number; KINDS],
            cost_nanousd: (number % 3 > 0).then_some(number),
            is_hit: number % 5 == 0,
            total_ms: number as f64 * 1.7,
            first_token_ms: (number % 2 == 0).then_some(number as f64),
            ..Row::default()
        })
        .collect();
    let sum = |rows: &[Row]| {
        let mut sums = Sums::default();
        rows.iter().for_each(|row| sums.add(row));
        sums
    };
    for size in [1, 7, 200] {
        let mut sums = Sums::default();
        rows.chunks(size).for_each(|part| {
            let part = sum(part);
            sums.include(&Sums::kept(&part.counts(), &part.latency.encode(), &part.first_token.encode()));
        });
        assert_eq!(sums, sum(&rows));
    }
}

#[test]
fn absurd_figures_stay_within_what_a_database_takes() {
    let row = Row { tokens: [i64::MAX; KINDS], is_hit: true, total_ms: f64::INFINITY, ..Row::default() };
    let mut sums = Sums::kept(&[i64::MAX; COUNTED], b"", b"");
    sums.add(&row);
    assert_eq!(sums.counts(), [i64::MAX; COUNTED]);
    let mut alone = Sums::default();
    alone.add(&row);
    assert_eq!(alone.counts()[2..13], [LARGEST_ADDED; KINDS]);
    assert_eq!(alone.counts()[18], LARGEST_ADDED);
}

#[test]
fn a_damaged_sketch_begins_anew_alone() {
    let mut sums = Sums::kept(&[3; COUNTED], &[0xff], &[5, 2]);
    sums.add(&Row { total_ms: 5.0, ..Row::default() });
    assert_eq!((sums.latency.count(), sums.first_token.count(), sums.counts()[0]), (1, 2, 4));
}

#[test]
fn a_minute_begins_before_its_moments() {
    assert_eq!([59_999, 60_000, 0, -1].map(minute_of), [0, 60_000, 0, -60_000]);
    assert_eq!(minute_of(i64::MIN), i64::MIN);
}
