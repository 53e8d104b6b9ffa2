//! The audit log: `AuditLog`, and what is done with the files of others.

use std::collections::HashSet;
use std::io;
use std::path::PathBuf;
use std::time::Duration;

use dragoman_core::audit::{Head, Salt, TAKEN_OUT, ZERO, hex, link, root_from, unhex};
use dragoman_journal::{self as journal, Settings, Waiter};
use pyo3::exceptions::{PyOSError, PyValueError};
use pyo3::prelude::*;
use pyo3::pybacked::PyBackedBytes;
use pyo3::types::PyBytes;
use ring::signature::{Ed25519KeyPair, KeyPair};

pub fn register(module: &Bound<'_, PyModule>) -> PyResult<()> {
    module.add_class::<AuditLog>()?;
    module.add_class::<AuditSalt>()?;
    module.add_class::<AuditReport>()?;
    module.add_class::<AuditProof>()?;
    module.add_function(wrap_pyfunction!(audit_public_key, module)?)?;
    module.add_function(wrap_pyfunction!(audit_recover, module)?)?;
    module.add_function(wrap_pyfunction!(audit_segments, module)?)?;
    module.add_function(wrap_pyfunction!(audit_verify, module)?)?;
    module.add_function(wrap_pyfunction!(audit_scan, module)?)?;
    module.add_function(wrap_pyfunction!(audit_prove, module)?)?;
    module.add_function(wrap_pyfunction!(audit_take_out, module)?)
}

/// To hash so much takes longer than to hand the GIL over.
const LARGE_BYTES: usize = 16 * 1024;

fn key(seed: &[u8]) -> PyResult<Ed25519KeyPair> {
    Ed25519KeyPair::from_seed_unchecked(seed)
        .map_err(|_| PyValueError::new_err(format!("a seed of {} bytes, not 32", seed.len())))
}

fn failed(error: io::Error) -> PyErr {
    PyOSError::new_err(error.to_string())
}

#[pyclass(frozen, module = "dragoman._core")]
struct AuditSalt {
    inner: Salt,
}

#[pymethods]
impl AuditSalt {
    #[new]
    fn new(salt: &[u8]) -> Self {
        Self { inner: Salt::new(salt) }
    }

    fn digest(&self, py: Python<'_>, kind: &[u8], text: &[u8]) -> String {
        if text.len() < LARGE_BYTES {
            self.inner.digest(kind, text)
        } else {
            py.detach(|| self.inner.digest(kind, text))
        }
    }
}

#[pyfunction]
fn audit_public_key<'py>(py: Python<'py>, seed: &[u8]) -> PyResult<Bound<'py, PyBytes>> {
    Ok(PyBytes::new(py, key(seed)?.public_key().as_ref()))
}

#[pyfunction]
fn audit_recover(
    py: Python<'_>,
    directory: PathBuf,
    seed: &[u8],
    now_ms: u64,
) -> PyResult<Vec<(String, u64)>> {
    let key = key(seed)?;
    py.detach(|| journal::recover(&directory, &key, now_ms)).map_err(failed)
}

#[pyfunction]
fn audit_segments(directory: PathBuf, writer: &str) -> PyResult<Vec<(u64, PathBuf, Option<String>)>> {
    let found = journal::segments(&directory.join(writer)).map_err(failed)?;
    Ok(found.into_iter().map(|segment| (segment.number, segment.path, segment.head)).collect())
}

#[pyfunction]
fn audit_scan(
    py: Python<'_>,
    path: PathBuf,
    needles: Vec<Vec<u8>>,
) -> PyResult<Vec<(u64, Bound<'_, PyBytes>)>> {
    let found = py.detach(|| journal::scan(&path, &needles)).map_err(failed)?;
    Ok(found.into_iter().map(|(seq, record)| (seq, PyBytes::new(py, &record))).collect())
}

#[pyfunction]
fn audit_take_out(py: Python<'_>, path: PathBuf, seqs: HashSet<u64>) -> PyResult<u64> {
    py.detach(|| journal::take_out(&path, &seqs)).map_err(failed)
}

type Place = (String, String);

#[pyclass(frozen, get_all, module = "dragoman._core")]
struct AuditReport {
    chains: usize,
    segments: u64,
    records: u64,
    taken_out: Vec<(String, u64)>,
    unsigned: u64,
    faults: Vec<Place>,
    statements: Vec<(String, Vec<u8>)>,
    last: Vec<(String, u64, String)>,
}

#[pyfunction]
fn audit_verify(
    py: Python<'_>,
    directory: PathBuf,
    public_key: Option<&[u8]>,
    copies: Option<PathBuf>,
    statement: &[u8],
) -> PyResult<AuditReport> {
    let report = py
        .detach(|| journal::verify(&directory, public_key, copies.as_deref(), statement))
        .map_err(failed)?;
    let all = report.chains.iter().map(|(_, verified)| verified);
    let faults = all.clone().flat_map(|verified| &verified.faults);
    Ok(AuditReport {
        chains: report.chains.len(),
        segments: all.clone().map(|verified| verified.segments).sum(),
        records: all.clone().map(|verified| verified.records).sum(),
        unsigned: all.clone().map(|verified| verified.unsigned).sum(),
        faults: faults.map(|fault| (fault.place.clone(), fault.what.clone())).collect(),
        taken_out: report.taken_out,
        statements: report.statements,
        last: report.last.into_iter().map(|(writer, (seq, hash))| (writer, seq, hex(&hash))).collect(),
    })
}

#[pyclass(frozen, get_all, module = "dragoman._core")]
struct AuditProof {
    writer: String,
    seq: u64,
    before: String,
    hash: String,
    record: Option<Vec<u8>>,
    index: usize,
    size: usize,
    path: Vec<String>,
    head: String,
}

#[pyfunction]
fn audit_prove(py: Python<'_>, directory: PathBuf, writer: &str, seq: u64) -> PyResult<Option<AuditProof>> {
    let found = journal::segments(&directory.join(writer)).map_err(failed)?;
    let mut before = ZERO;
    for segment in found {
        let Some((head, line)) = segment.head.as_deref().and_then(|line| Some((Head::read(line)?.0, line)))
        else {
            break;
        };
        if head.last < seq {
            before = head.hash;
            continue;
        }
        let proof = py.detach(|| journal::prove(&segment.path, seq, before)).map_err(failed)?;
        return Ok(proof.map(|proof| AuditProof {
            writer: writer.to_owned(),
            seq,
            before: hex(&proof.before),
            hash: hex(&proof.hash),
            record: proof.record,
            index: proof.index,
            size: proof.size,
            path: proof.path.iter().map(|hash| hex(hash)).collect(),
            head: line.to_owned(),
        }));
    }
    Ok(None)
}

#[pymethods]
impl AuditProof {
    #[new]
    #[pyo3(signature = (*, writer, seq, before, hash, record, index, size, path, head))]
    #[expect(clippy::too_many_arguments, reason = "each is a keyword in Python")]
    fn new(
        writer: String,
        seq: u64,
        before: String,
        hash: String,
        record: Option<Vec<u8>>,
        index: usize,
        size: usize,
        path: Vec<String>,
        head: String,
    ) -> Self {
        Self { writer, seq, before, hash, record, index, size, path, head }
    }

    fn holds(&self, public_key: &[u8]) -> bool {
        self.checked(public_key).unwrap_or(false)
    }
}

impl AuditProof {
    fn checked(&self, public_key: &[u8]) -> Option<bool> {
        let (head, _) = Head::read(&self.head)?;
        let (before, hash) = (unhex(&self.before)?, unhex(&self.hash)?);
        let path: Option<Vec<_>> = self.path.iter().map(|hash| unhex(hash)).collect();
        let place = head.first.checked_add(self.index as u64)?;
        let is_same =
            self.record.as_ref().is_none_or(|record| link(&self.writer, self.seq, &before, record) == hash);
        let is_whole = head.last.checked_sub(head.first)?.checked_add(1)? == self.size as u64;
        Some(
            Head::is_signed(&self.head, public_key)
                && (head.writer.as_str(), place) == (self.writer.as_str(), self.seq)
                && is_same
                && is_whole
                && root_from(&hash, self.index, self.size, &path?) == Some(head.root),
        )
    }
}

/// A record that goes into a log.
fn line(record: &[u8]) -> PyResult<Vec<u8>> {
    if record.contains(&b'\n') || record == TAKEN_OUT {
        return Err(PyValueError::new_err("a record is one line"));
    }
    Ok(record.to_vec())
}

#[pyclass(frozen, module = "dragoman._core")]
struct AuditLog {
    log: journal::Log,
    #[pyo3(get)]
    writer: String,
}

#[pymethods]
impl AuditLog {
    #[new]
    #[pyo3(signature = (directory, writer, seed, *, segment_records = 10_000, segment_s = 60.0, queue_bytes = 67_108_864, copy_to = None))]
    #[pyo3(
        text_signature = "(directory, writer, seed, *, segment_records=10000, segment_s=60.0, queue_bytes=67108864, copy_to=None)"
    )]
    #[expect(clippy::too_many_arguments, reason = "each is a keyword in Python")]
    fn new(
        directory: PathBuf,
        writer: String,
        seed: &[u8],
        segment_records: u64,
        segment_s: f64,
        queue_bytes: usize,
        copy_to: Option<PathBuf>,
    ) -> PyResult<Self> {
        let segment_time = Duration::try_from_secs_f64(segment_s).ok().filter(|time| !time.is_zero());
        let segment_time =
            segment_time.ok_or_else(|| PyValueError::new_err("segment_s must be above zero"))?;
        if writer.is_empty() || !writer.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'_') {
            return Err(PyValueError::new_err("a writer's name is letters, digits and _"));
        }
        let settings = Settings {
            directory,
            writer: writer.clone(),
            segment_records: segment_records.max(1),
            segment_time,
            queue_bytes,
            copy_to,
        };
        Ok(Self { log: journal::Log::open(settings, key(seed)?).map_err(failed)?, writer })
    }

    #[pyo3(signature = (record, wake = None))]
    fn append(&self, record: &[u8], wake: Option<Py<PyAny>>) -> PyResult<bool> {
        let record = line(record)?;
        let waiter = wake.map(|wake| -> Waiter {
            Box::new(move |well| {
                Python::attach(|py| {
                    if let Err(error) = wake.call1(py, (well,)) {
                        error.write_unraisable(py, None);
                    }
                });
            })
        });
        Ok(self.log.append(record, waiter))
    }

    fn extend(&self, records: Vec<PyBackedBytes>) -> PyResult<u64> {
        let records = records.iter().map(|record| line(record)).collect::<PyResult<_>>()?;
        Ok(self.log.extend(records))
    }

    #[getter]
    fn written(&self) -> u64 {
        self.log.written()
    }

    #[getter]
    fn queued(&self) -> usize {
        self.log.queued()
    }

    #[getter]
    fn dropped(&self) -> u64 {
        self.log.dropped()
    }

    #[getter]
    fn failures(&self) -> u64 {
        self.log.failures()
    }

    #[getter]
    fn failure(&self) -> Option<String> {
        self.log.failure()
    }

    fn close(&self, py: Python<'_>) {
        py.detach(|| self.log.close());
    }
}
