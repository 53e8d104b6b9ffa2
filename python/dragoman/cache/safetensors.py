"""Weights as files of the format safetensors hold them: a header in JSON, and numbers one behind the other."""

from __future__ import annotations

import msgspec

# The header begins with its own length, in so many bytes.
LENGTH_BYTES = 8


class _Place(msgspec.Struct):
    dtype: str
    shape: tuple[int, ...]
    data_offsets: tuple[int, int]


class Tensor(msgspec.Struct, frozen=True):
    """One table of numbers."""

    dtype: str  # such as F16, F32
    shape: tuple[int, ...]
    data: bytes


def tensors_of(file: bytes) -> dict[str, Tensor]:
    """All of a file's, by name.

    Raises:
        ValueError: it is no such file, or cut short.
    """
    begin = LENGTH_BYTES + int.from_bytes(file[:LENGTH_BYTES], "little")
    header = msgspec.json.decode(file[LENGTH_BYTES:begin], type=dict[str, msgspec.Raw])
    header.pop("__metadata__", None)
    found = {}
    for name, raw in header.items():
        place = msgspec.json.decode(raw, type=_Place)
        start, end = place.data_offsets
        if not 0 <= start <= end <= len(file) - begin:
            raise ValueError(f"{name} lies outside of the file")
        found[name] = Tensor(place.dtype, place.shape, file[begin + start : begin + end])
    return found
