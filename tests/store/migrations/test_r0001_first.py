from __future__ import annotations

from dragoman.store.migrations import r0001_first


def test_it_is_the_first() -> None:
    assert r0001_first.revision == "r0001"
    assert r0001_first.down_revision is None


def test_there_is_no_way_back() -> None:
    assert not hasattr(r0001_first, "downgrade")
