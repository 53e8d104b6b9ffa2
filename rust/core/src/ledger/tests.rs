use proptest::collection::vec;
use proptest::prelude::*;

use super::{Amounts, Hold, Ledger, Measure, Period, Refusal, Reserved, Rule, Scope};

const SECOND: u64 = 1_000;
const MINUTE: u64 = 60 * SECOND;
const DAY: u64 = 24 * 60 * MINUTE;
/// 2026-11-30T00:00:00Z, a Monday.
const MONDAY: u64 = 1_795_996_800_000;

fn rule(measure: Measure, period: Period, most: i64) -> Rule {
    Rule {
        name: "rule".into(),
        measure,
        period,
        most,
        enforced: true,
        durable: false,
        levels: vec![0.5, 1.0],
    }
}

fn one(cost: i64) -> Amounts {
    Amounts { requests: 1, tokens: cost, cost }
}

fn scope(ledger: &mut Ledger, rules: &[Rule]) -> Scope {
    let numbers: Vec<usize> = rules
        .iter()
        .enumerate()
        .map(|(number, rule)| ledger.rule(Rule { name: format!("{number}").into(), ..rule.clone() }))
        .collect();
    ledger.scope(numbers.iter().map(|number| (*number, "team"))).unwrap()
}

fn hold(ledger: &mut Ledger, scope: &Scope, most: Amounts, now_ms: u64) -> Result<Hold, Refusal> {
    loop {
        match ledger.reserve(scope, most, now_ms) {
            Reserved::Held(hold) => return Ok(hold),
            Reserved::Refused(refusal) => return Err(refusal),
            Reserved::Unclaimed => {
                let figures = ledger.unsaved();
                assert!(!figures.is_empty());
                ledger.saved(&figures);
            }
        }
    }
}

fn spent(ledger: &mut Ledger, scope: &Scope, now_ms: u64) -> Vec<(i64, i64)> {
    ledger.standings(scope, now_ms).iter().map(|standing| (standing.spent, standing.held)).collect()
}

#[test]
fn all_are_charged_or_none() {
    let mut ledger = Ledger::default();
    let narrow = rule(Measure::Cost, Period::Month, 10);
    let scope = scope(&mut ledger, &[rule(Measure::Requests, Period::Sliding(MINUTE), 5), narrow]);
    let first = hold(&mut ledger, &scope, one(8), MONDAY).unwrap();
    let refusal = hold(&mut ledger, &scope, one(3), MONDAY).unwrap_err();
    assert_eq!((refusal.rule, refusal.used, refusal.asked, refusal.wait_ms), (1, 8, 3, Some(DAY)));
    assert_eq!(spent(&mut ledger, &scope, MONDAY), [(0, 1), (0, 8)]);
    ledger.settle(first, one(4));
    assert_eq!(spent(&mut ledger, &scope, MONDAY), [(1, 0), (4, 0)]);
    assert!(hold(&mut ledger, &scope, one(6), MONDAY).is_ok());
}

#[test]
fn a_hold_says_what_is_left_under_the_tightest_limit() {
    let mut ledger = Ledger::default();
    let shadow = Rule { enforced: false, ..rule(Measure::Requests, Period::Sliding(MINUTE), 1) };
    let rules = [
        rule(Measure::Requests, Period::Sliding(MINUTE), 9),
        rule(Measure::Requests, Period::Day, 4),
        shadow,
        rule(Measure::Tokens, Period::Ever, 50),
    ];
    let scope = scope(&mut ledger, &rules);
    let held = hold(&mut ledger, &scope, one(8), MONDAY).unwrap();
    let [requests, tokens] = held.left.map(Option::unwrap);
    assert_eq!((requests.most, requests.left, requests.resets_ms), (4, 3, Some(MONDAY + DAY)));
    assert_eq!((tokens.most, tokens.left, tokens.resets_ms), (50, 42, None));
}

#[test]
fn what_comes_to_more_than_was_held_is_counted_and_blocks_the_next() {
    let mut ledger = Ledger::default();
    let scope = scope(&mut ledger, &[rule(Measure::Cost, Period::Ever, 10)]);
    let held = hold(&mut ledger, &scope, one(5), MONDAY).unwrap();
    ledger.settle(held, one(12));
    let refusal = hold(&mut ledger, &scope, one(0), MONDAY).unwrap_err();
    assert_eq!((refusal.used, refusal.wait_ms), (12, None));
}

#[test]
fn requests_at_the_same_time() {
    let mut ledger = Ledger::default();
    let scope = scope(&mut ledger, &[rule(Measure::Concurrent, Period::Ever, 2)]);
    let first = hold(&mut ledger, &scope, one(5), MONDAY).unwrap();
    let second = hold(&mut ledger, &scope, one(5), MONDAY).unwrap();
    assert_eq!(hold(&mut ledger, &scope, one(5), MONDAY).unwrap_err().wait_ms, Some(1_000));
    ledger.settle(first, one(5));
    let third = hold(&mut ledger, &scope, one(5), MONDAY).unwrap();
    ledger.keep(second);
    ledger.keep(third);
    assert_eq!(spent(&mut ledger, &scope, MONDAY), [(0, 0)]);
}

#[test]
fn a_rule_in_shadow_refuses_nobody_and_tells() {
    let mut ledger = Ledger::default();
    let shadow = Rule { enforced: false, ..rule(Measure::Requests, Period::Day, 1) };
    let scope = scope(&mut ledger, &[shadow]);
    assert!(hold(&mut ledger, &scope, one(0), MONDAY).unwrap().shadowed.is_empty());
    assert_eq!(hold(&mut ledger, &scope, one(0), MONDAY).unwrap().shadowed, [0]);
    assert_eq!(spent(&mut ledger, &scope, MONDAY), [(0, 2)]);
}

#[test]
fn what_ends_after_its_period_belongs_to_it() {
    let mut ledger = Ledger::default();
    let scope = scope(&mut ledger, &[Rule { durable: true, ..rule(Measure::Cost, Period::Day, 10) }]);
    let held = hold(&mut ledger, &scope, one(9), MONDAY + DAY - 1).unwrap();
    let next = hold(&mut ledger, &scope, one(9), MONDAY + DAY).unwrap();
    ledger.settle(held, one(7));
    assert_eq!(spent(&mut ledger, &scope, MONDAY + DAY), [(0, 9)]);
    let figures = ledger.unsaved();
    assert!(figures.iter().any(|figure| figure.slot_ms == MONDAY && figure.spent == 7), "{figures:?}");
    ledger.saved(&figures);
    ledger.settle(next, one(0));
    assert_eq!(spent(&mut ledger, &scope, MONDAY + DAY), [(0, 0)]);
}

#[test]
fn a_clock_that_goes_back_gives_nothing_back() {
    let mut ledger = Ledger::default();
    let scope = scope(&mut ledger, &[rule(Measure::Requests, Period::Day, 1)]);
    assert!(hold(&mut ledger, &scope, one(0), MONDAY + DAY).is_ok());
    assert!(hold(&mut ledger, &scope, one(0), MONDAY).is_err());
}

#[test]
fn levels_are_told_of_once_a_period() {
    let mut ledger = Ledger::default();
    let scope = scope(&mut ledger, &[rule(Measure::Cost, Period::Day, 10)]);
    for (now_ms, cost, told) in [
        (MONDAY, 4, vec![]),
        (MONDAY, 2, vec![0.5]),
        (MONDAY, 4, vec![1.0]),
        (MONDAY + DAY, 10, vec![0.5, 1.0]),
    ] {
        let held = hold(&mut ledger, &scope, one(cost), now_ms).unwrap();
        ledger.settle(held, one(cost));
        let levels: Vec<f64> = ledger.crossings().iter().map(|crossing| crossing.level).collect();
        assert_eq!(levels, told);
    }
}

#[test]
fn accounts_that_count_nothing_go() {
    let mut ledger = Ledger::default();
    let number = ledger.rule(rule(Measure::Requests, Period::Sliding(MINUTE), 5));
    for name in 0..100 {
        let who = format!("{name}");
        let scope = ledger.scope(std::iter::once((number, who.as_str()))).unwrap();
        let held = hold(&mut ledger, &scope, one(0), MONDAY).unwrap();
        ledger.forget(&scope);
        ledger.settle(held, one(0));
    }
    ledger.sweep(MONDAY + MINUTE);
    assert_eq!(ledger.all(MONDAY).len(), 100);
    ledger.sweep(MONDAY + MINUTE + SECOND);
    assert_eq!(ledger.all(MONDAY).len(), 0);
}

#[test]
fn a_rule_that_changes_keeps_what_it_has_counted() {
    let mut ledger = Ledger::default();
    let first = scope(&mut ledger, &[rule(Measure::Cost, Period::Month, 10)]);
    let held = hold(&mut ledger, &first, one(8), MONDAY).unwrap();
    let second = scope(&mut ledger, &[rule(Measure::Cost, Period::Month, 5)]);
    assert!(hold(&mut ledger, &second, one(1), MONDAY).is_err());
    ledger.settle(held, one(3));
    assert!(hold(&mut ledger, &second, one(2), MONDAY).is_ok());
    let other = scope(&mut ledger, &[rule(Measure::Cost, Period::Day, 5)]);
    assert_eq!(spent(&mut ledger, &other, MONDAY), [(0, 0)]);
}

/// Days since the epoch, and the month that each begins, from the calendar (`date -d`).
#[test]
fn months_and_weeks_begin_when_the_calendar_says() {
    for (day, month, year) in
        [(0, 0, 0), (58, 31, 0), (59, 59, 0), (11_016, 10_988, 10_957), (20_787, 20_758, 20_454)]
    {
        let now_ms = day * DAY + 12_345;
        assert_eq!(Period::Month.slot(now_ms), month * DAY, "month of {day}");
        assert_eq!(Period::Year.slot(now_ms), year * DAY, "year of {day}");
    }
    assert_eq!(Period::Month.leaves(20_758 * DAY), Some(20_788 * DAY));
    assert_eq!(Period::Year.leaves(20_454 * DAY), Some(20_819 * DAY));
    assert_eq!(Period::Week.slot(MONDAY + 6 * DAY), MONDAY);
    assert_eq!(Period::Week.slot(MONDAY - 1), MONDAY - 7 * DAY);
    assert_eq!(Period::Week.leaves(MONDAY), Some(MONDAY + 7 * DAY));
}

proptest! {
    #[test]
    fn a_period_holds_every_moment_of_its_slot(now_ms in 0_u64..8_000_000_000_000, sliding in 1_u64..100_000_000) {
        for period in [Period::Sliding(sliding), Period::Day, Period::Week, Period::Month, Period::Year] {
            let slot = period.slot(now_ms);
            let leaves = period.leaves(slot).unwrap();
            prop_assert!(slot <= now_ms && now_ms < leaves);
            prop_assert_eq!(period.slot(slot), slot);
            if !matches!(period, Period::Sliding(_)) {
                prop_assert_eq!(period.slot(leaves), leaves);
            }
        }
    }

    /// Whoever waits as long as is said is served, and no stretch of a period holds more than the limit.
    #[test]
    fn no_stretch_holds_more_than_the_limit(pauses in vec(0_u64..3_000, 1..400), most in 1_i64..30) {
        let mut ledger = Ledger::default();
        let scope = scope(&mut ledger, &[rule(Measure::Requests, Period::Sliding(MINUTE), most)]);
        let (mut now_ms, mut admitted) = (MONDAY, Vec::new());
        for pause in pauses {
            now_ms += pause;
            if let Err(refusal) = hold(&mut ledger, &scope, one(0), now_ms) {
                now_ms += refusal.wait_ms.unwrap();
                prop_assert!(hold(&mut ledger, &scope, one(0), now_ms).is_ok());
            }
            admitted.push(now_ms);
        }
        for (first, &start) in admitted.iter().enumerate() {
            let within = admitted[first..].iter().filter(|&&at| at < start + MINUTE).count();
            prop_assert!(within <= usize::try_from(most).unwrap());
        }
    }

    /// Against a plain sum: nothing is lost, doubled or overspent, in whatever order requests end.
    #[test]
    fn the_ledger_is_the_sum_of_what_was_settled(steps in vec((0_u8..4, 0_i64..40, 0_i64..40, 0_u64..400), 1..200)) {
        let mut ledger = Ledger::default();
        let rules = [
            Rule { durable: true, ..rule(Measure::Cost, Period::Ever, 1_000) },
            rule(Measure::Tokens, Period::Ever, 900),
            rule(Measure::Concurrent, Period::Ever, 7),
        ];
        let scope = scope(&mut ledger, &rules);
        let (mut open, mut sum, mut now_ms) = (Vec::new(), 0, MONDAY);
        for (step, most, used, pause) in steps {
            now_ms += pause;
            match step {
                0 | 1 => {
                    let held: i64 = open.iter().map(|(_, most)| most).sum();
                    let fits = sum + held + most <= 900 && open.len() < 7;
                    match hold(&mut ledger, &scope, one(most), now_ms) {
                        Ok(hold) => { prop_assert!(fits); open.push((hold, most)); }
                        Err(_) => prop_assert!(!fits),
                    }
                }
                2 if !open.is_empty() => {
                    let (hold, most) = open.swap_remove(usize::try_from(pause).unwrap() % open.len());
                    sum += used.min(most);
                    ledger.settle(hold, one(used.min(most)));
                }
                3 if !open.is_empty() => {
                    let (hold, most) = open.remove(0);
                    sum += most;
                    ledger.keep(hold);
                }
                _ => {}
            }
            let held: i64 = open.iter().map(|(_, most)| most).sum();
            let at_once = i64::try_from(open.len()).unwrap();
            prop_assert_eq!(spent(&mut ledger, &scope, now_ms), [(sum, held), (sum, held), (0, at_once)]);
        }
        prop_assert!(sum <= 900);
    }

    /// What was claimed for requests that came to nothing is given back.
    #[test]
    fn claims_are_given_back(holds in vec(1_i64..100, 1..30)) {
        let durable = Rule { durable: true, ..rule(Measure::Cost, Period::Ever, 10_000) };
        let mut ledger = Ledger::default();
        let scope = scope(&mut ledger, std::slice::from_ref(&durable));
        let held: Vec<Hold> = holds.iter().map(|most| hold(&mut ledger, &scope, one(*most), MONDAY).unwrap()).collect();
        held.into_iter().for_each(|hold| ledger.settle(hold, one(0)));
        let (mut claimed, mut rounds) = (0, 0);
        while let Some(figure) = ledger.unsaved().last() {
            claimed = figure.claimed;
            ledger.saved(std::slice::from_ref(figure));
            rounds += 1;
            prop_assert!(rounds < 3);
        }
        prop_assert!(claimed <= 2 * durable.lease(100), "{}", claimed);
    }

    /// A crash at any moment: what the next process begins with is never less than what was spent or under way, and
    /// never more than what that came to since it was last written down but once, and what was claimed ahead.
    #[test]
    fn a_crash_forgets_nothing(steps in vec((any::<bool>(), 1_i64..40, 0_i64..40, any::<bool>()), 1..80)) {
        let durable = Rule { durable: true, ..rule(Measure::Cost, Period::Ever, 1_000) };
        let mut ledger = Ledger::default();
        let scope = scope(&mut ledger, std::slice::from_ref(&durable));
        let (mut open, mut sum, mut disk, mut highest) = (Vec::new(), 0, None, [0; 2]);
        for (begins, most, used, writes) in steps {
            let mut is_written = writes;
            if begins {
                match ledger.reserve(&scope, one(most), MONDAY) {
                    Reserved::Held(hold) => open.push((hold, most)),
                    Reserved::Refused(_) => {}
                    Reserved::Unclaimed => is_written = true,
                }
            } else if let Some((hold, most)) = open.pop() {
                sum += used.min(most);
                ledger.settle(hold, one(used.min(most)));
            }
            let now = sum + open.iter().map(|(_, most)| most).sum::<i64>();
            if is_written {
                let figures = ledger.unsaved();
                disk = figures.last().cloned().or(disk);
                ledger.saved(&figures);
                highest = [highest[1], now];
            }
            highest[1] = highest[1].max(now);
            let known = disk.as_ref().map_or(0, |figure| figure.claimed.max(figure.spent));
            prop_assert!(known >= now, "{} < {}", known, now);
            prop_assert!(known <= highest[0].max(highest[1]) + 40 + 2 * durable.lease(40));
        }
        if let Some(figure) = disk {
            let mut next = Ledger::default();
            let scope = super::tests::scope(&mut next, &[durable]);
            next.restore(&figure);
            prop_assert_eq!(spent(&mut next, &scope, MONDAY), [(figure.claimed, 0)]);
        }
    }
}
