"""Makes the table of names that the masker looks words up in: ``rust/core/src/mask/persons/lexicon.bin``.

Run it where the sources are newer, and commit what it writes: ``python benches/lexicon.py WORDS``, with
``names~=0.3`` (the names of the United States' census of 1990, public domain), ``faker~=40.63`` (MIT) and ``xxhash``
installed, and WORDS a list of English words that has names in capitals (Debian's ``wamerican-small``: SCOWL, whose
terms let anybody use and distribute it).

A word is four bytes, little-endian and sorted: 28 bits of its XXH3, and what it is.
"""

from __future__ import annotations

import sys
import unicodedata
from calendar import day_name, month_name
from collections import defaultdict
from collections.abc import Iterable, Iterator
from importlib import import_module
from pathlib import Path
from pkgutil import iter_modules

from xxhash import xxh3_64_intdigest

TABLE = Path(__file__).parent.parent / "rust" / "core" / "src" / "mask" / "persons" / "lexicon.bin"
GIVEN, SURNAME, WORD, PLACE = 1, 2, 4, 8
CENSUS = {"dist.male.first": GIVEN, "dist.female.first": GIVEN, "dist.all.last": SURNAME}
# Letters that Unicode does not take apart.
WHOLE = str.maketrans({"ø": "o", "ł": "l", "đ": "d", "ß": "ss", "æ": "ae", "œ": "oe", "þ": "th", "ð": "d", "ı": "i"})


def plain(word: str) -> str:
    """A word as it is looked up: in small letters, without accents."""
    taken_apart = unicodedata.normalize("NFKD", word.lower())
    return "".join(letter for letter in taken_apart if not unicodedata.combining(letter)).translate(WHOLE)


def census() -> Iterator[tuple[str, int]]:
    """The names of the census."""
    (folder,) = map(Path, import_module("names").__path__)
    for name, kind in CENSUS.items():
        for line in (folder / name).read_text().splitlines():
            yield line.split()[0], kind


def listed(provider: type, *parts: str) -> Iterator[str]:
    """What a provider of faker lists under names that have one of the parts in them."""
    for name in dir(provider):
        values = getattr(provider, name)
        if any(part in name for part in parts) and "romanized" not in name and isinstance(values, Iterable):
            yield from (value for value in values if isinstance(value, str))


def everywhere(kind: str) -> Iterator[type]:
    """The providers of a kind, of all places."""
    package = import_module(f"faker.providers.{kind}")
    for module in iter_modules(package.__path__):
        yield import_module(f"{package.__name__}.{module.name}").Provider


def elsewhere() -> Iterator[tuple[str, int]]:
    """The names, and those of places, that faker knows."""
    for provider in everywhere("person"):
        yield from ((name, GIVEN) for name in listed(provider, "first_name"))
        yield from ((name, SURNAME) for name in listed(provider, "last_name"))
    for provider in everywhere("address"):
        yield from ((name, PLACE) for name in listed(provider, "countries", "states", "provinces"))


def words(path: Path) -> Iterator[tuple[str, int]]:
    """Words that are not written large, and the names of days and months."""
    yield from ((word, WORD) for word in path.read_text().splitlines() if word.islower() and word.isalpha())
    yield from ((name, WORD) for name in (*day_name, *month_name) if name)


def main() -> None:
    """Write the table."""
    known: defaultdict[str, int] = defaultdict(int)
    for source in (census(), elsewhere(), words(Path(sys.argv[1]))):
        for name, kind in source:
            parts = [name] if kind in (WORD, PLACE) else name.replace("-", " ").split()
            for part in map(plain, parts):
                if part.isalpha() and len(part) > 1:
                    known[part] |= kind
    rows: defaultdict[int, int] = defaultdict(int)
    for word, kind in known.items():
        rows[xxh3_64_intdigest(word.encode()) & 0xFFFFFFF0] |= kind
    TABLE.parent.mkdir(exist_ok=True)
    TABLE.write_bytes(b"".join((row | kind).to_bytes(4, "little") for row, kind in sorted(rows.items())))
    print(f"{len(rows)} words, {TABLE.stat().st_size} bytes")


if __name__ == "__main__":
    main()
