//! What is kept but is not for whoever reads the database: `Sealer`.

use pyo3::exceptions::{PyRuntimeError, PyValueError};
use pyo3::prelude::*;
use pyo3::types::PyBytes;
use ring::aead::{AES_256_GCM, Aad, LessSafeKey, NONCE_LEN, Nonce, UnboundKey};
use ring::rand::{SecureRandom, SystemRandom};

pub fn register(module: &Bound<'_, PyModule>) -> PyResult<()> {
    module.add_class::<Sealer>()
}

/// A key, and what is done with it: AES-256-GCM, the nonce at random before each sealed text.
#[pyclass(frozen, module = "dragoman._core")]
pub struct Sealer {
    key: LessSafeKey,
    random: SystemRandom,
}

#[pymethods]
impl Sealer {
    #[new]
    fn new(key: &[u8]) -> PyResult<Self> {
        let key = UnboundKey::new(&AES_256_GCM, key)
            .map_err(|_| PyValueError::new_err(format!("a key of {} bytes, not 32", key.len())))?;
        Ok(Self { key: LessSafeKey::new(key), random: SystemRandom::new() })
    }

    fn seal<'py>(&self, py: Python<'py>, plain: &[u8], about: &[u8]) -> PyResult<Bound<'py, PyBytes>> {
        let mut nonce = [0u8; NONCE_LEN];
        self.random.fill(&mut nonce).map_err(|_| PyRuntimeError::new_err("the machine has no randomness"))?;
        let mut text = plain.to_vec();
        self.key
            .seal_in_place_append_tag(Nonce::assume_unique_for_key(nonce), Aad::from(about), &mut text)
            .map_err(|_| PyValueError::new_err("too long to be sealed"))?;
        Ok(PyBytes::new(py, &[nonce.as_slice(), &text].concat()))
    }

    fn open<'py>(&self, py: Python<'py>, sealed: &[u8], about: &[u8]) -> Option<Bound<'py, PyBytes>> {
        let (nonce, text) = sealed.split_at_checked(NONCE_LEN)?;
        let nonce = Nonce::try_assume_unique_for_key(nonce).ok()?;
        let mut text = text.to_vec();
        let plain = self.key.open_in_place(nonce, Aad::from(about), &mut text).ok()?;
        Some(PyBytes::new(py, plain))
    }
}
