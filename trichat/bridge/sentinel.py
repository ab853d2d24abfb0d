"""Asking a Sentinel which Redis is the master. Runs on the asyncio island."""

from __future__ import annotations

from trichat.bridge.address import Address, Host
from trichat.bridge.link import LinkDown, connect_aio, packed, translating


async def ask_sentinel_aio(address: Address, sentinel: Host) -> Host:
    """Where the master of `address.service` is, as `sentinel` knows it. Raises LinkDown."""
    assert address.service is not None
    connection = address.sentinel_connection(sentinel)
    try:
        with translating(f"the Sentinel {sentinel}"):
            await connect_aio(connection)
            question = packed(b"SENTINEL", b"GET-MASTER-ADDR-BY-NAME", address.service.encode())
            await connection.send_packed_command(question, check_health=False)
            answer = await connection.read_response()
    finally:
        await connection.disconnect(nowait=True)
    if not answer:
        raise LinkDown(f"the Sentinel {sentinel} knows no service {address.service}")
    name, port = answer
    return Host(name.decode(), int(port))
