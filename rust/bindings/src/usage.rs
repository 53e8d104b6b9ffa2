//! `UsageBatch`.

use dragoman_core::tally::{COUNTED, KINDS, NAMES, Row, Sums, Tally, minute_of};
use pyo3::exceptions::PyValueError;
use pyo3::prelude::*;
use pyo3::types::{PyBytes, PyFrozenSet, PyList, PyTuple};

pub fn register(module: &Bound<'_, PyModule>) -> PyResult<()> {
    module.add_class::<UsageBatch>()
}

/// What rows are grouped by beside the minute.
const NAME_FIELDS: [&str; NAMES] = [
    "organisation",
    "team",
    "user",
    "app",
    "key_id",
    "alias",
    "provider",
    "model",
    "tags",
    "end_user",
    "run",
];
/// In the order of the figures.
const TOKEN_FIELDS: [&str; KINDS] = [
    "input_tokens",
    "cached_input_tokens",
    "cache_write_tokens",
    "output_tokens",
    "reasoning_tokens",
    "audio_input_tokens",
    "audio_output_tokens",
    "cache_write_1h_tokens",
    "cached_audio_tokens",
    "image_input_tokens",
    "image_output_tokens",
];
const CACHE: &str = "cache";

/// Where in a row each field is.
struct Places {
    started_at_ms: usize,
    names: [usize; NAMES],
    tokens: [usize; KINDS],
    status: usize,
    error_code: usize,
    usage_source: usize,
    cost_nanousd: usize,
    saved_nanousd: usize,
    total_ms: usize,
    first_token_ms: usize,
}

/// Where in a row a field is.
pub fn place_of(fields: &[String], name: &str) -> PyResult<usize> {
    let found = fields.iter().position(|field| field == name);
    found.ok_or_else(|| PyValueError::new_err(format!("rows have no field {name}")))
}

impl Places {
    fn find(fields: &[String]) -> PyResult<Self> {
        let place = |name| place_of(fields, name);
        let (mut names, mut tokens) = ([0; NAMES], [0; KINDS]);
        for (to, name) in names.iter_mut().zip(NAME_FIELDS).chain(tokens.iter_mut().zip(TOKEN_FIELDS)) {
            *to = place(name)?;
        }
        Ok(Self {
            started_at_ms: place("started_at_ms")?,
            names,
            tokens,
            status: place("status")?,
            error_code: place("error_code")?,
            usage_source: place("usage_source")?,
            cost_nanousd: place("cost_nanousd")?,
            saved_nanousd: place("saved_nanousd")?,
            total_ms: place("total_ms")?,
            first_token_ms: place("first_token_ms")?,
        })
    }

    /// Whether two rows have the very same names, as rows have that were made together.
    fn have_the_names(&self, one: &Bound<'_, PyTuple>, other: &Bound<'_, PyTuple>) -> PyResult<bool> {
        for place in self.names {
            if !is_very(one, other, place)? {
                return Ok(false);
            }
        }
        Ok(true)
    }

    /// What is counted of a row, where `before` was the one before it.
    fn row<'py>(&self, values: &Bound<'py, PyTuple>, before: Option<&Read<'py>>) -> PyResult<Row> {
        let number = |place: usize| values.get_borrowed_item(place)?.extract::<i64>();
        let is_text = |place: usize, text: &str| -> PyResult<bool> {
            Ok(values.get_borrowed_item(place)?.extract::<&str>()? == text)
        };
        let mut tokens = before.map_or([0; KINDS], |before| before.row.tokens);
        for (count, place) in tokens.iter_mut().zip(self.tokens) {
            let is_read = match before {
                Some(before) => is_very(&before.values, values, place)?,
                None => false,
            };
            if !is_read {
                *count = number(place)?;
            }
        }
        Ok(Row {
            is_error: number(self.status)? >= 400 || !is_text(self.error_code, "")?,
            tokens,
            cost_nanousd: values.get_borrowed_item(self.cost_nanousd)?.extract()?,
            is_hit: is_text(self.usage_source, CACHE)?,
            saved_nanousd: number(self.saved_nanousd)?,
            total_ms: values.get_borrowed_item(self.total_ms)?.extract()?,
            first_token_ms: values.get_borrowed_item(self.first_token_ms)?.extract()?,
        })
    }
}

/// A row that has been read.
struct Read<'py> {
    values: Bound<'py, PyTuple>,
    minute_ms: i64,
    row: Row,
}

#[pyclass(frozen, module = "dragoman._core")]
struct UsageBatch {
    #[pyo3(get)]
    rows: Py<PyList>,
    tally: Tally,
    #[pyo3(get)]
    groups: Py<PyList>,
    #[pyo3(get)]
    varying: Py<PyFrozenSet>,
}

#[pymethods]
impl UsageBatch {
    #[new]
    fn new(py: Python<'_>, fields: Vec<String>, rows: Bound<'_, PyList>) -> PyResult<Self> {
        let places = Places::find(&fields)?;
        let (mut tally, groups) = (Tally::default(), PyList::empty(py));
        let first = rows.iter().next().map(|row| row.cast_into::<PyTuple>()).transpose()?;
        let mut alike: Vec<(usize, Bound<'_, PyAny>)> = first.iter().flatten().enumerate().collect();
        let mut varying = Vec::new();
        let mut last: Option<Read<'_>> = None;
        for row in &rows {
            let row = row.cast::<PyTuple>()?;
            let mut changed = Ok(());
            alike.retain(|(place, value)| {
                let same = is_same(row, *place, value).unwrap_or_else(|error| {
                    changed = Err(error);
                    false
                });
                if !same {
                    varying.push(*place);
                }
                same
            });
            changed?;
            let started_at_ms = row.get_borrowed_item(places.started_at_ms)?.extract()?;
            let minute_ms = minute_of(started_at_ms);
            let counted = places.row(row, last.as_ref())?;
            let before = last.replace(Read { values: row.clone(), minute_ms, row: counted });
            if let Some(before) = before
                && before.minute_ms == minute_ms
                && places.have_the_names(&before.values, row)?
            {
                tally.add_again(&counted);
                continue;
            }
            let mut names = [""; NAMES];
            for (name, place) in names.iter_mut().zip(places.names) {
                *name = row.get_borrowed_item(place)?.extract()?;
            }
            if tally.add(started_at_ms, &names, &counted) {
                let mut group = vec![minute_ms.into_pyobject(py)?.into_any()];
                for place in places.names {
                    group.push(row.get_item(place)?);
                }
                groups.append(PyTuple::new(py, group)?)?;
            }
        }
        let varying = PyFrozenSet::new(py, varying)?;
        Ok(Self { rows: rows.unbind(), tally, groups: groups.unbind(), varying: varying.unbind() })
    }

    fn values<'py>(
        &self,
        py: Python<'py>,
        once: Vec<usize>,
        each: Vec<usize>,
        first: usize,
        count: usize,
    ) -> PyResult<Bound<'py, PyTuple>> {
        let rows = self.rows.bind(py);
        let mut found = Vec::with_capacity(once.len() + each.len().saturating_mul(count));
        let mut take = |at: usize, places: &[usize]| -> PyResult<()> {
            let row = rows.get_item(at)?;
            let row = row.cast::<PyTuple>()?;
            for place in places {
                found.push(row.get_item(*place)?);
            }
            Ok(())
        };
        take(first, &once)?;
        for at in first..first.saturating_add(count) {
            take(at, &each)?;
        }
        PyTuple::new(py, found)
    }

    fn __len__(&self, py: Python<'_>) -> usize {
        self.rows.bind(py).len()
    }

    fn cell<'py>(
        &self,
        py: Python<'py>,
        members: Vec<usize>,
        stored: Option<&Bound<'py, PyTuple>>,
    ) -> PyResult<Bound<'py, PyTuple>> {
        let mut sums = stored.map(kept).transpose()?.unwrap_or_default();
        for number in members {
            let group = self.tally.group(number);
            sums.include(group.ok_or_else(|| PyValueError::new_err(format!("there is no group {number}")))?);
        }
        let mut columns = Vec::with_capacity(COUNTED + 2);
        for count in sums.counts() {
            columns.push(count.into_pyobject(py)?.into_any());
        }
        columns.push(PyBytes::new(py, &sums.latency.encode()).into_any());
        columns.push(PyBytes::new(py, &sums.first_token.encode()).into_any());
        PyTuple::new(py, columns)
    }
}

/// Whether a row has a value in a place. Where nothing differs it is the same object, nearly always.
fn is_same(row: &Bound<'_, PyTuple>, place: usize, value: &Bound<'_, PyAny>) -> PyResult<bool> {
    let found = row.get_borrowed_item(place)?;
    if found.is(value) { Ok(true) } else { found.eq(value) }
}

/// Whether two rows have the very same object in a place.
fn is_very(one: &Bound<'_, PyTuple>, other: &Bound<'_, PyTuple>, place: usize) -> PyResult<bool> {
    Ok(one.get_borrowed_item(place)?.is(other.get_borrowed_item(place)?))
}

/// The sums of a cell that is stored.
fn kept(columns: &Bound<'_, PyTuple>) -> PyResult<Sums> {
    if columns.len() != COUNTED + 2 {
        return Err(PyValueError::new_err(format!(
            "a cell has {} columns, not {}",
            COUNTED + 2,
            columns.len()
        )));
    }
    let mut counts = [0; COUNTED];
    for (at, count) in counts.iter_mut().enumerate() {
        *count = columns.get_borrowed_item(at)?.extract()?;
    }
    let latency = columns.get_borrowed_item(COUNTED)?;
    let first_token = columns.get_borrowed_item(COUNTED + 1)?;
    Ok(Sums::kept(&counts, latency.extract()?, first_token.extract()?))
}
