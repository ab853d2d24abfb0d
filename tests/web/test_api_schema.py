"""schemathesis asks what the document allows, and what it does not, at a real port: what comes is as documented."""

from __future__ import annotations

from typing import Any, Final

import pytest
import schemathesis
import trio
from hypothesis import HealthCheck, Phase, given, settings
from schemathesis import GenerationMode
from schemathesis.checks import (
    content_type_conformance,
    negative_data_rejection,
    not_a_server_error,
    response_headers_conformance,
    response_schema_conformance,
    status_code_conformance,
)

from tests.nodes import make_twins, open_twin_node
from tests.people import make_account
from trichat.web.api.openapi import openapi
from trichat.web.api.operations import OPERATIONS, PREFIX

#: Requests for each operation, in each mode, with a token and without one.
_ASKED: Final = 12
_CHECKS: Final = [
    not_a_server_error, status_code_conformance, content_type_conformance, response_schema_conformance,
    response_headers_conformance,
]  # fmt: skip
#: Seconds for one request: about a thousand times the typical.
_PATIENCE_S: Final = 10.0


@pytest.mark.slow
@pytest.mark.parametrize("known", [True, False], ids=["with-a-token", "without-one"])
async def test_whatever_is_asked_the_answer_is_as_documented(known: bool) -> None:
    twins = make_twins()
    async with open_twin_node(twins, listening=True) as node:
        token = await make_account(twins.store, "ann") if known else None
        answered = await trio.to_thread.run_sync(ask_all, f"http://127.0.0.1:{node.port}{PREFIX}", token)
    assert answered.keys() == {one.name for one in OPERATIONS}
    if not known:
        open_to_all = {one.name for one in OPERATIONS if one.anonymous}
        assert {name for name, statuses in answered.items() if any(status < 300 for status in statuses)} <= open_to_all
        assert all(401 in statuses for name, statuses in answered.items() if name not in open_to_all)
    else:
        assert sum(any(status < 300 for status in statuses) for statuses in answered.values()) >= 5


def ask_all(url: str, token: str | None) -> dict[str, set[int]]:
    """Ask for everything, well and wrongly; the statuses that came, by operation. Raises what schemathesis finds.

    Not for a Trio task: it waits.
    """
    schema = schemathesis.openapi.from_dict(openapi())
    answered: dict[str, set[int]] = {}
    for found in schema.get_all_operations():
        operation: Any = found.ok()  # type: ignore[union-attr]  # what is invalid would raise here
        name = operation.definition.raw["operationId"]
        for mode in (GenerationMode.POSITIVE, GenerationMode.NEGATIVE):
            if mode is GenerationMode.NEGATIVE and not (operation.query or operation.body):
                continue  # nothing in it can be wrong
            _ask(operation, mode, url, token, answered.setdefault(name, set()))
    return answered


def _ask(operation: Any, mode: GenerationMode, url: str, token: str | None, statuses: set[int]) -> None:
    headers = {} if token is None or operation.label.endswith("/token") else {"Authorization": f"Bearer {token}"}
    checks = [*_CHECKS, negative_data_rejection] if mode is GenerationMode.NEGATIVE else _CHECKS

    @settings(
        max_examples=_ASKED,
        deadline=None,
        derandomize=True,
        database=None,
        phases=[Phase.generate],
        suppress_health_check=list(HealthCheck),
    )
    @given(case=operation.as_strategy(mode))
    def ask(case: Any) -> None:
        case.headers = {**(case.headers or {}), **headers}
        if "wait_s" in (case.query or {}) and mode is GenerationMode.POSITIVE:
            case.query["wait_s"] = 0
        response = case.call(base_url=url, timeout=_PATIENCE_S)
        statuses.add(response.status_code)
        case.validate_response(response, checks=checks)

    ask()
