from __future__ import annotations

import pytest

from dragoman.access.declared import declared_principals, key_problems, parse_time_ms
from dragoman.access.secret import create_secret, hash_secret
from dragoman.config.schema import Key
from dragoman.errors import ConfigError

PEPPER = bytes(32)
SECRET = create_secret()


def problems(*keys: Key) -> list[str]:
    with pytest.raises(ConfigError) as caught:
        declared_principals(keys, PEPPER)
    return caught.value.problems


def test_a_secret_and_its_hash_declare_the_same_key() -> None:
    digest = hash_secret(SECRET, PEPPER)
    by_secret = declared_principals([Key(name="a", secret=SECRET, team="t")], PEPPER)
    by_hash = declared_principals([Key(name="a", hash=digest.hex(), team="t")], PEPPER)
    assert by_secret == by_hash
    assert by_secret[digest].key_id == "config:a"
    assert by_secret[digest].team == "t"


def test_every_field_reaches_the_principal() -> None:
    key = Key(
        name="a",
        secret=SECRET,
        allow=("x",),
        admin=True,
        expires="2030-01-01T00:00:00Z",
        organisation="o",
        team="t",
        user="u",
        app="p",
        tags=("b", "a", "b"),
        max_deadline_s=3.5,
        max_retries=0,
        allow_fallbacks=False,
        allow_no_log=True,
    )
    (principal,) = declared_principals([key], PEPPER).values()
    assert principal.tags == ("a", "b")
    assert principal.expires_at_ms == 1_893_456_000_000
    for name in ("name", "allow", "admin", "organisation", "team", "user", "app", "max_deadline_s", "max_retries"):
        assert getattr(principal, name) == getattr(key, name), name
    assert (principal.allow_fallbacks, principal.allow_no_log) == (False, True)


def test_a_secret_of_another_origin_is_taken_when_it_is_long() -> None:
    assert len(declared_principals([Key(name="a", secret="s" * 32)], PEPPER)) == 1
    assert "shorter than 32" in problems(Key(name="a", secret="s" * 31))[0]


@pytest.mark.parametrize(
    ("key", "words"),
    [
        (Key(name="a"), "either secret or hash"),
        (Key(name="a", secret=SECRET, hash="0" * 64), "either secret or hash"),
        (Key(name="a", secret=SECRET[:-1]), "checksum"),
        (Key(name="a", secret=SECRET[:-1] + "_"), "checksum"),
        (Key(name="a", hash="0" * 63), "64 hexadecimal digits"),
        (Key(name="a", hash="g" * 64), "64 hexadecimal digits"),
        (Key(name="", secret=SECRET), "must not be empty"),
        (Key(name="key_1", secret=SECRET), "must not start with key_"),
        (Key(name="a\n", secret=SECRET), "name: at most 128 printable"),
        (Key(name="a", secret=SECRET, team="t" * 129), "team: at most 128"),
        (Key(name="a", secret=SECRET, tags=("a,b",)), "no comma"),
        (Key(name="a", secret=SECRET, tags=("",)), "tags"),
        (Key(name="a", secret=SECRET, allow=()), "names no alias"),
        (Key(name="a", secret=SECRET, expires="tomorrow"), "is not a time"),
        (Key(name="a", secret=SECRET, expires="2030-01-01T00:00:00"), "time zone"),
    ],
)
def test_each_fault_is_named_with_its_key_and_without_its_secret(key: Key, words: str) -> None:
    (problem,) = problems(key)
    assert words in problem
    assert problem.startswith(f"keys: {key.name or '(no name)'}: ")
    assert SECRET[10:30] not in problem


def test_all_faults_of_all_keys_are_found() -> None:
    found = problems(Key(name="a", expires="x"), Key(name="b"), Key(name="c", secret=SECRET))
    assert [problem.split(": ")[1] for problem in found] == ["a", "a", "b"]


def test_one_secret_for_two_keys_is_refused() -> None:
    assert "same secret as a" in problems(Key(name="a", secret=SECRET), Key(name="b", secret=SECRET))[0]


def test_limits_on_either_side() -> None:
    assert key_problems(Key(name="n" * 128, tags=("t" * 128,))) == []
    assert len(key_problems(Key(name="n" * 129, tags=("t" * 129,)))) == 2


@pytest.mark.parametrize("text", ["2030-01-01T00:00:00Z", "2030-01-01T01:00:00+01:00", "2029-12-31T18:00:00-06:00"])
def test_times_are_read_with_their_zone(text: str) -> None:
    assert parse_time_ms(text) == 1_893_456_000_000
