"""compose.yaml, docs/deploy and the Dockerfile say what the program understands, and fit each other."""

from __future__ import annotations

import re
import shlex
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
import yaml

from trichat.cli import build_parser
from trichat.core.limits import Limits
from trichat.settings import DECLARED, Settings, load_settings

ROOT = Path(__file__).parent.parent.parent
DEPLOY = ROOT / "docs/deploy"
PROBES = {"/healthz", "/readyz"}
LIMITS = Limits()

compose: dict[str, Any] = yaml.safe_load((ROOT / "compose.yaml").read_text())
services: dict[str, Any] = compose["services"]
objects: dict[str, Any] = {one["kind"]: one for one in yaml.safe_load_all((DEPLOY / "kubernetes.yaml").read_text())}
pod: dict[str, Any] = objects["Deployment"]["spec"]["template"]
(container,) = pod["spec"]["containers"]
haproxy = (DEPLOY / "haproxy.cfg").read_text()
dockerfile = (ROOT / "Dockerfile").read_text()
unit = dict(
    line.split("=", 1)
    for line in (DEPLOY / "trichat.service").read_text().splitlines()
    if "=" in line and not line.startswith("#")
)


def settings_of(environment: Mapping[str, str]) -> Settings:
    """The settings that a container has of these variables and the image's own."""
    return load_settings({}, _image_variables() | dict(environment))


@pytest.mark.parametrize("name", ["node-a", "node-b"])
def test_the_nodes_of_compose_have_right_settings(name: str) -> None:
    settings = settings_of(services[name]["environment"])
    assert settings.node_id == name
    assert settings.guests_allowed
    (network,) = compose["networks"]["default"]["ipam"]["config"]
    assert settings.trusted_proxy == (network["subnet"],)
    assert f"@postgres:5432/{services['postgres']['environment']['POSTGRES_DB']}" in (settings.database_url or "")
    assert settings.redis_url == "redis://valkey:6379/0"
    assert {"postgres", "valkey"} == services[name]["depends_on"].keys() < services.keys()


def test_the_proxy_goes_to_every_node_of_compose_and_asks_what_there_is() -> None:
    nodes = re.findall(r"^    server (\S+) (\S+):(\d+)$", haproxy, re.MULTILINE)
    assert nodes == [(name, name, str(_exposed_port())) for name in services if name.startswith("node-")]
    assert set(re.findall(r"uri (/\S+)", haproxy)) <= PROBES
    assert "X-Forwarded-Proto" in haproxy
    assert "option forwardfor" in haproxy
    (volume,) = services["proxy"]["volumes"]
    assert (ROOT / volume.split(":")[0]) == DEPLOY / "haproxy.cfg"
    published = services["proxy"]["ports"][0].split(":")[1]
    assert f"bind :{published}\n" in haproxy


def test_the_proxy_waits_longer_than_a_silent_connection_lasts() -> None:
    seconds = {name: int(value) for name, value in re.findall(r"timeout (\S+) +(\d+)s", haproxy)}
    assert seconds["tunnel"] > LIMITS.ping_s + LIMITS.pong_s
    assert seconds["server"] > LIMITS.request_s


def test_all_wait_for_a_node_as_long_as_its_drain_takes() -> None:
    needed = LIMITS.drain_s + LIMITS.worker_farewell_s
    assert int(services["node-a"]["stop_grace_period"].removesuffix("s")) > needed
    assert int(unit["TimeoutStopSec"]) > needed + 2 * LIMITS.embedded_stop_s
    sleep = int(container["lifecycle"]["preStop"]["exec"]["command"][1])
    assert pod["spec"]["terminationGracePeriodSeconds"] > needed + sleep


def test_the_pods_of_kubernetes_have_right_settings_and_ports() -> None:
    environment = objects["Secret"]["stringData"] | {one["name"]: one.get("value", "pod-1") for one in container["env"]}
    settings = settings_of(environment)
    assert settings.node_id == "pod-1"
    ports = {port["name"]: port["containerPort"] for port in container["ports"]}
    assert ports == {"http": settings.port, "operators": settings.admin_port}
    assert pod["metadata"]["annotations"]["prometheus.io/port"] == str(settings.admin_port)
    assert objects["Service"]["spec"]["ports"][0]["targetPort"] in ports
    assert not pod["spec"]["enableServiceLinks"]
    assert pod["spec"]["securityContext"]["runAsUser"] == int(_word_after("--uid", dockerfile))


def test_the_probes_and_labels_of_kubernetes_fit() -> None:
    probes = {kind: container[f"{kind}Probe"]["httpGet"] for kind in ("liveness", "readiness", "startup")}
    assert {kind: probe["path"] for kind, probe in probes.items()} == {
        "liveness": "/healthz", "readiness": "/readyz", "startup": "/readyz"
    }  # fmt: skip
    assert {probe["port"] for probe in probes.values()} == {"http"}
    labels = pod["metadata"]["labels"]
    assert objects["Deployment"]["spec"]["selector"]["matchLabels"] == labels
    assert objects["PodDisruptionBudget"]["spec"]["selector"]["matchLabels"] == labels
    assert objects["Service"]["spec"]["selector"] == labels
    assert objects["PodDisruptionBudget"]["spec"]["minAvailable"] < objects["Deployment"]["spec"]["replicas"]


def test_the_unit_starts_serve_with_flags_that_there_are() -> None:
    program, *arguments = shlex.split(unit["ExecStart"])
    assert program.endswith("/trichat")
    given = build_parser().parse_args(arguments)
    settings = load_settings({name: getattr(given, name) for name in DECLARED}, {})
    assert settings.workers > 1
    assert settings.data_dir.is_relative_to(Path("/var/lib", unit["StateDirectory"]))
    # SIGTERM to every process would tell the workers twice
    assert unit["KillMode"] == "mixed"


def test_the_image_has_what_the_program_needs_and_asks_it_how_it_is() -> None:
    assert settings_of({}).port == _exposed_port()
    sources = re.findall(r"^COPY (?!--from)(.+) \S+$", dockerfile, re.MULTILINE)
    ignored = (ROOT / ".dockerignore").read_text().split()
    for source in sources:
        assert (ROOT / source).exists()
        assert f"!{source}" in ignored
    assert set(re.findall(rf":{_exposed_port()}(/\w+)", dockerfile)) <= PROBES
    assert "trichat" in sources, "the page's files and the migrations lie in the package"


def _image_variables() -> dict[str, str]:
    return dict(re.findall(r"(TRICHAT_\w+)=(\S+)", dockerfile))


def _exposed_port() -> int:
    return int(_word_after("EXPOSE", dockerfile))


def _word_after(word: str, text: str) -> str:
    return text.partition(f"{word} ")[2].split()[0]
