//! One process's log: records go in from any thread, and one thread writes them.

use std::collections::VecDeque;
use std::fs::{self, File, OpenOptions};
use std::io::{self, Write};
use std::path::PathBuf;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use dragoman_core::audit::{Hash, Head, Tree, ZERO, link, write_line};
use ring::signature::Ed25519KeyPair;

use crate::files::{append_head, lock, segment_path, sync_names};
use crate::sync::thread::{self, JoinHandle};
use crate::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};

/// Called once: whether the record is durable.
pub type Waiter = Box<dyn FnOnce(bool) + Send>;

pub struct Settings {
    pub directory: PathBuf,
    pub writer: String,
    /// A segment is closed after so many records, or so long.
    pub segment_records: u64,
    pub segment_time: Duration,
    /// What waits to be written, at most.
    pub queue_bytes: usize,
    /// Heads are written here as well.
    pub copy_to: Option<PathBuf>,
}

/// Where nobody waits, what was written is synced so often.
const SYNC_EVERY: Duration = Duration::from_secs(1);
const RETRY_EVERY: Duration = Duration::from_millis(500);
/// What nobody waits for is written so often, or once there is so much of it.
const WRITE_EVERY: Duration = Duration::from_millis(50);
const IDLE_EVERY: Duration = Duration::from_millis(250);
const URGENT_BYTES: usize = 256 * 1024;

/// What a line has beside its record, about: a number, and a hash.
const LINE_BYTES: usize = 80;

struct Record {
    text: Vec<u8>,
    waiter: Option<Waiter>,
}

#[derive(Default)]
struct State {
    queue: VecDeque<Record>,
    queued_bytes: usize,
    closing: bool,
    written: u64,
    dropped: u64,
    failures: u64,
    /// Why nothing can be written now.
    failure: Option<String>,
}

impl State {
    fn refuses(&self, text: &[u8], queue_bytes: usize) -> bool {
        self.closing || self.queued_bytes + text.len() > queue_bytes
    }

    fn push(&mut self, record: Record) {
        self.queued_bytes += record.text.len();
        self.queue.push_back(record);
    }
}

struct Shared {
    state: Mutex<State>,
    wake: Condvar,
    queue_bytes: usize,
}

pub struct Log {
    shared: Arc<Shared>,
    thread: Mutex<Option<JoinHandle<()>>>,
}

impl Shared {
    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Log {
    /// Begins a chain. It is an error where another process has a writer of that name.
    pub fn open(settings: Settings, key: Ed25519KeyPair) -> io::Result<Self> {
        let shared = Shared {
            state: Mutex::new(State::default()),
            wake: Condvar::new(),
            queue_bytes: settings.queue_bytes,
        };
        let shared = Arc::new(shared);
        let mut file = Files::open(settings, key)?;
        let of_thread = Arc::clone(&shared);
        let run = move || run(&of_thread, &mut file);
        let thread = thread::Builder::new().name("audit".to_owned()).spawn(run)?;
        Ok(Self { shared, thread: Mutex::new(Some(thread)) })
    }

    /// Hands a record over. False: too much waits already, or the log is closed; a waiter is told so as well.
    pub fn append(&self, text: Vec<u8>, waiter: Option<Waiter>) -> bool {
        let mut state = self.shared.state();
        let refused = state.refuses(&text, self.shared.queue_bytes);
        // While nothing can be written nobody is kept waiting for it.
        if refused || (waiter.is_some() && state.failure.is_some()) {
            state.dropped += u64::from(refused);
            drop(state);
            if let Some(waiter) = waiter {
                waiter(false);
            }
            return false;
        }
        let is_waited_for = waiter.is_some();
        state.push(Record { text, waiter });
        self.tell(state, is_waited_for);
        true
    }

    /// Hands records over that nobody waits for. How many there was no room for: they are dropped.
    pub fn extend(&self, texts: Vec<Vec<u8>>) -> u64 {
        let mut state = self.shared.state();
        let before = state.dropped;
        for text in texts {
            if state.refuses(&text, self.shared.queue_bytes) {
                state.dropped += 1;
            } else {
                state.push(Record { text, waiter: None });
            }
        }
        let refused = state.dropped - before;
        self.tell(state, false);
        refused
    }

    /// To wake the thread costs more than to write: it wakes for who waits, and looks for others by itself.
    fn tell(&self, state: MutexGuard<'_, State>, is_waited_for: bool) {
        let is_urgent = is_waited_for || state.queued_bytes > URGENT_BYTES;
        drop(state);
        if is_urgent {
            self.shared.wake.notify_one();
        }
    }

    pub fn written(&self) -> u64 {
        self.shared.state().written
    }

    pub fn dropped(&self) -> u64 {
        self.shared.state().dropped
    }

    pub fn failures(&self) -> u64 {
        self.shared.state().failures
    }

    pub fn queued(&self) -> usize {
        self.shared.state().queue.len()
    }

    /// Why nothing can be written now; `None`: it can.
    pub fn failure(&self) -> Option<String> {
        self.shared.state().failure.clone()
    }

    /// Writes what waits, and closes the segment. What cannot be written is dropped.
    pub fn close(&self) {
        self.shared.state().closing = true;
        self.shared.wake.notify_one();
        let thread = self.thread.lock().unwrap_or_else(PoisonError::into_inner).take();
        if let Some(thread) = thread {
            let _ = thread.join();
        }
    }
}

impl Drop for Log {
    fn drop(&mut self) {
        self.close();
    }
}

/// The thread.
fn run(shared: &Shared, files: &mut Files) {
    loop {
        let (mut batch, closing) = next(shared, files.due());
        let wanted = batch.iter().any(|record| record.waiter.is_some()) || closing;
        let outcome = files.write(&batch, wanted);
        let well = outcome.is_ok();
        note(shared, outcome, &mut batch);
        for waiter in batch.into_iter().filter_map(|record| record.waiter) {
            waiter(well);
        }
        let tidied = if closing { files.end_segment() } else { files.tidy() };
        if let Err(error) = &tidied {
            let mut state = shared.state();
            state.failures += 1;
            state.failure = Some(error.to_string());
        }
        if closing {
            return;
        }
        if !well || tidied.is_err() {
            thread::sleep(RETRY_EVERY);
        }
    }
}

/// What is to be written: once somebody waits, or it is time.
fn next(shared: &Shared, due: Duration) -> (Vec<Record>, bool) {
    let mut state = shared.state();
    let is_urgent = state.queue.iter().any(|record| record.waiter.is_some());
    if !is_urgent && !state.closing {
        state = shared.wake.wait_timeout(state, due).unwrap_or_else(PoisonError::into_inner).0;
    }
    state.queued_bytes = 0;
    (state.queue.drain(..).collect(), state.closing)
}

/// Notes what has come of writing. Where nothing has, those that nobody waits for are kept for the next time.
fn note(shared: &Shared, outcome: io::Result<()>, batch: &mut Vec<Record>) {
    let mut state = shared.state();
    match outcome {
        Ok(()) => {
            state.written += batch.len() as u64;
            state.failure = None;
        }
        Err(error) => {
            state.failures += 1;
            state.failure = Some(error.to_string());
            let (waited, kept): (Vec<Record>, Vec<Record>) =
                batch.drain(..).partition(|one| one.waiter.is_some());
            *batch = waited;
            if state.closing {
                state.dropped += kept.len() as u64;
                return;
            }
            for record in kept.into_iter().rev() {
                state.queued_bytes += record.text.len();
                state.queue.push_front(record);
            }
        }
    }
}

/// The files of one chain, and where it stands.
struct Files {
    settings: Settings,
    folder: PathBuf,
    key: Ed25519KeyPair,
    _lock: File,
    file: Option<File>,
    length: u64,
    number: u64,
    begun: Instant,
    synced: Instant,
    is_dirty: bool,
    is_idle: bool,
    seq: u64,
    hash: Hash,
    first: u64,
    tree: Tree,
    before: Hash,
}

impl Files {
    fn open(settings: Settings, key: Ed25519KeyPair) -> io::Result<Self> {
        let folder = settings.directory.join(&settings.writer);
        fs::create_dir_all(&folder)?;
        sync_names(&settings.directory)?;
        if segment_path(&folder, 1).exists() {
            return Err(io::Error::new(io::ErrorKind::AlreadyExists, "there is a chain of this writer"));
        }
        let lock = lock(&folder)?;
        let lock =
            lock.ok_or_else(|| io::Error::new(io::ErrorKind::WouldBlock, "another process has this writer"))?;
        let now = Instant::now();
        Ok(Self {
            settings,
            folder,
            key,
            _lock: lock,
            file: None,
            length: 0,
            number: 1,
            begun: now,
            synced: now,
            is_dirty: false,
            is_idle: true,
            seq: 0,
            hash: ZERO,
            first: 1,
            tree: Tree::default(),
            before: ZERO,
        })
    }

    /// Until it is looked for what is to be done. Where nothing was written lately, nothing is expected soon.
    fn due(&self) -> Duration {
        if self.is_idle && !self.is_dirty && self.tree.is_empty() { IDLE_EVERY } else { WRITE_EVERY }
    }

    /// Writes records, all of them or none, and syncs where somebody waits or it is time.
    fn write(&mut self, batch: &[Record], wanted: bool) -> io::Result<()> {
        self.is_idle = batch.is_empty();
        let (mut seq, mut hash, mut tree) = (self.seq, self.hash, self.tree.clone());
        let mut text = Vec::with_capacity(batch.iter().map(|record| record.text.len() + LINE_BYTES).sum());
        for record in batch {
            seq += 1;
            hash = link(&self.settings.writer, seq, &hash, &record.text);
            tree.push(&hash);
            write_line(&mut text, seq, &hash, &record.text);
        }
        if !text.is_empty() {
            if let Err(error) = self.append(&text, wanted) {
                // Nothing of it stays, so that the next line begins where this one did.
                if let Some(file) = &self.file {
                    let _ = file.set_len(self.length);
                }
                return Err(error);
            }
            if self.tree.is_empty() {
                self.begun = Instant::now();
            }
            self.length += text.len() as u64;
            (self.seq, self.hash, self.tree) = (seq, hash, tree);
        }
        Ok(())
    }

    /// Syncs and closes what it is time for. What was written stays written if that fails.
    fn tidy(&mut self) -> io::Result<()> {
        if self.is_dirty && self.synced.elapsed() >= SYNC_EVERY {
            self.sync()?;
        }
        if self.tree.len() >= self.settings.segment_records
            || self.begun.elapsed() >= self.settings.segment_time
        {
            self.end_segment()?;
        }
        Ok(())
    }

    fn append(&mut self, text: &[u8], wanted: bool) -> io::Result<()> {
        if self.file.is_none() {
            let path = segment_path(&self.folder, self.number);
            let file = OpenOptions::new().append(true).create(true).open(path)?;
            self.length = file.metadata()?.len();
            self.file = Some(file);
            sync_names(&self.folder)?;
        }
        let Some(file) = self.file.as_mut() else { return Ok(()) };
        file.write_all(text)?;
        self.is_dirty = true;
        if wanted { self.sync() } else { Ok(()) }
    }

    fn sync(&mut self) -> io::Result<()> {
        if let Some(file) = &self.file {
            file.sync_data()?;
        }
        (self.synced, self.is_dirty) = (Instant::now(), false);
        Ok(())
    }

    fn end_segment(&mut self) -> io::Result<()> {
        if self.tree.is_empty() {
            return Ok(());
        }
        self.sync()?;
        let head = Head {
            writer: self.settings.writer.clone(),
            segment: self.number,
            first: self.first,
            last: self.seq,
            hash: self.hash,
            root: self.tree.root(),
            at_ms: now_ms(),
            before: self.before,
        };
        let line = head.signed(&self.key);
        append_head(&self.folder, &line)?;
        if let Some(place) = &self.settings.copy_to {
            let folder = place.join(&self.settings.writer);
            // A copy that cannot be made now is missed by whoever compares.
            let _ = fs::create_dir_all(&folder).and_then(|()| append_head(&folder, &line));
        }
        self.before = Head::digest(&line);
        (self.file, self.length) = (None, 0);
        (self.number, self.first, self.tree) = (self.number + 1, self.seq + 1, Tree::default());
        Ok(())
    }
}

fn now_ms() -> u64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    u64::try_from(since.as_millis()).unwrap_or(u64::MAX)
}
