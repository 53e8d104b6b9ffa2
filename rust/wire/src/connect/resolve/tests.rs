use std::sync::atomic::{AtomicUsize, Ordering};

use tokio::time::{advance, sleep};

use super::*;

/// A resolver that answers by a script: the n-th look-up gets the n-th answer, the last one for ever.
struct Script {
    resolver: Resolver,
    asked: Arc<AtomicUsize>,
}

#[derive(Clone)]
enum Turn {
    Found(&'static str),
    Empty,
    Fails,
    FoundAfter(Duration, &'static str),
    Silent,
}

fn script(turns: &[Turn]) -> Script {
    let (asked, turns) = (Arc::new(AtomicUsize::new(0)), turns.to_vec());
    let count = Arc::clone(&asked);
    let lookup = move |_: String| {
        let turn = turns[count.fetch_add(1, Ordering::SeqCst).min(turns.len() - 1)].clone();
        async move {
            match turn {
                Turn::Found(address) => Ok(vec![address.parse().unwrap()]),
                Turn::Empty => Ok(vec![]),
                Turn::Fails => Err(io::Error::other("SERVFAIL")),
                Turn::FoundAfter(delay, address) => {
                    sleep(delay).await;
                    Ok(vec![address.parse().unwrap()])
                }
                Turn::Silent => std::future::pending().await,
            }
        }
        .boxed()
    };
    Script { resolver: Resolver::new(Arc::new(lookup)), asked }
}

impl Script {
    async fn resolve(&self) -> String {
        match self.resolver.resolve("provider.example").await {
            Ok(addresses) => addresses.iter().map(ToString::to_string).collect::<Vec<_>>().join(" "),
            Err(error) => error.to_string(),
        }
    }

    fn asked(&self) -> usize {
        self.asked.load(Ordering::SeqCst)
    }
}

#[tokio::test(start_paused = true)]
async fn an_answer_is_fresh_for_half_a_minute() {
    let script = script(&[Turn::Found("192.0.2.1"), Turn::Found("192.0.2.2")]);
    assert_eq!(script.resolve().await, "192.0.2.1");
    advance(FRESH - Duration::from_millis(1)).await;
    assert_eq!(script.resolve().await, "192.0.2.1");
    assert_eq!(script.asked(), 1);
    advance(Duration::from_millis(1)).await;
    assert_eq!(script.resolve().await, "192.0.2.2");
    assert_eq!(script.asked(), 2);
}

#[tokio::test(start_paused = true)]
async fn the_last_good_answer_serves_through_an_outage_but_not_for_ever() {
    let script = script(&[Turn::Found("192.0.2.1"), Turn::Fails]);
    script.resolve().await;
    advance(FRESH + LAST_GOOD - Duration::from_millis(1)).await;
    assert_eq!(script.resolve().await, "192.0.2.1");
    advance(Duration::from_millis(1)).await;
    assert_eq!(script.resolve().await, "provider.example: SERVFAIL");
}

#[tokio::test(start_paused = true)]
async fn an_empty_answer_is_a_failure() {
    let fails = script(&[Turn::Empty]);
    assert_eq!(fails.resolve().await, "provider.example: no address");
    let script = script(&[Turn::Found("192.0.2.1"), Turn::Empty]);
    script.resolve().await;
    advance(FRESH).await;
    assert_eq!(script.resolve().await, "192.0.2.1");
}

#[tokio::test(start_paused = true)]
async fn a_slow_look_up_is_waited_for_a_second_when_a_last_good_answer_is_at_hand() {
    let slow = Turn::FoundAfter(Duration::from_secs(3), "192.0.2.2");
    let script = script(&[Turn::Found("192.0.2.1"), slow]);
    script.resolve().await;
    advance(FRESH).await;
    let before = Instant::now();
    assert_eq!(script.resolve().await, "192.0.2.1");
    assert_eq!(before.elapsed(), PATIENCE);
    // It went on by itself, and its answer is there when it has ended.
    sleep(Duration::from_secs(3)).await;
    assert_eq!(script.resolve().await, "192.0.2.2");
    assert_eq!(script.asked(), 2);
}

#[tokio::test(start_paused = true)]
async fn silence_ends_after_five_seconds() {
    let script = script(&[Turn::Silent, Turn::Found("192.0.2.1")]);
    let before = Instant::now();
    assert_eq!(script.resolve().await, "provider.example: no answer in time");
    assert_eq!(before.elapsed(), LOOKUP_TIMEOUT);
    assert_eq!(script.resolve().await, "192.0.2.1");
}

#[tokio::test(start_paused = true)]
async fn all_who_ask_at_once_share_one_look_up_even_if_the_first_gives_up() {
    let script = script(&[Turn::FoundAfter(Duration::from_secs(2), "192.0.2.1"), Turn::Fails]);
    assert!(timeout(Duration::from_secs(1), script.resolve()).await.is_err());
    let (one, other) = tokio::join!(script.resolve(), script.resolve());
    assert_eq!((one.as_str(), other.as_str()), ("192.0.2.1", "192.0.2.1"));
    assert_eq!(script.asked(), 1);
}

#[tokio::test(start_paused = true)]
async fn a_failure_is_not_kept() {
    let script = script(&[Turn::Fails, Turn::Found("192.0.2.1")]);
    assert_eq!(script.resolve().await, "provider.example: SERVFAIL");
    assert_eq!(script.resolve().await, "192.0.2.1");
}

#[tokio::test(start_paused = true)]
async fn names_that_nobody_asks_for_are_forgotten() {
    let script = script(&[Turn::Found("192.0.2.1")]);
    for number in 0..100 {
        script.resolver.resolve(&format!("{number}.example")).await.unwrap();
    }
    assert_eq!(script.resolver.lock().len(), 100);
    advance(FRESH + LAST_GOOD).await;
    script.resolve().await;
    assert_eq!(script.resolver.lock().len(), 1);
}

#[tokio::test]
async fn the_system_knows_localhost() {
    let resolver = Resolver::new(Arc::new(system));
    let addresses = resolver.resolve("localhost").await.unwrap();
    assert!(addresses.iter().all(IpAddr::is_loopback), "{addresses:?}");
}

#[tokio::test]
async fn the_system_says_why_a_name_has_no_address() {
    // RFC 6761: this name never exists, and no look-up of it leaves a proper resolver.
    let error = Resolver::new(Arc::new(system)).resolve("provider.invalid").await.unwrap_err();
    assert!(error.to_string().starts_with("provider.invalid: "), "{error}");
}
