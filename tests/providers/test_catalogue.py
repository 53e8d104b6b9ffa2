from __future__ import annotations

import re
import tomllib
from importlib.resources import files
from urllib.parse import urlsplit

import msgspec
import pytest

from dragoman.config.check import check_url, is_loopback
from dragoman.config.resolve import OTHER
from dragoman.config.tree import Node, Problems
from dragoman.errors import ConfigError
from dragoman.providers.catalogue import Row, index, row, rows

EVERY = pytest.mark.parametrize("kind", rows().values(), ids=lambda kind: kind.id)


def test_there_are_many() -> None:
    assert len(rows()) >= 200
    assert sum(kind.automatic for kind in rows().values()) >= 150


def test_the_file_is_what_is_read() -> None:
    text = files("dragoman.providers").joinpath("catalogue.toml").read_text("utf-8")
    assert [one["id"] for one in tomllib.loads(text)["kind"]] == list(rows())


@EVERY
def test_a_row_can_be_used(kind: Row) -> None:
    assert re.fullmatch(r"[a-z0-9][a-z0-9-]*", kind.id)
    assert kind.endpoints
    assert len(set(kind.endpoints)) == len(kind.endpoints)
    assert all(re.fullmatch(r"[A-Z0-9_]+", name) for name in kind.env)
    assert kind.auth == "bearer" or re.fullmatch(r"[a-z-]+", kind.auth)
    assert list(kind.unsupported) == sorted(set(kind.unsupported))
    assert kind.env or kind.key_optional
    assert not kind.automatic or kind.env
    assert (kind.identity in ("", "ibm")) == (not kind.audience)
    assert kind.stream_usage != "reject" or "stream_options" in kind.unsupported


@EVERY
def test_a_base_url_can_be_used(kind: Row) -> None:
    if not kind.base_url:
        assert not kind.automatic
        return
    url = re.sub(r"^\$\{\w+_URL\}", "https://x", kind.base_url)
    url = re.sub(r"\$\{\w+\}", "x", url)
    problems = Problems("catalogue", Node({}))
    check_url((kind.id,), url, problems)
    problems.raise_if_any()
    assert not url.endswith("/")
    local = is_loopback(urlsplit(url).hostname or "")
    assert local == kind.allow_private
    assert local or url.startswith("https://")


@EVERY
def test_prices_exist(kind: Row) -> None:
    from genai_prices.data_snapshot import get_snapshot

    assert kind.prices in {"", *(provider.id for provider in get_snapshot().providers)}


def test_no_base_url_is_there_twice() -> None:
    seen: dict[str, str] = {}
    for kind in rows().values():
        if kind.base_url and not kind.allow_private:
            assert kind.base_url not in seen, f"{kind.id} and {seen[kind.base_url]}"
            seen[kind.base_url] = kind.id


def test_look_up() -> None:
    openai = row("openai")
    assert openai is not None
    assert (openai.base_url, openai.env) == ("https://api.openai.com/v1", ("OPENAI_API_KEY",))
    assert row("nobody") is None
    assert row(OTHER) is not None
    azure = row("azure")
    assert azure is not None
    assert azure.auth == "api-key"


def test_a_row_that_is_there_twice_is_refused_naming_both() -> None:
    one = Row(id="x", base_url="https://one", env=("X_KEY",))
    two = Row(id="x", base_url="https://two", env=("Y_KEY",))
    with pytest.raises(ConfigError, match=r"called x: https://one and https://two"):
        index([one, two])


def test_a_variable_switches_on_one_kind() -> None:
    one = Row(id="x", base_url="https://one", env=("KEY",))
    two = Row(id="y", base_url="https://two", env=("KEY",))
    with pytest.raises(ConfigError, match="KEY would switch on both x and y"):
        index([one, two])
    index([one, msgspec.structs.replace(two, automatic=False)])


def test_an_unknown_field_is_refused() -> None:
    with pytest.raises(msgspec.ValidationError, match="unknown field"):
        msgspec.convert({"id": "x", "colour": "red"}, Row)
