"""The deployment files parse, agree with their schemas and name only what WorkBox has."""

import json
import os
import re
import shlex
import subprocess
import sys
from pathlib import Path
from typing import Any

import kubernetes_validate
import pytest
import yaml
from django.urls import Resolver404, resolve
from prometheus_client import REGISTRY

pytestmark = pytest.mark.once

ROOT = Path(__file__).resolve().parent.parent
KUBERNETES = list(yaml.safe_load_all((ROOT / "deploy/kubernetes/workbox.yaml").read_text()))
COMPOSE = yaml.safe_load((ROOT / "compose.yml").read_text())
OWN_METRICS = {family.name for family in REGISTRY.collect()}


def of_kind(kind: str) -> dict[str, Any]:
    return {one["metadata"]["name"]: one for one in KUBERNETES if one["kind"] == kind}


@pytest.mark.parametrize("manifest", KUBERNETES, ids=lambda one: f"{one['kind']} {one['metadata']['name']}")
def test_each_manifest_follows_its_schema(manifest: dict[str, Any]) -> None:
    assert kubernetes_validate.validate(manifest, "1.30", strict=True)


def test_three_web_replicas_with_probes_that_exist_and_autoscaling() -> None:
    web = of_kind("Deployment")["workbox-web"]["spec"]
    assert web["replicas"] == 3
    for deployment in (web, of_kind("Deployment")["workbox-ws"]["spec"]):
        container = deployment["template"]["spec"]["containers"][0]
        for probe in ("readinessProbe", "livenessProbe"):
            assert resolve(container[probe]["httpGet"]["path"])
    scaler = of_kind("HorizontalPodAutoscaler")["workbox-web"]["spec"]
    assert (scaler["scaleTargetRef"]["name"], scaler["minReplicas"]) == ("workbox-web", 3)


def test_services_and_ingress_reach_what_they_name() -> None:
    labels = {one["spec"]["template"]["metadata"]["labels"]["app"] for one in of_kind("Deployment").values()}
    services = of_kind("Service")
    assert {one["spec"]["selector"]["app"] for one in services.values()} <= labels
    for rule in of_kind("Ingress")["workbox"]["spec"]["rules"]:
        assert {path["backend"]["service"]["name"] for path in rule["http"]["paths"]} <= services.keys()


def test_compose_starts_every_part_and_mounts_files_that_exist() -> None:
    services = COMPOSE["services"]
    assert {"db", "redis", "migrate", "web", "ws", "worker", "beat", "proxy"} == services.keys()
    assert "SEED_DATABASE" in services["migrate"]["environment"]
    volumes = set(COMPOSE["volumes"])
    for service in services.values():
        for volume in service.get("volumes", []):
            source = volume.partition(":")[0]
            assert source in volumes or (ROOT / source).exists(), volume
        assert set(service.get("depends_on", [])) <= services.keys()


def commands() -> list[list[str]]:
    """Every command the files start WorkBox with."""
    found = [one["command"] for one in COMPOSE["services"].values() if isinstance(one.get("command"), list)]
    for manifest in KUBERNETES:
        pod = manifest.get("spec", {}).get("template", {}).get("spec", {})
        found += [one["command"] for one in pod.get("containers", []) if "command" in one]
    return [one for one in found if one[0] in ("python", "celery", "granian") or one[0].startswith("scripts/")]


@pytest.mark.parametrize("command", commands(), ids=" ".join)
def test_each_command_exists(command: list[str]) -> None:
    if command[0].startswith("scripts/"):
        assert (ROOT / command[0]).stat().st_mode & 0o111
        return
    program = [".venv/bin/python", *command[1:3]] if command[0] == "python" else [f".venv/bin/{command[0]}"]
    told = subprocess.run([*program, "--help"], cwd=ROOT, capture_output=True, text=True, check=True)
    for option in (part for part in command if part.startswith("--")):
        assert option in told.stdout or command[0] == "celery", shlex.join(command)


def expressions() -> list[str]:
    rules = yaml.safe_load((ROOT / "deploy/prometheus/alerts.yml").read_text())["groups"][0]["rules"]
    panels = json.loads((ROOT / "deploy/grafana/workbox.json").read_text())["panels"]
    return [one["expr"] for one in rules] + [target["expr"] for panel in panels for target in panel["targets"]]


@pytest.mark.parametrize("expression", expressions())
def test_alerts_and_dashboard_ask_for_metrics_that_exist(expression: str) -> None:
    named = {re.sub(r"_(total|bucket|sum|count)$", "", one) for one in re.findall(r"workbox_\w+", expression)}
    assert named <= OWN_METRICS
    assert named or expression.startswith("up{")


def test_the_proxy_sends_every_socket_and_nothing_else_to_the_live_process() -> None:
    text = (ROOT / "deploy/nginx/workbox.conf").read_text()
    (pattern,) = re.findall(r"location ~ (\S+) \{", text)
    for path in ("/ws", "/ws/", "/ws/dashboard", "/api/v1/analytics/ws/dashboard", "/analytics/ws/dashboard/"):
        assert re.match(pattern, path), path
    for path in ("/", "/api/v1/orders", "/wsx", "/admin/", "/api/v1/analytics/snapshot"):
        assert not re.match(pattern, path), path
    with pytest.raises(Resolver404):
        resolve("/ws")


@pytest.mark.parametrize(
    "named",
    [
        {"DATABASE_URL": "mysql://shop:p%2Fss%40@db.example.com:3307/shop"},
        {"DB_HOST": "db.example.com", "DB_PORT": "3307", "DB_USER": "shop", "DB_PASSWORD": "p/ss@", "DB_NAME": "shop"},
    ],
    ids=["DATABASE_URL", "DB_HOST"],
)
def test_the_backup_drill_changes_the_databases_name_alone(named: dict[str, str]) -> None:
    said = "import backup_drill as d; s = d.Server(d.database()); print(s.name, s.url_of('scratch'), *s.options)"
    done = subprocess.run(
        [sys.executable, "-c", said],
        cwd=ROOT, env=os.environ | {"DATABASE_URL": "", "DB_HOST": "", "PYTHONPATH": "scripts"} | named,
        capture_output=True, text=True, check=True,
    )  # fmt: skip
    name, url, *options = done.stdout.split()
    assert (name, url) == ("shop", "mysql://shop:p%2Fss%40@db.example.com:3307/scratch")
    assert {"--host=db.example.com", "--port=3307", "--user=shop"} <= set(options)


def test_compose_lets_every_setting_through_but_its_own_places() -> None:
    for name in ("migrate", "web", "ws", "worker", "beat"):
        service = COMPOSE["services"][name]
        assert service["env_file"] == [{"path": ".env", "required": False}]
        assert (service["environment"]["DATABASE_URL"], service["environment"]["DB_HOST"]) == ("", "db")
