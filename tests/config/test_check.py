from __future__ import annotations

import pytest
from msgspec.structs import replace

from dragoman.config.check import check, check_exposure, check_url, is_loopback, warnings
from dragoman.config.schema import (
    Aws,
    Config,
    Credential,
    Deployment,
    Entra,
    Google,
    Key,
    Price,
    Provider,
    Rehearsal,
    Route,
    Server,
)
from dragoman.config.tree import Node, Problems
from dragoman.errors import ConfigError

OPENAI = Provider(kind="openai", base_url="https://api.openai.com/v1", credentials=(Credential(key="k", name="one"),))
BIG = Deployment(provider="openai", model="gpt-4.1")
PIN = "sha256/47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU="
GOOD = Config(providers={"openai": OPENAI}, deployments={"big": BIG}, routes={"chat": Route(tiers=(("big",),))})


def problems_of(config: Config) -> list[str]:
    problems = Problems("f", Node({}))
    check(config, problems, None)
    try:
        problems.raise_if_any()
    except ConfigError as fault:
        return [problem.removeprefix("f: ") for problem in fault.problems]
    return []


def with_provider(**fields: object) -> Config:
    return Config(providers={"p": Provider(**{"base_url": "https://x", **fields})})  # type: ignore[arg-type]


def with_deployment(**fields: object) -> Config:
    deployment = Deployment(**{"provider": "openai", "model": "m", **fields})  # type: ignore[arg-type]
    return Config(providers={"openai": OPENAI}, deployments={"d": deployment})


def with_tiers(*tiers: tuple[str, ...]) -> Config:
    return Config(providers={"openai": OPENAI}, deployments={"big": BIG}, routes={"r": Route(tiers=tiers)})


def test_a_good_one_has_no_problems() -> None:
    assert problems_of(GOOD) == []
    assert problems_of(Config()) == []
    assert problems_of(with_provider(pins=(PIN, PIN.replace("/", "//", 1)))) == []


@pytest.mark.parametrize(
    ("config", "problem"),
    [
        (Config(server=Server(host="")), "server.host: is empty"),
        (Config(providers={"a b": OPENAI}), 'providers."a b": a name is 1 to 128'),
        (Config(providers={"a/b": OPENAI}), 'providers.a/b: a provider\'s name has no "/"'),
        (Config(providers={"rehearsal": OPENAI}), "providers.rehearsal: this name is the built-in"),
        (with_provider(proxy="socks5://x"), 'providers.p.proxy: is not "none" or a URL'),
        (with_provider(ca_file="/no/such"), "providers.p.ca_file: is not a file"),
        (with_provider(pins=(PIN, "sha256/AAAA")), "providers.p.pins[1]: has 3 bytes: a pin is sha256/ and the base64"),
        (with_provider(pins=(PIN[:-1],)), "providers.p.pins[0]: is not in base64: a pin is"),
        (with_provider(base_url="http://x/v1", pins=(PIN,)), "providers.p.pins: are of keys, and http://x/v1 has none"),
        (
            Config(
                providers={"openai": replace(OPENAI, pins=(PIN,))},
                deployments={"d": Deployment(provider="openai", model="m", base_url="http://x")},
            ),
            "deployments.d.base_url: is not https, and openai has pins of keys",
        ),
        (with_provider(headers={"a b": "c"}), 'providers.p.headers."a b": is not a header'),
        (with_provider(headers={"Host": "c"}), "providers.p.headers.Host: is not a header that can be set"),
        (with_provider(headers={"a": "b\r\nc"}), "providers.p.headers.a: a header's value is printable"),
        (with_provider(credentials=(Credential(key="k\n"),)), "providers.p.credentials[0].key: a key is printable"),
        (with_provider(credentials=(Credential(key=""),)), "providers.p.credentials[0].key: a key is printable"),
        (
            with_provider(credentials=(Credential(key="k", aws=Aws()),)),
            "providers.p.credentials[0]: give one of key, aws",
        ),
        (
            with_provider(credentials=(Credential(aws=Aws(access_key_id="a")),)),
            "providers.p.credentials[0].aws: access_key_id and secret_access_key go together",
        ),
        (
            with_provider(credentials=(Credential(google=Google(file="/no/such")),)),
            "providers.p.credentials[0].google.file: is not a file",
        ),
        (
            with_provider(credentials=(Credential(entra=Entra(authority="x")),)),
            "providers.p.credentials[0].entra.authority: is not a URL",
        ),
        (
            with_provider(credentials=(Credential(key="k", name="n"), Credential(key="l", name="n"))),
            'providers.p.credentials[1].name: "n" is also the name of credentials[0]',
        ),
        (
            with_deployment(provider="opnai"),
            'deployments.d.provider: there is no provider "opnai"; did you mean "openai"',
        ),
        (with_deployment(model=""), "deployments.d.model: is empty"),
        (
            with_deployment(credentials=("on",)),
            "deployments.d.credentials[0]: openai has no credential of this name; did",
        ),
        (with_deployment(base_url="ftp://x"), "deployments.d.base_url: is not a URL"),
        (
            with_deployment(price=Price(input_usd_mtok=10_001, output_usd_mtok=1)),
            "deployments.d.price.input_usd_mtok: is over 10,000 dollars a million tokens",
        ),
        (with_tiers(), "routes.r.tiers: needs at least one tier"),
        (with_tiers(()), "routes.r.tiers[0]: needs at least one deployment"),
        (with_tiers(("bgi",)), 'routes.r.tiers[0][0]: there is no deployment "bgi"; did you mean "big"?'),
        (with_tiers(("big", "big")), 'routes.r.tiers[0][1]: "big" is in this tier twice'),
        (with_tiers(("r",)), 'routes.r.tiers[0][0]: "r" is a route; a tier names deployments'),
        (
            with_tiers(("opnai/x",)),
            'routes.r.tiers[0][0]: there is no deployment "opnai/x" and no provider of that name',
        ),
        (with_tiers(("openai/",)), 'routes.r.tiers[0][0]: there is no deployment "openai/"'),
        (
            Config(keys=(Key(name="a", hash="1"), Key(name="a", hash="2"))),
            'keys[1].name: "a" is also the name of keys[0]',
        ),
        (Config(keys=(Key(name="a", hash="1"), Key(name="b", hash="1"))), "keys[1]: is the same key as keys[0]"),
    ],
)
def test_what_does_not_fit(config: Config, problem: str) -> None:
    found = problems_of(config)
    assert len(found) == 1
    assert found[0].startswith(problem)


@pytest.mark.parametrize("enabled", [True, False, None])
def test_the_rehearsal_is_a_provider_while_it_is_enabled(enabled: bool | None) -> None:
    config = Config(
        deployments={"d": Deployment(provider="rehearsal", model="m")},
        routes={"r": Route(tiers=(("d",), ("rehearsal/x",)))},
        rehearsal=Rehearsal(enabled=enabled),
    )
    assert len(problems_of(config)) == {True: 0, False: 2, None: 1}[enabled]


@pytest.mark.parametrize(
    ("url", "good"),
    [
        ("https://api.openai.com/v1", True),
        ("http://127.0.0.1:8000/v1", True),
        ("http://[::1]:8000", True),
        ("https://x", True),
        ("ftp://x", False),
        ("https://", False),
        ("//x", False),
        ("x", False),
        ("https://user@x", False),
        ("https://user:password@x", False),
        ("https://:@x", False),
        ("https://x/?a=b", False),
        ("https://x/#a", False),
        ("https://x/?", False),
        ("https://x:99999", False),
        ("https://x:0", False),
        ("https://x y", False),
        ("https://x\r\n", False),
        ("https://x\\@y", False),
        ("https://x//y", False),
        ("https://https://x", False),
        ("https://b\u00fccher.example", False),
    ],
)
def test_base_urls(url: str, good: bool) -> None:
    problems = Problems("f", Node({}))
    check_url(("u",), url, problems)
    assert (len(problems) == 0) is good
    if "password" in url:
        with pytest.raises(ConfigError) as caught:
            problems.raise_if_any()
        assert "password@" not in str(caught.value)


@pytest.mark.parametrize(
    ("host", "loopback"),
    [
        ("127.0.0.1", True), ("127.9.9.9", True), ("::1", True), ("[::1]", True), ("localhost", True),
        ("LOCALHOST", True), ("0.0.0.0", False), ("::", False), ("10.0.0.1", False), ("example.org", False),
        ("localhost.example.org", False), ("", False),
    ],
)  # fmt: skip
def test_loopback(host: str, loopback: bool) -> None:
    assert is_loopback(host) is loopback


def test_exposure_needs_a_key() -> None:
    exposed = Config(server=Server(host="0.0.0.0"))
    with pytest.raises(ConfigError, match="dragoman keys create"):
        check_exposure(exposed)
    check_exposure(exposed, stored_keys=1)
    check_exposure(Config(server=Server(host="0.0.0.0"), keys=(Key(name="a", hash="1"),)))
    check_exposure(Config())


def test_warnings() -> None:
    assert warnings(GOOD) == []
    odd = Config(
        server=Server(host="0.0.0.0"),
        providers={
            "far": Provider(base_url="http://far/v1", credentials=(Credential(key="k"),)),
            "open": Provider(base_url="https://open/v1"),
            "near": Provider(base_url="http://10.0.0.7/v1", allow_private=True),
        },
        deployments={
            "idle": Deployment(provider="far", model="m"),
            "cheap": Deployment(
                provider="far", model="m", price=Price(input_usd_mtok=0.000001, output_usd_mtok=0.000002)
            ),
        },
        routes={"r": Route(tiers=(("cheap",),))},
    )
    found = warnings(odd)
    assert [text.split(":")[0] for text in found] == [
        "providers.far", "providers.open", "deployments.idle", "deployments.cheap.price", "server.host",
    ]  # fmt: skip
