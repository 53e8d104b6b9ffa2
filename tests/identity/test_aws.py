from __future__ import annotations

import time
from pathlib import Path
from urllib.parse import parse_qs, urlsplit

import pytest
from tests.gateway.upstream import Upstream, answer, expect

from dragoman.config.aws import Aws
from dragoman.errors import ConfigError
from dragoman.identity.aws import AwsSigner, aws_signer, region_of
from dragoman.identity.rotating import Unavailable
from dragoman.identity.sigv4 import is_genuine, read_authorization

BEDROCK = "https://bedrock-runtime.eu-west-1.amazonaws.com"
KEYS = Aws(access_key_id="AKID", secret_access_key="secret", session_token="session")
URL = f"{BEDROCK}/model/a%3A0/converse"


def told(signer: AwsSigner, url: str = URL, body: bytes = b"{}") -> dict[str, str]:
    return dict(signer.headers("POST", url, body))


def test_keys_that_are_given() -> None:
    signer = aws_signer(KEYS, "bedrock", BEDROCK, "p")
    assert told(signer) == {}
    signer.secret.wait()
    headers = told(signer) | {"host": urlsplit(URL).netloc}
    signed = read_authorization(headers["authorization"])
    assert signed is not None
    assert (signed.key_id, signed.region, signed.service) == ("AKID", "eu-west-1", "bedrock")
    assert headers["x-amz-security-token"] == "session"
    request = ("POST", urlsplit(URL).path, "")
    assert is_genuine("secret", signed, request, headers, b"{}", time.time())
    assert not is_genuine("secret", signed, request, headers, b"{ }", time.time())


@pytest.mark.parametrize(
    ("url", "region"),
    [
        (BEDROCK, "eu-west-1"),
        ("https://bedrock-mantle.us-gov-east-1.api.aws/v1", "us-gov-east-1"),
        ("https://bedrock-runtime-fips.ca-central-1.amazonaws.com", "ca-central-1"),
        ("https://vpce-1.bedrock-runtime.ap-southeast-2.vpce.amazonaws.com", "ap-southeast-2"),
        ("http://127.0.0.1:1", ""),
    ],
)
def test_the_region_is_in_the_host_s_name(url: str, region: str) -> None:
    assert region_of(url) == region


def test_the_region_that_is_given_or_in_the_environment() -> None:
    assert aws_signer(Aws(region="xx-yy-1", access_key_id="a"), "bedrock", BEDROCK, "p").region == "xx-yy-1"
    environ = {"AWS_REGION": "us-east-2"}
    assert aws_signer(KEYS, "bedrock", "http://127.0.0.1", "p", environ=environ).region == "us-east-2"
    with pytest.raises(ConfigError, match=r"p\.aws\.region: is missing"):
        aws_signer(KEYS, "bedrock", "http://127.0.0.1", "p", environ={})


def test_the_environment_s_keys() -> None:
    environ = {"AWS_ACCESS_KEY_ID": "EID", "AWS_SECRET_ACCESS_KEY": "s", "AWS_SESSION_TOKEN": "t"}
    found = aws_signer(Aws(), "bedrock", BEDROCK, "p", environ=environ).secret.wait()
    assert (found.key_id, found.secret, found.token) == ("EID", "s", "t")


@pytest.fixture
def lone(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Path:
    """A machine with a profile and nothing else."""
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_SESSION_TOKEN", "AWS_PROFILE"):
        monkeypatch.delenv(name, raising=False)
    shared = tmp_path / "credentials"
    shared.write_text("[prod]\naws_access_key_id = PID\naws_secret_access_key = psecret\n")
    monkeypatch.setenv("AWS_SHARED_CREDENTIALS_FILE", str(shared))
    monkeypatch.setenv("AWS_CONFIG_FILE", str(tmp_path / "none"))
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")
    return tmp_path


def test_a_profile(lone: Path) -> None:
    found = aws_signer(Aws(profile="prod"), "bedrock", BEDROCK, "p").secret.wait()
    assert (found.key_id, found.secret) == ("PID", "psecret")


def test_nothing_to_be_found(lone: Path) -> None:
    with pytest.raises(Unavailable, match="nowhere to be found"):
        aws_signer(Aws(), "bedrock", BEDROCK, "p", environ={}).secret.wait()
    with pytest.raises(Unavailable, match="ProfileNotFound"):
        aws_signer(Aws(profile="absent"), "bedrock", BEDROCK, "p").secret.wait()


ASSUMED = """<AssumeRoleResponse xmlns="https://sts.amazonaws.com/doc/2011-06-15/"><AssumeRoleResult><Credentials>
<AccessKeyId>RID</AccessKeyId><SecretAccessKey>rsecret</SecretAccessKey><SessionToken>rtoken</SessionToken>
<Expiration>2099-01-01T00:00:00Z</Expiration></Credentials></AssumeRoleResult></AssumeRoleResponse>"""


def test_a_role_is_assumed_with_the_keys_given(lone: Path, upstream: Upstream, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_ENDPOINT_URL_STS", f"http://127.0.0.1:{upstream.port}")
    upstream.reply(expect, answer(ASSUMED.encode(), content_type="text/xml"))
    given = Aws(
        access_key_id="AKID", secret_access_key="secret", role_arn="arn:aws:iam::123456789012:role/r", external_id="ext"
    )
    found = aws_signer(given, "bedrock", BEDROCK, "p").secret.wait()
    assert (found.key_id, found.secret, found.token) == ("RID", "rsecret", "rtoken")
    (asked,) = upstream.received()
    form = parse_qs(asked.body.decode())
    assert (form["Action"], form["RoleArn"], form["ExternalId"]) == (["AssumeRole"], [given.role_arn], ["ext"])
    assert "Credential=AKID/" in asked.headers["authorization"]
