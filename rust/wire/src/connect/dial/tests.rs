use tokio::net::TcpListener;
use tokio::time::{Instant, sleep};

use super::*;

fn addresses(text: &str) -> Vec<SocketAddr> {
    text.split_whitespace().map(|address| address.parse().unwrap()).collect()
}

/// Races addresses whose last part says how they behave: 1 answers in 10 ms, 2 refuses after 10 ms, 3 is a black hole,
/// 4 answers in 400 ms. Gives the winner, when it won, and every attempt with its start.
async fn raced(text: &str) -> (io::Result<SocketAddr>, u128, Vec<(SocketAddr, u128)>) {
    let begun = Instant::now();
    let attempts = std::cell::RefCell::new(Vec::new());
    let connect = async |address: SocketAddr| {
        attempts.borrow_mut().push((address, begun.elapsed().as_millis()));
        let behaviour = address.to_string().replace([']', '['], "");
        match behaviour.rsplit_once(':').unwrap().0.chars().last().unwrap() {
            '1' => sleep(Duration::from_millis(10)).await,
            '2' => {
                sleep(Duration::from_millis(10)).await;
                return Err(io::Error::new(io::ErrorKind::ConnectionRefused, address.to_string()));
            }
            '3' => std::future::pending().await,
            _ => sleep(Duration::from_millis(400)).await,
        }
        Ok(address)
    };
    let winner = race(&addresses(text), connect).await;
    (winner, begun.elapsed().as_millis(), attempts.into_inner())
}

fn starts(attempts: &[(SocketAddr, u128)]) -> Vec<u128> {
    attempts.iter().map(|&(_, start)| start).collect()
}

#[test]
fn families_take_turns() {
    let ordered =
        |text| alternate(&addresses(text)).into_iter().map(|a| a.to_string()).collect::<Vec<_>>().join(" ");
    assert_eq!(ordered(""), "");
    assert_eq!(ordered("10.0.0.1:1"), "10.0.0.1:1");
    assert_eq!(ordered("10.0.0.1:1 10.0.0.2:1 10.0.0.3:1"), "10.0.0.1:1 10.0.0.2:1 10.0.0.3:1");
    assert_eq!(
        ordered("[fd00::1]:1 [fd00::2]:1 [fd00::3]:1 10.0.0.1:1 10.0.0.2:1"),
        "[fd00::1]:1 10.0.0.1:1 [fd00::2]:1 10.0.0.2:1 [fd00::3]:1"
    );
    assert_eq!(ordered("10.0.0.1:1 [fd00::1]:1 [fd00::2]:1"), "10.0.0.1:1 [fd00::1]:1 [fd00::2]:1");
}

#[tokio::test(start_paused = true)]
async fn the_first_address_wins_alone_when_it_answers() {
    let (winner, took, attempts) = raced("[fd00::1]:1 10.0.0.1:1").await;
    assert_eq!(winner.unwrap(), addresses("[fd00::1]:1")[0]);
    assert_eq!((took, starts(&attempts)), (10, vec![0]));
}

#[tokio::test(start_paused = true)]
async fn a_dead_family_costs_a_head_start() {
    for (dead, alive) in [("[fd00::3]:1", "10.0.0.1:1"), ("10.0.0.3:1", "[fd00::1]:1")] {
        let (winner, took, attempts) = raced(&format!("{dead} {alive}")).await;
        assert_eq!(winner.unwrap(), addresses(alive)[0]);
        assert_eq!((took, starts(&attempts)), (260, vec![0, 250]));
    }
}

#[tokio::test(start_paused = true)]
async fn a_refusal_hands_over_at_once() {
    let (winner, took, attempts) = raced("10.0.0.2:1 10.0.1.2:1 10.0.0.1:1").await;
    assert_eq!(winner.unwrap(), addresses("10.0.0.1:1")[0]);
    assert_eq!((took, starts(&attempts)), (30, vec![0, 10, 20]));
}

#[tokio::test(start_paused = true)]
async fn a_slow_first_address_may_still_win() {
    let (winner, took, attempts) = raced("10.0.0.4:1 10.0.0.3:1 10.0.1.3:1").await;
    assert_eq!(winner.unwrap(), addresses("10.0.0.4:1")[0]);
    assert_eq!((took, starts(&attempts)), (400, vec![0, 250]));
}

#[tokio::test(start_paused = true)]
async fn when_all_fail_the_preferred_ones_error_stands() {
    let (winner, took, _) = raced("10.0.0.2:1 [fd00::2]:1 10.0.1.2:1").await;
    assert_eq!(winner.unwrap_err().to_string(), "10.0.0.2:1");
    assert_eq!(took, 30);
    assert_eq!(raced("").await.0.unwrap_err().kind(), io::ErrorKind::AddrNotAvailable);
}

#[tokio::test]
async fn sockets_send_at_once_and_are_kept_alive() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let stream = dial(&[listener.local_addr().unwrap()]).await.unwrap();
    assert!(stream.nodelay().unwrap());
    let socket = SockRef::from(&stream);
    assert!(socket.keepalive().unwrap());
    assert_eq!(socket.tcp_keepalive_time().unwrap(), KEEPALIVE);
    assert_eq!(socket.tcp_keepalive_interval().unwrap(), KEEPALIVE_INTERVAL);
    assert_eq!(socket.tcp_keepalive_retries().unwrap(), KEEPALIVE_PROBES);
}
