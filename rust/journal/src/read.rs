//! Reading a log: whether it is as it was written, what is in it, proving one record, and taking some out.

use std::collections::{HashMap, HashSet};
use std::fs::{self, File};
use std::io::{self, Write};
use std::path::Path;

use dragoman_core::audit::{Chain, Hash, Line, TAKEN_OUT, Verified, proof, read_line, write_line};

use crate::files::{heads, segments, sync_names, writers};

/// What a directory comes to.
#[derive(Debug, Default)]
pub struct Report {
    pub chains: Vec<(String, Verified)>,
    /// Records that were taken out: the writer, and the number.
    pub taken_out: Vec<(String, u64)>,
    /// Records that begin with the text that was asked for.
    pub statements: Vec<(String, Vec<u8>)>,
    /// The last record of each chain.
    pub last: HashMap<String, (u64, Hash)>,
}

/// Verifies everything in a directory.
///
/// `copies` holds heads that were written elsewhere: all of them have to be here, as they are there. Records that begin
/// with `statement` are given back.
pub fn verify(
    directory: &Path,
    public_key: Option<&[u8]>,
    copies: Option<&Path>,
    statement: &[u8],
) -> io::Result<Report> {
    let mut report = Report::default();
    let mut names = writers(directory)?;
    if let Some(copies) = copies {
        names.extend(writers(copies)?.into_iter().filter(|name| !directory.join(name).is_dir()));
    }
    for writer in names {
        let folder = directory.join(&writer);
        let mut chain = Chain::new(&writer, public_key);
        let here = if folder.is_dir() { segments(&folder)? } else { Vec::new() };
        for (place, segment) in here.iter().enumerate() {
            let name =
                segment.path.file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default();
            if segment.number != place as u64 + 1 {
                chain.fault(&name, "a segment before it is missing");
            }
            if segment.head.is_none() && place + 1 < here.len() {
                chain.fault(&name, "has no head, and is not the last");
            }
            let text = fs::read(&segment.path)?;
            gather(&mut report, &writer, &text, statement);
            chain.segment(&name, &text, segment.head.as_deref());
        }
        let signed = heads(&folder)?;
        if signed.len() > here.len() {
            chain.fault("heads", format!("{} segments are missing", signed.len() - here.len()));
        }
        if let Some(copies) = copies {
            compare(&mut chain, &signed, &heads(&copies.join(&writer))?);
        }
        report.last.insert(writer.clone(), chain.last());
        report.chains.push((writer, chain.end()));
    }
    Ok(report)
}

fn gather(report: &mut Report, writer: &str, text: &[u8], statement: &[u8]) {
    for line in text.split(|byte| *byte == b'\n').filter_map(read_line) {
        match line.record {
            None => report.taken_out.push((writer.to_owned(), line.seq)),
            Some(record) if record.starts_with(statement) => {
                report.statements.push((writer.to_owned(), record.to_vec()));
            }
            Some(_) => {}
        }
    }
}

fn compare(chain: &mut Chain, here: &[String], copied: &[String]) {
    for (place, copy) in copied.iter().enumerate() {
        match here.get(place) {
            None => chain.fault("heads", format!("head {} is in the copy, and not here", place + 1)),
            Some(line) if line != copy => {
                chain.fault("heads", format!("head {} is another in the copy", place + 1));
            }
            Some(_) => {}
        }
    }
}

/// The records of a segment that hold all of some texts, with their numbers.
pub fn scan(path: &Path, needles: &[Vec<u8>]) -> io::Result<Vec<(u64, Vec<u8>)>> {
    let text = fs::read(path)?;
    let finders: Vec<_> = needles.iter().map(memchr::memmem::Finder::new).collect();
    let mut found = Vec::new();
    for line in text.split(|byte| *byte == b'\n') {
        if finders.iter().all(|finder| finder.find(line).is_some())
            && let Some(Line { seq, record: Some(record), .. }) = read_line(line)
        {
            found.push((seq, record.to_vec()));
        }
    }
    Ok(found)
}

/// What proves that a record is in a segment.
#[derive(Debug)]
pub struct Proof {
    /// The hash before the record's own.
    pub before: Hash,
    pub hash: Hash,
    pub record: Option<Vec<u8>>,
    pub index: usize,
    pub size: usize,
    pub path: Vec<Hash>,
}

/// Proves a record of a segment; `None` where it is not in it.
///
/// `before` is the hash of the last record of the segment before.
pub fn prove(path: &Path, seq: u64, before: Hash) -> io::Result<Option<Proof>> {
    let text = fs::read(path)?;
    let lines: Vec<Line<'_>> = text.split(|byte| *byte == b'\n').filter_map(read_line).collect();
    let hashes: Vec<Hash> = lines.iter().map(|line| line.hash).collect();
    let Some(index) = lines.iter().position(|line| line.seq == seq) else { return Ok(None) };
    let before = index.checked_sub(1).and_then(|index| hashes.get(index)).copied().unwrap_or(before);
    Ok(proof(&hashes, index).zip(lines.get(index)).map(|(path, line)| Proof {
        before,
        hash: line.hash,
        record: line.record.map(<[u8]>::to_vec),
        index,
        size: hashes.len(),
        path,
    }))
}

/// Takes records out of a closed segment; says how many. Its chain and its head still hold.
pub fn take_out(path: &Path, seqs: &HashSet<u64>) -> io::Result<u64> {
    let text = fs::read(path)?;
    let (mut out, mut count) = (Vec::with_capacity(text.len()), 0);
    for line in text.split(|byte| *byte == b'\n').filter_map(read_line) {
        let gone = seqs.contains(&line.seq) && line.record.is_some();
        count += u64::from(gone);
        let record = line.record.filter(|_| !gone).unwrap_or(TAKEN_OUT);
        write_line(&mut out, line.seq, &line.hash, record);
    }
    if count > 0 {
        let draft = path.with_extension("draft");
        let mut file = File::create(&draft)?;
        file.write_all(&out)?;
        file.sync_all()?;
        fs::rename(&draft, path)?;
        if let Some(folder) = path.parent() {
            sync_names(folder)?;
        }
    }
    Ok(count)
}
