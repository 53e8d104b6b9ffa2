"""What is in ``deploy`` says what the program understands, and nothing runs as root."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest
import yaml

from dragoman.config.load import load_config
from dragoman.providers.catalogue import rows

DEPLOY = Path(__file__).parent.parent / "deploy"
SECRETS = {
    "POSTGRES_PASSWORD": "p",
    "DRAGOMAN_FIRST_KEY": "k" * 32,
    "DRAGOMAN_PEPPER": "x" * 32,
}


def documents(name: str) -> list[Any]:
    return [one for one in yaml.safe_load_all((DEPLOY / name).read_text()) if one]


def variables(text: str, *, with_defaults: bool) -> set[str]:
    found = re.findall(r"\$\{([A-Z_]+)(:-[^}]*)?\}", re.sub(r"(?m)^\s*#.*$", "", text))
    return {name for name, default in found if with_defaults or not default}


def test_the_configuration_is_one() -> None:
    config = load_config(DEPLOY / "dragoman.yaml", SECRETS, kinds=rows())
    assert config.server.workers > 1
    assert config.redis is not None
    assert config.store.url.startswith("postgresql+psycopg://dragoman:p@postgres/")
    assert config.admin.host == "127.0.0.1"


def test_every_secret_that_is_needed_is_asked_for() -> None:
    asked = set(re.findall(r"(?m)^([A-Z_]+)=$", (DEPLOY / "example.env").read_text()))
    needed = variables((DEPLOY / "dragoman.yaml").read_text(), with_defaults=False)
    assert needed <= asked
    assert {"DRAGOMAN_PEPPER", "DRAGOMAN_CONTENT_KEY", "DRAGOMAN_AUDIT_KEY"} <= asked


def test_compose_starts_two_gateways_behind_what_they_need() -> None:
    (compose,) = documents("compose.yaml")
    gateways = {name: one for name, one in compose["services"].items() if name.startswith("gateway")}
    assert len(gateways) == 2
    for gateway in gateways.values():
        assert set(gateway["depends_on"]) <= set(compose["services"])
        assert gateway["read_only"] and gateway["cap_drop"] == ["ALL"]
        for volume in gateway["volumes"]:
            source = volume.split(":")[0]
            assert source in compose["volumes"] or (DEPLOY / source).is_file(), source
        assert all(port.startswith("127.0.0.1:") for port in gateway["ports"])
    ports = [port for gateway in gateways.values() for port in gateway["ports"]]
    assert len(ports) == len(set(ports))


@pytest.mark.parametrize("name", ["kubernetes/gateway.yaml", "kubernetes/valkey.yaml"])
def test_manifests_run_nothing_as_root(name: str) -> None:
    found = documents(name)
    selectors = [one["spec"]["selector"] for one in found if one["kind"] == "Service"]
    for workload in (one for one in found if one["kind"] == "StatefulSet"):
        pod = workload["spec"]["template"]
        assert pod["spec"]["securityContext"]["runAsNonRoot"] is True
        assert pod["spec"]["automountServiceAccountToken"] is False
        for container in pod["spec"]["containers"]:
            assert container["securityContext"]["allowPrivilegeEscalation"] is False
            assert container["resources"]["limits"]["memory"]
            mounted = {mount["name"] for mount in container["volumeMounts"]}
            claims = {claim["metadata"]["name"] for claim in workload["spec"]["volumeClaimTemplates"]}
            assert mounted == claims | {volume["name"] for volume in pod["spec"].get("volumes", [])}
        assert pod["metadata"]["labels"] in selectors


def test_the_manifests_are_all_named() -> None:
    (kustomization,) = documents("kustomization.yaml")
    assert {DEPLOY / one for one in kustomization["resources"]} == set((DEPLOY / "kubernetes").iterdir())
    assert all((DEPLOY / file).is_file() for one in kustomization["configMapGenerator"] for file in one["files"])


def test_a_gateway_has_longer_to_end_than_it_takes() -> None:
    config = load_config(DEPLOY / "dragoman.yaml", SECRETS, kinds=rows())
    (compose,) = documents("compose.yaml")
    gateway = documents("kubernetes/gateway.yaml")[0]
    unit = (DEPLOY / "systemd" / "dragoman.service").read_text()
    found = [
        int(compose["services"]["gateway-a"]["stop_grace_period"].removesuffix("s")),
        gateway["spec"]["template"]["spec"]["terminationGracePeriodSeconds"],
        int(re.findall(r"TimeoutStopSec=(\d+)", unit)[0]),
    ]
    assert min(found) >= config.server.drain_s + 10


def test_the_image_is_not_root_s() -> None:
    stages = (DEPLOY / "Dockerfile").read_text().split("\nFROM ")
    assert re.search(r"(?m)^USER (?!0|root)", stages[-1])
    assert "gcc" not in stages[-1]
    for copied in re.findall(r"(?m)^COPY (?!--from)(.+) \S+$", stages[0]):
        assert all((DEPLOY.parent / name).exists() for name in copied.split())
