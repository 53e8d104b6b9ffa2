//! Vectors by namespace, searched exactly: every row is looked at, as 8-bit integers.
//!
//! A row is a unit vector times 127, rounded: its error in a cosine is below 0.01. Ten thousand rows of 256 take a tenth
//! of a millisecond, which no graph of neighbours beats by enough to be worth its inserts; where there are many more, a
//! graph proposes (`dragoman.cache.graphs`), and what it proposes is looked at here.

use std::collections::HashMap;

use multiversion::multiversion;

/// What a row is of: where what it stands for is found.
pub type Id = [u8; 32];
pub type Namespace = [u8; 32];

const SCALE: f32 = 127.0;

#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Candidate {
    pub id: Id,
    pub cosine: f32,
}

struct Rows {
    dimensions: usize,
    vectors: Vec<i8>,
    ids: Vec<Id>,
    /// The oldest row, which is the next to be written over once there is no more room.
    oldest: usize,
}

impl Rows {
    fn of(dimensions: usize) -> Self {
        Self { dimensions, vectors: Vec::new(), ids: Vec::new(), oldest: 0 }
    }

    fn vector(&self, at: usize) -> Option<&[i8]> {
        self.vectors.get(at * self.dimensions..(at + 1) * self.dimensions)
    }
}

/// Rows by namespace; those of one namespace have one length.
pub struct VectorIndex {
    dimensions: usize,
    most_rows: usize,
    namespaces: HashMap<Namespace, Rows>,
    places: HashMap<Id, Place>,
}

/// Where a row is.
#[derive(Clone, Copy)]
struct Place {
    namespace: Namespace,
    at: usize,
}

impl VectorIndex {
    /// An index of vectors of so many numbers, and of at most so many rows a namespace: the oldest go. Of 0 numbers:
    /// of as many as the first row of a namespace has.
    pub fn new(dimensions: usize, most_rows: usize) -> Self {
        Self { dimensions, most_rows: most_rows.max(1), namespaces: HashMap::new(), places: HashMap::new() }
    }

    pub fn dimensions(&self) -> usize {
        self.dimensions
    }

    /// Rows of all namespaces.
    pub fn len(&self) -> usize {
        self.places.len()
    }

    pub fn is_empty(&self) -> bool {
        self.places.is_empty()
    }

    /// Adds a row in the place of any other of its id. False: it has another length, or none that can be compared.
    /// What had to go for it is given back.
    pub fn add(&mut self, namespace: Namespace, id: Id, vector: &[f32]) -> (bool, Option<Id>) {
        let Some(row) = self.row(&namespace, vector) else { return (false, None) };
        self.remove(&id);
        let rows = self.namespaces.entry(namespace).or_insert_with(|| Rows::of(row.len()));
        let mut gone = None;
        let mut at = rows.ids.len();
        if at < self.most_rows {
            rows.ids.push(id);
            rows.vectors.extend_from_slice(&row);
        } else {
            at = rows.oldest % self.most_rows;
            if let Some(place) = rows.ids.get_mut(at) {
                gone = Some(std::mem::replace(place, id));
            }
            if let Some(place) = rows.vectors.get_mut(at * row.len()..(at + 1) * row.len()) {
                place.copy_from_slice(&row);
            }
            rows.oldest = (at + 1) % self.most_rows;
        }
        if let Some(old) = &gone {
            self.places.remove(old);
        }
        self.places.insert(id, Place { namespace, at });
        (true, gone)
    }

    /// A vector as it is kept in a namespace; `None` where it has another length, or none that can be compared.
    fn row(&self, namespace: &Namespace, vector: &[f32]) -> Option<Vec<i8>> {
        let known = self.namespaces.get(namespace).map(|rows| rows.dimensions);
        let given = if self.dimensions == 0 { vector.len() } else { self.dimensions };
        quantised(vector, known.unwrap_or(given))
    }

    /// A row as it is kept: a unit vector times 127.
    pub fn vector(&self, id: &Id) -> Option<&[i8]> {
        let place = self.places.get(id)?;
        self.namespaces.get(&place.namespace)?.vector(place.at)
    }

    /// Where a row is.
    pub fn namespace_of(&self, id: &Id) -> Option<&Namespace> {
        self.places.get(id).map(|place| &place.namespace)
    }

    /// The rows of a namespace: their ids, and their vectors one behind the other.
    pub fn rows(&self, namespace: &Namespace) -> (&[Id], &[i8]) {
        self.namespaces.get(namespace).map_or((&[], &[]), |rows| (&rows.ids, &rows.vectors))
    }

    /// Forgets a row. False: there is none of that id.
    pub fn remove(&mut self, id: &Id) -> bool {
        let Some(Place { namespace, at }) = self.places.remove(id) else { return false };
        let Some(rows) = self.namespaces.get_mut(&namespace).filter(|rows| at < rows.ids.len()) else {
            return false;
        };
        rows.ids.swap_remove(at);
        let last = rows.vectors.len().saturating_sub(rows.dimensions);
        rows.vectors.copy_within(last.., at * rows.dimensions);
        rows.vectors.truncate(last);
        if let Some(place) = rows.ids.get(at).and_then(|moved| self.places.get_mut(moved)) {
            place.at = at;
        }
        if rows.ids.is_empty() {
            self.namespaces.remove(&namespace);
        }
        true
    }

    /// The same as [`Self::search`] of those of the rows that are in the namespace.
    pub fn search_among(
        &self,
        namespace: &Namespace,
        ids: &[Id],
        vector: &[f32],
        most: usize,
        least_cosine: f32,
    ) -> Vec<Candidate> {
        let Some(rows) = self.namespaces.get(namespace) else { return Vec::new() };
        let Some(query) = quantised(vector, rows.dimensions) else { return Vec::new() };
        let mut found: Vec<Candidate> = ids
            .iter()
            .filter_map(|id| {
                let place = self.places.get(id).filter(|place| place.namespace == *namespace)?;
                Some(Candidate { id: *id, cosine: cosine(product(rows.vector(place.at)?, &query)) })
            })
            .filter(|one| one.cosine >= least_cosine)
            .collect();
        found.sort_by(|one, other| other.cosine.total_cmp(&one.cosine).then(one.id.cmp(&other.id)));
        found.dedup_by_key(|one| one.id);
        found.truncate(most);
        found
    }

    /// The nearest rows of a namespace, nearest first, none further than that.
    pub fn search(
        &self,
        namespace: &Namespace,
        vector: &[f32],
        most: usize,
        least_cosine: f32,
    ) -> Vec<Candidate> {
        let Some(rows) = self.namespaces.get(namespace) else { return Vec::new() };
        let Some(query) = quantised(vector, rows.dimensions) else { return Vec::new() };
        let least = (f64::from(least_cosine) * f64::from(SCALE * SCALE)) as i32;
        let best = nearest(&rows.vectors, &query, most, least);
        let told =
            |(product, at): (i32, usize)| Some(Candidate { id: *rows.ids.get(at)?, cosine: cosine(product) });
        best.into_iter().filter_map(told).collect()
    }
}

/// A vector of length one times 127; `None` for one of another length, of no length, or of what is no number.
fn quantised(vector: &[f32], dimensions: usize) -> Option<Vec<i8>> {
    if vector.len() != dimensions {
        return None;
    }
    let norm = vector.iter().map(|value| f64::from(*value) * f64::from(*value)).sum::<f64>().sqrt() as f32;
    if !norm.is_normal() {
        return None;
    }
    Some(vector.iter().map(|value| (value / norm * SCALE).round().clamp(-SCALE, SCALE) as i8).collect())
}

fn cosine(product: i32) -> f32 {
    product as f32 / (SCALE * SCALE)
}

fn product(one: &[i8], other: &[i8]) -> i32 {
    one.iter().zip(other).map(|(a, b)| i32::from(i16::from(*a) * i16::from(*b))).sum()
}

/// The rows whose products with a vector are largest, largest first: the products and their places.
///
/// Compiled for several widths of instructions, of which the machine's widest is taken when it runs.
#[multiversion(targets("x86_64+avx2", "x86_64+avx512bw+avx512vl", "aarch64+neon"))]
fn nearest(vectors: &[i8], query: &[i8], most: usize, least: i32) -> Vec<(i32, usize)> {
    let mut best: Vec<(i32, usize)> = Vec::with_capacity(most + 1);
    let mut floor = least;
    for (at, row) in vectors.chunks_exact(query.len()).enumerate() {
        let product: i32 = query.iter().zip(row).map(|(a, b)| i32::from(i16::from(*a) * i16::from(*b))).sum();
        if product < floor {
            continue;
        }
        let place = best.partition_point(|(known, _)| *known >= product);
        best.insert(place, (product, at));
        if best.len() > most {
            best.pop();
            floor = best.last().map_or(least, |(known, _)| known + 1);
        }
    }
    best
}
