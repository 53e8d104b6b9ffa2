//! Where everything is, and bringing to an end what a process left that is gone.

use std::fs::{self, File, OpenOptions, TryLockError};
use std::io::{self, Write};
use std::path::{Path, PathBuf};

use dragoman_core::audit::{Chain, Head, Tree, ZERO, read_line};
use ring::signature::Ed25519KeyPair;

/// The file of a writer's heads, one a line.
pub const HEADS: &str = "heads";
const LOCK: &str = "lock";
const SUFFIX: &str = ".log";

/// A segment's file, and the head that closes it.
#[derive(Clone, Debug)]
pub struct Segment {
    pub number: u64,
    pub path: PathBuf,
    pub head: Option<String>,
}

pub fn segment_path(folder: &Path, number: u64) -> PathBuf {
    folder.join(format!("{number:08}{SUFFIX}"))
}

/// The writers of a directory, in the order of their names, which is that of their beginning.
pub fn writers(directory: &Path) -> io::Result<Vec<String>> {
    let mut found = Vec::new();
    for entry in fs::read_dir(directory)? {
        let entry = entry?;
        if entry.file_type()?.is_dir() {
            found.extend(entry.file_name().into_string());
        }
    }
    found.sort();
    Ok(found)
}

/// The heads of a writer, each as it is written.
pub fn heads(folder: &Path) -> io::Result<Vec<String>> {
    match fs::read_to_string(folder.join(HEADS)) {
        // One that is cut off was never signed for anybody.
        Ok(text) => Ok(text
            .split_inclusive('\n')
            .filter_map(|line| line.strip_suffix('\n'))
            .map(String::from)
            .collect()),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(Vec::new()),
        Err(error) => Err(error),
    }
}

/// The segments of a writer, oldest first.
pub fn segments(folder: &Path) -> io::Result<Vec<Segment>> {
    let heads = heads(folder)?;
    let mut found = Vec::new();
    for entry in fs::read_dir(folder)? {
        let path = entry?.path();
        let name = path.file_name().and_then(|name| name.to_str()).unwrap_or_default();
        let Some(number) = name.strip_suffix(SUFFIX).and_then(|number| number.parse::<u64>().ok()) else {
            continue;
        };
        let place = usize::try_from(number.wrapping_sub(1)).unwrap_or(usize::MAX);
        found.push(Segment { number, path, head: heads.get(place).cloned() });
    }
    found.sort_by_key(|segment| segment.number);
    Ok(found)
}

/// Takes a writer's folder for this process; `None`: another process has it.
pub fn lock(folder: &Path) -> io::Result<Option<File>> {
    let file = OpenOptions::new().write(true).create(true).truncate(false).open(folder.join(LOCK))?;
    match file.try_lock() {
        Ok(()) => Ok(Some(file)),
        Err(TryLockError::WouldBlock) => Ok(None),
        Err(TryLockError::Error(error)) => Err(error),
    }
}

/// Adds a head, durably.
pub fn append_head(folder: &Path, line: &str) -> io::Result<()> {
    let mut file = OpenOptions::new().append(true).create(true).open(folder.join(HEADS))?;
    file.write_all(format!("{line}\n").as_bytes())?;
    file.sync_data()?;
    sync_names(folder)
}

/// Has the names in a folder be there after a power cut: of a file that is synced they need not.
pub fn sync_names(folder: &Path) -> io::Result<()> {
    File::open(folder)?.sync_all()
}

/// Closes what processes left open that are gone: a last line that is cut off goes, and what is whole is signed.
///
/// Says of each writer how many bytes of a torn line there were.
pub fn recover(directory: &Path, key: &Ed25519KeyPair, now_ms: u64) -> io::Result<Vec<(String, u64)>> {
    let mut found = Vec::new();
    for writer in writers(directory)? {
        let folder = directory.join(&writer);
        let Some(_lock) = lock(&folder)? else { continue };
        let segments = segments(&folder)?;
        let Some(last) = segments.last().filter(|last| last.head.is_none()) else { continue };
        let torn = cut_torn(&last.path)?;
        if let Some(head) = close(&writer, &segments, now_ms)? {
            append_head(&folder, &head.signed(key))?;
        }
        found.push((writer, torn));
    }
    Ok(found)
}

fn cut_torn(path: &Path) -> io::Result<u64> {
    let text = fs::read(path)?;
    let whole = text.iter().rposition(|byte| *byte == b'\n').map_or(0, |end| end + 1);
    let torn = text.len() - whole;
    if torn > 0 {
        let file = OpenOptions::new().write(true).open(path)?;
        file.set_len(whole as u64)?;
        file.sync_data()?;
    }
    Ok(torn as u64)
}

/// The head of the last segment, which has none; `None` where there is no record in it, and then its file goes.
fn close(writer: &str, segments: &[Segment], now_ms: u64) -> io::Result<Option<Head>> {
    let mut chain = Chain::new(writer, None);
    let (mut before, mut first, mut tree) = (ZERO, 1, Tree::default());
    for segment in segments {
        let text = fs::read(&segment.path)?;
        (first, tree) = (chain.last().0 + 1, Tree::default());
        for line in text.split(|byte| *byte == b'\n').filter_map(read_line) {
            tree.push(&line.hash);
        }
        chain.segment("", &text, segment.head.as_deref());
        if let Some(head) = &segment.head {
            before = Head::digest(head);
        }
    }
    let (last, hash) = chain.last();
    if tree.is_empty() {
        segments.last().map_or(Ok(()), |segment| fs::remove_file(&segment.path))?;
        return Ok(None);
    }
    let number = segments.last().map_or(1, |segment| segment.number);
    let root = tree.root();
    Ok(Some(Head {
        writer: writer.to_owned(),
        segment: number,
        first,
        last,
        hash,
        root,
        at_ms: now_ms,
        before,
    }))
}
