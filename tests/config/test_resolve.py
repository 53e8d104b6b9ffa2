from __future__ import annotations

import msgspec
import pytest

from dragoman.config.aws import Aws
from dragoman.config.resolve import OTHER, deployment_for, resolve
from dragoman.config.schema import Config, Credential, Deployment, Provider, Rehearsal
from dragoman.config.tree import Node, Problems
from dragoman.errors import ConfigError


class Kind(msgspec.Struct, frozen=True):
    id: str
    base_url: str = ""
    env: tuple[str, ...] = ()
    automatic: bool = True
    key_optional: bool = False
    allow_private: bool = False
    domain: str = ""
    identity: str = ""


KINDS = {
    kind.id: kind
    for kind in (
        Kind(OTHER, automatic=False, key_optional=True),
        Kind("openai", "https://api.openai.com/v1", ("OPENAI_API_KEY",)),
        Kind("two", "https://two/v1", ("TWO_KEY", "TWO_TOKEN"), domain="one"),
        Kind("mine", "https://${RESOURCE}.example/v1", ("MINE_KEY",)),
        Kind("manual", "https://manual/v1", ("MANUAL_KEY",), automatic=False),
        Kind("local", "http://localhost:1/v1", automatic=False, key_optional=True, allow_private=True),
        Kind("cloud", "https://cloud/v1", ("CLOUD_KEY",), automatic=False, identity="aws"),
        Kind("nowhere", "", ("NOWHERE_KEY",)),
    )
}


def filled(config: Config, environ: dict[str, str] | None = None) -> Config:
    problems = Problems("f", Node({}))
    resolved = resolve(config, KINDS, environ or {}, problems)
    problems.raise_if_any()
    return resolved


def problems_of(providers: dict[str, Provider]) -> list[str]:
    with pytest.raises(ConfigError) as caught:
        filled(Config(providers=providers))
    return caught.value.problems


def test_the_environment_alone() -> None:
    environ = {"OPENAI_API_KEY": "a", "TWO_TOKEN": "b", "MANUAL_KEY": "c", "MINE_KEY": "d", "NOWHERE_KEY": "e"}
    config = filled(Config(), environ)
    assert list(config.providers) == ["openai", "two"]
    assert config.providers["openai"] == Provider(
        kind="openai", base_url="https://api.openai.com/v1", domain="openai",
        credentials=(Credential(key="a", name="default"),),
    )  # fmt: skip
    assert config.providers["two"].credentials[0].key == "b"
    assert config.providers["two"].domain == "one"
    assert config.rehearsal.enabled is False
    assert list(filled(Config(), environ | {"RESOURCE": "r"}).providers) == ["openai", "two", "mine"]


def test_nothing_at_all_is_the_rehearsal() -> None:
    assert filled(Config(), {"OPENAI_API_KEY": ""}) == Config(rehearsal=Rehearsal(enabled=True))
    assert filled(Config(rehearsal=Rehearsal(enabled=False))).rehearsal.enabled is False


def test_a_kind_that_takes_more_than_keys_is_asked_as_the_machine() -> None:
    (credential,) = filled(Config(providers={"cloud": Provider()})).providers["cloud"].credentials
    assert credential == Credential(aws=Aws(), name="default")
    (credential,) = filled(Config(providers={"cloud": Provider()}), {"CLOUD_KEY": "k"}).providers["cloud"].credentials
    assert credential == Credential(key="k", name="default")
    elsewhere = Provider(kind="cloud", base_url="http://127.0.0.1:1")
    assert filled(Config(providers={"cloud": elsewhere})).providers["cloud"].credentials == ()


def test_a_configured_provider_turns_the_environment_off() -> None:
    config = filled(Config(providers={"two": Provider()}), {"OPENAI_API_KEY": "a", "TWO_KEY": "b"})
    assert list(config.providers) == ["two"]
    assert config.providers["two"].credentials[0].key == "b"
    kept = Config(providers={"two": Provider()}, rehearsal=Rehearsal(enabled=True))
    assert filled(kept, {"TWO_KEY": "b"}).rehearsal.enabled is True


def test_credentials_have_names() -> None:
    several = (Credential(key="a"), Credential(key="b", name="bee"), Credential(key="c"))
    config = filled(Config(providers={"openai": Provider(credentials=several)}))
    assert [one.name for one in config.providers["openai"].credentials] == ["1", "bee", "3"]
    one = filled(Config(providers={"openai": Provider(api_key="a")})).providers["openai"]
    assert (one.api_key, one.credentials) == ("", (Credential(key="a", name="default"),))


def test_kinds_by_name_by_kind_and_by_url() -> None:
    providers = {
        "second": Provider(kind="openai", api_key="a"),
        "box": Provider(base_url="http://10.0.0.7:8000/v1/"),
        "local": Provider(),
        "proxy": Provider(kind="openai", base_url="https://proxy/v1", api_key="a"),
    }
    found = filled(Config(providers=providers)).providers
    assert {name: (one.kind, one.base_url, one.domain, one.allow_private) for name, one in found.items()} == {
        "second": ("openai", "https://api.openai.com/v1", "openai", False),
        "box": (OTHER, "http://10.0.0.7:8000/v1", "box", False),
        "local": ("local", "http://localhost:1/v1", "local", True),
        "proxy": ("openai", "https://proxy/v1", "proxy", False),
    }


def test_a_key_of_the_environment_goes_to_the_kind_s_own_address_only() -> None:
    elsewhere = Config(providers={"openai": Provider(base_url="http://127.0.0.1:1/v1")})
    assert filled(elsewhere, {"OPENAI_API_KEY": "a"}).providers["openai"].credentials == ()


@pytest.mark.parametrize(
    ("name", "provider", "problem"),
    [
        (
            "opnai",
            Provider(),
            "providers.opnai: needs a base_url, or a kind: no kind of provider is called so; did you",
        ),
        (
            "x",
            Provider(kind="opnai"),
            'providers.x.kind: no kind of provider is called "opnai"; did you mean "openai"?',
        ),
        ("openai", Provider(), "providers.openai.api_key: is missing: openai wants a key, here or as OPENAI_API_KEY"),
        (
            "openai",
            Provider(api_key="a", credentials=(Credential(key="b"),)),
            "providers.openai.api_key: give api_key or credentials, not both",
        ),
        ("mine", Provider(api_key="a"), "providers.mine.base_url: is missing: set it after the pattern https://${RES"),
        ("nowhere", Provider(api_key="a"), "providers.nowhere.base_url: is missing: every user of nowhere has another"),
    ],
)
def test_what_cannot_be_filled_in(name: str, provider: Provider, problem: str) -> None:
    (found,) = problems_of({name: provider})
    assert found.removeprefix("f: ").startswith(problem)


def test_deployment_for() -> None:
    big = Deployment(provider="openai", model="gpt-4.1", weight=2)
    config = Config(
        providers={"openai": Provider()}, deployments={"big": big, "openai/big": big}, rehearsal=Rehearsal(enabled=True)
    )
    assert deployment_for("big", config) == big
    assert deployment_for("openai/big", config) == big
    assert deployment_for("openai/a/b", config) == Deployment(provider="openai", model="a/b")
    assert deployment_for("rehearsal/x", config) == Deployment(provider="rehearsal", model="x")
    for name in ("small", "openai/", "openai", "/x", "other/x", ""):
        assert deployment_for(name, config) is None
    assert deployment_for("rehearsal/x", Config()) is None
