//! One answer that several get: whoever writes, follows, stirs and leaves.

#![allow(clippy::unwrap_used, clippy::panic, clippy::indexing_slicing, reason = "a test may")]

use dragoman_interleavings::explore;
use dragoman_interleavings::recording::{Next, Recording};
use dragoman_interleavings::sync::{Arc, Condvar, Mutex, thread};

const SCHEDULES: usize = 20_000;
const PIECES: [&[u8]; 3] = [b"one ", b"two ", b"three"];

/// What a follower waits by.
#[derive(Clone, Default)]
struct Bell(Arc<(Mutex<bool>, Condvar)>);

impl Bell {
    fn ring(&self) {
        *self.0.0.lock().unwrap() = true;
        self.0.1.notify_one();
    }

    fn wait(&self) {
        let mut rung = self.0.0.lock().unwrap();
        while !*rung {
            rung = self.0.1.wait(rung).unwrap();
        }
    }
}

type Shared = Arc<Recording<Bell>>;

fn ring(bells: Vec<Bell>) {
    bells.iter().for_each(Bell::ring);
}

/// All that a follower gets, which leaves after so many looks; `None`: it came too late.
fn follow(recording: &Shared, looks: usize) -> Option<Vec<u8>> {
    if !recording.join() {
        return None;
    }
    let mut got = Vec::new();
    for _ in 0..looks {
        match recording.after(got.len(), <[u8]>::to_vec) {
            Next::More(rest) => got.extend(rest),
            Next::Over => break,
            Next::Nothing => {
                let bell = Bell::default();
                if recording.wait(got.len(), bell.clone()).is_none() {
                    bell.wait();
                }
            }
        }
    }
    recording.leave();
    Some(got)
}

fn lead(recording: &Shared) {
    for piece in PIECES {
        ring(recording.push(piece));
    }
    ring(recording.end());
}

#[test]
fn nobody_waits_for_ever_and_each_gets_all_of_it() {
    explore(SCHEDULES, || {
        let recording: Shared = Arc::new(Recording::new(1_000));
        let leader = thread::spawn({
            let recording = recording.clone();
            move || lead(&recording)
        });
        let followers: Vec<_> = (0..3)
            .map(|_| {
                let recording = recording.clone();
                thread::spawn(move || follow(&recording, usize::MAX))
            })
            .collect();
        let stirring = thread::spawn({
            let recording = recording.clone();
            move || ring(recording.stir())
        });
        leader.join().unwrap();
        stirring.join().unwrap();
        for follower in followers {
            let got = follower.join().unwrap();
            assert!(got.is_none_or(|got| got == PIECES.concat()));
        }
        assert_eq!(recording.followers(), 0);
    });
}

#[test]
fn one_that_leaves_early_takes_nothing_from_the_others() {
    explore(SCHEDULES, || {
        let recording: Shared = Arc::new(Recording::new(1_000));
        let threads = [1, usize::MAX].map(|looks| {
            let recording = recording.clone();
            thread::spawn(move || follow(&recording, looks))
        });
        lead(&recording);
        let [early, late] = threads.map(|one| one.join().unwrap());
        assert!(early.is_none_or(|got| PIECES.concat().starts_with(&got)));
        assert!(late.is_none_or(|got| got == PIECES.concat()));
        assert_eq!(recording.followers(), 0);
    });
}

#[test]
fn whoever_follows_has_the_room_that_followers_have() {
    explore(SCHEDULES, || {
        let recording: Shared = Arc::new(Recording::new(8));
        let follower = thread::spawn({
            let recording = recording.clone();
            move || follow(&recording, usize::MAX)
        });
        lead(&recording); // thirteen bytes
        match follower.join().unwrap() {
            Some(got) => assert_eq!(got, PIECES.concat()),
            None => assert!(recording.is_dropped() || recording.body(<[u8]>::len) == 13),
        }
    });
}
