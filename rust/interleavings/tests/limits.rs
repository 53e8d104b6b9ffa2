//! Limits and budgets: the ledger behind one lock, as the bindings have it, and the thread that writes figures down.

#![allow(clippy::unwrap_used, clippy::panic, clippy::indexing_slicing, reason = "a test may")]

use std::collections::HashMap;

use dragoman_core::ledger::{Amounts, Figure, Hold, Ledger, Measure, Period, Reserved, Rule, Scope};
use dragoman_interleavings::explore;
use dragoman_interleavings::sync::{Arc, Mutex, thread};

const SCHEDULES: usize = 20_000;
const NOW_MS: u64 = 1_000_000;
const PRICE: i64 = 10;

/// As the bindings hold it: one lock for every call.
type Books = Arc<Mutex<Ledger>>;
/// What is written down, by one at a time: by rule and whom, what is spent and what is claimed.
#[derive(Clone, Default)]
struct Disk {
    written: Arc<Mutex<HashMap<(usize, String), Figure>>>,
    writing: Arc<Mutex<()>>,
}

fn rule(name: &str, measure: Measure, most: i64, durable: bool) -> Rule {
    let name = name.into();
    Rule { name, measure, period: Period::Ever, most, enforced: true, durable, levels: Vec::new() }
}

fn asked() -> Amounts {
    Amounts { requests: 1, tokens: 0, cost: PRICE }
}

fn scope(books: &Books, rules: &[usize]) -> Scope {
    books.lock().unwrap().scope(rules.iter().map(|rule| (*rule, "team"))).unwrap()
}

fn forget(books: &Books, scope: &Scope) {
    books.lock().unwrap().forget(scope);
}

fn reserve(books: &Books, scope: &Scope) -> Reserved {
    books.lock().unwrap().reserve(scope, asked(), NOW_MS)
}

#[derive(Clone, Copy)]
enum End {
    Settle(i64),
    Release,
    Keep,
}

fn end(books: &Books, hold: Hold, how: End) -> i64 {
    let mut books = books.lock().unwrap();
    match how {
        End::Settle(cost) => books.settle(hold, Amounts { requests: 1, tokens: 0, cost }),
        End::Release => books.settle(hold, Amounts::default()),
        End::Keep => books.keep(hold),
    }
    match how {
        End::Settle(cost) => cost,
        End::Release => 0,
        End::Keep => PRICE,
    }
}

/// Under all rules, nothing is held beside what was spent.
fn assert_settled(books: &Books, spent: &[i64]) {
    let mut books = books.lock().unwrap();
    assert_eq!(books.held(), 0);
    let mut found: Vec<(usize, i64)> = books.all(NOW_MS).iter().map(|one| (one.rule, one.spent)).collect();
    found.sort_unstable();
    assert_eq!(found, spent.iter().copied().enumerate().collect::<Vec<_>>());
}

#[test]
fn parallel_requests_never_pass_a_limit_and_leave_nothing_held() {
    explore(SCHEDULES, || {
        let books = Books::default();
        let rules = {
            let mut books = books.lock().unwrap();
            let money = books.rule(rule("money", Measure::Cost, 2 * PRICE, false));
            [money, books.rule(rule("slots", Measure::Concurrent, 2, false))]
        };
        let under_way = Arc::new(Mutex::new(0));
        let threads = [End::Settle(PRICE - 3), End::Release, End::Keep].map(|how| {
            let (books, under_way) = (books.clone(), under_way.clone());
            thread::spawn(move || {
                let scope = scope(&books, &rules);
                let mut spent = 0;
                if let Reserved::Held(hold) = reserve(&books, &scope) {
                    *under_way.lock().unwrap() += 1;
                    assert!(*under_way.lock().unwrap() <= 2);
                    *under_way.lock().unwrap() -= 1;
                    spent = end(&books, hold, how);
                }
                forget(&books, &scope);
                spent
            })
        });
        let spent: i64 = threads.into_iter().map(|one| one.join().unwrap()).sum();
        assert!(spent <= 2 * PRICE);
        assert_settled(&books, &[spent, 0]);
    });
}

#[test]
fn all_limits_are_charged_or_none() {
    explore(SCHEDULES, || {
        let books = Books::default();
        let (wide, narrow) = {
            let mut books = books.lock().unwrap();
            let wide = books.rule(rule("wide", Measure::Requests, 9, false));
            (wide, books.rule(rule("narrow", Measure::Requests, 1, false)))
        };
        let threads = [[wide, narrow], [narrow, wide], [wide, narrow]].map(|rules| {
            let books = books.clone();
            thread::spawn(move || {
                let scope = scope(&books, &rules);
                let held = match reserve(&books, &scope) {
                    Reserved::Held(hold) => end(&books, hold, End::Keep) / PRICE,
                    Reserved::Refused(refusal) => {
                        assert_eq!(refusal.rule, narrow);
                        0
                    }
                    Reserved::Unclaimed => unreachable!("nothing is durable"),
                };
                forget(&books, &scope);
                held
            })
        });
        assert_eq!(threads.into_iter().map(|one| one.join().unwrap()).sum::<i64>(), 1);
        assert_settled(&books, &[1, 1]);
    });
}

/// Writes down what is to be, once.
fn write(books: &Books, disk: &Disk) {
    let _alone = disk.writing.lock().unwrap();
    let figures = books.lock().unwrap().unsaved();
    for figure in &figures {
        disk.written.lock().unwrap().insert((figure.rule, figure.who.clone()), figure.clone());
    }
    books.lock().unwrap().saved(&figures);
}

/// What was used is never above what is written: a crash at this instant would forget nothing.
fn assert_written(books: &Books, disk: &Disk) {
    let mut books = books.lock().unwrap();
    let disk = disk.written.lock().unwrap();
    for one in books.all(NOW_MS) {
        let claimed = disk.get(&(one.rule, one.who.clone())).map_or(0, |figure| figure.claimed);
        assert!(one.spent + one.held <= claimed, "{one:?} and {claimed} are claimed");
    }
}

#[test]
fn what_is_spent_was_written_down_before_whoever_writes_meanwhile() {
    explore(SCHEDULES / 2, || {
        let (books, disk) = (Books::default(), Disk::default());
        let money = books.lock().unwrap().rule(rule("money", Measure::Cost, 5 * PRICE, true));
        let mut threads: Vec<_> = [End::Settle(PRICE), End::Release, End::Settle(1)]
            .map(|how| {
                let (books, disk) = (books.clone(), disk.clone());
                thread::spawn(move || {
                    let scope = scope(&books, &[money]);
                    let mut spent = 0;
                    loop {
                        match reserve(&books, &scope) {
                            Reserved::Held(hold) => {
                                assert_written(&books, &disk);
                                spent = end(&books, hold, how);
                            }
                            Reserved::Unclaimed => {
                                write(&books, &disk);
                                continue;
                            }
                            Reserved::Refused(_) => {}
                        }
                        break;
                    }
                    assert_written(&books, &disk);
                    forget(&books, &scope);
                    spent
                })
            })
            .into();
        threads.push(thread::spawn({
            let (books, disk) = (books.clone(), disk.clone());
            move || {
                write(&books, &disk);
                assert_written(&books, &disk);
                books.lock().unwrap().sweep(NOW_MS);
                0
            }
        }));
        let spent: i64 = threads.into_iter().map(|one| one.join().unwrap()).sum();
        assert_eq!(books.lock().unwrap().held(), 0);
        write(&books, &disk);
        // The next start counts no less, and no more than a request's lease beyond it.
        let mut after = Ledger::default();
        after.rule(rule("money", Measure::Cost, 5 * PRICE, true));
        disk.written.lock().unwrap().values().for_each(|figure| after.restore(figure));
        let restored: i64 = after.all(NOW_MS).iter().map(|one| one.spent).sum();
        assert!((spent..=5 * PRICE).contains(&restored), "{spent} were spent, {restored} are known");
    });
}

#[test]
fn an_account_that_is_let_go_of_is_nobody_else_s_while_it_is_held() {
    explore(SCHEDULES, || {
        let books = Books::default();
        let slots = books.lock().unwrap().rule(rule("slots", Measure::Concurrent, 1, false));
        let mut threads: Vec<_> = ["one", "other"]
            .map(|who| {
                let books = books.clone();
                thread::spawn(move || {
                    let scope = books.lock().unwrap().scope([(slots, who)].into_iter()).unwrap();
                    let held = reserve(&books, &scope);
                    forget(&books, &scope);
                    let Reserved::Held(hold) = held else { panic!("nobody else is {who}") };
                    let standing = books.lock().unwrap().all(NOW_MS);
                    let mine = standing.iter().find(|one| one.who == who).unwrap();
                    assert_eq!(mine.held, 1);
                    end(&books, hold, End::Keep);
                })
            })
            .into();
        threads.push(thread::spawn({
            let books = books.clone();
            move || (0..2).for_each(|_| books.lock().unwrap().sweep(NOW_MS))
        }));
        threads.into_iter().for_each(|one| one.join().unwrap());
        books.lock().unwrap().sweep(NOW_MS);
        assert!(books.lock().unwrap().all(NOW_MS).is_empty());
    });
}
