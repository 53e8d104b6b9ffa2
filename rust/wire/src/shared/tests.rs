use std::sync::Arc;
use std::time::Duration;

use dragoman_core::ledger::{Amounts, Measure, Period, Rule};

use super::ledger::Ledger;
use super::{FIRST_PAUSE, Options, Shared, Trouble, spread};

fn nowhere() -> Arc<Shared> {
    let options = Options {
        url: "redis://127.0.0.1:1".into(),
        prefix: "test".into(),
        timeout: Duration::from_millis(50),
    };
    Arc::new(Shared::new(options).unwrap())
}

fn rule(most: i64) -> Rule {
    Rule {
        name: "budget".into(),
        measure: Measure::Cost,
        period: Period::Month,
        most,
        enforced: true,
        durable: false,
        levels: Vec::new(),
    }
}

#[tokio::test]
async fn without_a_server_everything_fails_at_once() {
    let shared = nowhere();
    let ledger = Ledger::new(shared.clone(), "p".into());
    let number = ledger.rule(rule(5));
    let scope = ledger.scope([(number, "team")].into_iter()).unwrap();
    assert!(matches!(ledger.reserve(&scope, Amounts::default()).await, Err(Trouble::Down)));
    assert!(ledger.take(&scope, Amounts::default()).await.is_none());
    assert!(matches!(ledger.standings(None).await, Err(Trouble::Down)));
    assert!(shared.get(b"x").await.is_err());
    assert!(!shared.is_up());
    assert_eq!(shared.failures(), 0);
}

#[tokio::test]
async fn what_cannot_be_reached_says_why() {
    let shared = nowhere();
    let connecting = shared.clone();
    let task = tokio::spawn(async move { connecting.keep_connected(|| ()).await });
    while shared.reason().starts_with("it has not") {
        tokio::time::sleep(Duration::from_millis(1)).await;
    }
    assert!(!shared.reason().contains("127.0.0.1"));
    task.abort();
}

#[test]
fn an_address_that_is_none() {
    let options = Options { url: "http://x".into(), prefix: "p".into(), timeout: Duration::ZERO };
    assert!(Shared::new(options).is_err());
}

#[test]
fn accounts_are_known_while_a_scope_is() {
    let ledger = Ledger::new(nowhere(), "p".into());
    let number = ledger.rule(rule(5));
    assert_eq!(ledger.rule(rule(6)), number);
    let mut one = ledger.scope([(number, "a"), (number, "b"), (99, "c")].into_iter()).unwrap();
    let mut other = ledger.scope([(number, "a")].into_iter()).unwrap();
    assert_eq!(Ledger::accounts(&one).len(), 2);
    assert!(Arc::ptr_eq(&Ledger::accounts(&one)[0], &Ledger::accounts(&other)[0]));
    assert!(ledger.measures(&one, Measure::Cost) && !ledger.measures(&one, Measure::Tokens));
    ledger.forget(&mut one);
    let again = ledger.scope([(number, "a")].into_iter()).unwrap();
    assert!(Arc::ptr_eq(&Ledger::accounts(&again)[0], &Ledger::accounts(&other)[0]));
    ledger.forget(&mut other);
}

#[test]
fn pauses_are_spread() {
    for _ in 0..100 {
        let pause = spread(FIRST_PAUSE);
        assert!(pause >= FIRST_PAUSE / 2 && pause <= FIRST_PAUSE);
    }
}
