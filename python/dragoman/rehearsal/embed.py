"""Made-up embeddings: unit vectors that are a function of the input, the model and the seed alone.

The components come out of SHAKE-128 two bytes at a time. A shorter vector is the longer one's beginning, normalised
anew, as it is with the models that can shorten theirs.
"""

from __future__ import annotations

import math
import sys
from array import array
from base64 import b64encode
from hashlib import shake_128

DIMENSIONS = {"text-embedding-3-large": 3072}
USUAL_DIMENSIONS = 1536
MOST_COMPONENTS = 4 * 1024 * 1024  # of all the vectors of one answer


def dimensions_of(model: str) -> int:
    """How long a vector is when the request does not say."""
    return DIMENSIONS.get(model.rpartition("/")[2], USUAL_DIMENSIONS)


def vector(key: bytes, dimensions: int) -> array[float]:
    """The unit vector of ``key``, in single precision."""
    parts = array("h", shake_128(key).digest(2 * dimensions))
    if sys.byteorder == "big":
        parts.byteswap()
    scale = 1.0 / (math.hypot(*parts) or 1.0)
    return array("f", [part * scale for part in parts])


def encoded(unit: array[float]) -> str:
    """The vector as OpenAI's clients prefer it: base64 of little-endian single precision."""
    if sys.byteorder == "big":
        unit = array("f", unit)
        unit.byteswap()
    return b64encode(unit.tobytes()).decode()
