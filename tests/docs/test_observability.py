"""docs/observability.md and the dashboard name exactly the metrics that there are."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final

import trio
import yaml
from prometheus_client import ProcessCollector

from tests.chat.guests import open_chat
from trichat.web.metrics_families import HELP, families
from trichat.web.metrics_survey import Survey

DOCS: Final = Path(__file__).resolve().parents[2] / "docs"
PAGE: Final = (DOCS / "observability.md").read_text("utf-8")
_ROW: Final = re.compile(r"^\| `([a-z_]+)` \| (counter|gauge|histogram) \| (.*?) ?\| (.+) \|$", re.MULTILINE)
_NAME: Final = re.compile(r"\b(?:trichat|process)_[a-z_]+")
_LABEL: Final = re.compile(r"[{,]\s*([a-z]+)=~?\"|by \(([a-z, ]+)\)")


async def exposed() -> dict[str, tuple[str, set[str]]]:
    """Each metric with its kind and its labels but for `node` and `le`: those of ours, and the library's."""
    async with open_chat() as chat:
        hub = chat.node.hub
        hub.figures.request("/", "GET", 200, 0.1)
        found = [*families(hub, Survey()), *ProcessCollector(registry=None).collect()]
    return {
        family.name + ("_total" if family.type == "counter" else ""): (
            family.type,
            {label for sample in family.samples for label in sample.labels} - {"node", "le"},
        )
        for family in found
    }


async def test_the_table_has_a_row_for_each_metric_as_it_is(autojump_clock: trio.abc.Clock) -> None:
    rows = {name: (kind, set(re.findall(r"`(\w+)`", labels))) for name, kind, labels, _ in _ROW.findall(PAGE)}
    assert rows == await exposed()


def test_the_table_says_what_the_help_says() -> None:
    told = {name.removesuffix("_total"): help for name, _, _, help in _ROW.findall(PAGE)}
    assert {name: told[name] for name in HELP} == HELP


def expressions(panels: list[dict[str, Any]]) -> Iterator[str]:
    for panel in panels:
        yield from (target["expr"] for target in panel.get("targets", ()))
        yield from expressions(panel.get("panels", []))


def metric(name: str) -> str:
    """The metric that a sample of this name is of."""
    return re.sub(r"(_seconds|_drafts)_(bucket|count|sum)$", r"\1", name)


def names_in(expression: str) -> set[str]:
    return {metric(name) for name in _NAME.findall(expression)}


async def test_the_dashboard_shows_every_metric_and_no_other(autojump_clock: trio.abc.Clock) -> None:
    dashboard = json.loads((DOCS / "grafana-dashboard.json").read_text("utf-8"))
    shown = {name for one in expressions(dashboard["panels"]) for name in names_in(one)}
    assert shown == set(await exposed())
    assert len({panel["id"] for panel in dashboard["panels"]}) == len(dashboard["panels"])


async def test_the_alerts_and_the_dashboard_ask_for_labels_that_there_are(autojump_clock: trio.abc.Clock) -> None:
    known = await exposed()
    (alerts,) = [
        group
        for block in re.findall(r"```yaml\n(.*?)```", PAGE, re.DOTALL)
        for group in yaml.safe_load(block).get("groups", ())
    ]
    dashboard = json.loads((DOCS / "grafana-dashboard.json").read_text("utf-8"))
    for one in [*(rule["expr"] for rule in alerts["rules"]), *expressions(dashboard["panels"])]:
        names = names_in(one)
        assert names <= set(known), one
        asked = {label.strip() for pair in _LABEL.findall(one) for label in ",".join(pair).split(",")} - {""}
        assert asked <= set().union(*(known[name][1] for name in names), {"node", "le"}), one
