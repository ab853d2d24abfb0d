"""`--admin-port`: a port of its own for operators, which says where it is."""

from __future__ import annotations

import re
from pathlib import Path

import httpx

from tests.nodes import running_node


async def test_the_metrics_are_on_the_port_for_operators_alone(
    tmp_path: Path, database_url: str, redis_url: str
) -> None:
    urls = ("--database-url", database_url, "--redis-url", redis_url, "--unsafe")
    async with running_node(tmp_path, *urls, "--admin-port", "0") as node, httpx.AsyncClient() as client:
        found = re.search(r"for operators: (http://127\.0\.0\.1:\d+)/metrics\n", node.log.read_text())
        assert found is not None
        theirs, ours = found[1], f"http://127.0.0.1:{node.port}"
        assert (await client.get(f"{theirs}/metrics", headers={"Host": "n1.internal"})).status_code == 200
        assert (await client.get(f"{theirs}/readyz")).json()["status"] == "ok"
        assert (await client.get(f"{theirs}/")).status_code == 404
        assert (await client.get(f"{ours}/metrics")).status_code == 404
        assert await node.stopped() == 0
