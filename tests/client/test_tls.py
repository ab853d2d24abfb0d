"""The client over wss: whom it believes, and what it says when it does not."""

from __future__ import annotations

from pathlib import Path

import pytest
import trio

from tests.authority import Authority
from tests.client.terminal import Open
from tests.edge.secure import SecureNode
from tests.nodes import make_twins, open_twin_node
from trichat.client import ClientOptions, Ended, RoomEvent, Unreachable, open_client, tls_context

_LIVENESS_S = 10.0
_PATIENT = ClientOptions(patient=True)


async def test_two_clients_chat_over_wss(secure: SecureNode) -> None:
    url, context = f"wss://{secure.address}/ws", tls_context(secure.authority.file)
    async with (
        open_client(url, name="ann", ssl_context=context) as ann,
        open_client(url, name="ben", ssl_context=context) as ben,
    ):
        await ben.join("lobby")
        await ann.join("lobby")
        sent = await ann.send("lobby", "hello")
        with trio.fail_after(_LIVENESS_S):
            async for event in ben.events():
                if isinstance(event, RoomEvent) and event.kind == "message":
                    assert (event.seq, event.text) == (sent.seq, "hello")
                    break


@pytest.mark.parametrize("options", [ClientOptions(), _PATIENT])
async def test_an_unknown_authority_is_said_and_not_tried_again(options: ClientOptions, secure: SecureNode) -> None:
    with pytest.raises((Unreachable, Ended), match=r"certificate is not to be trusted: .*name its authority: --tls-ca"):
        await _open(f"wss://{secure.address}/ws", options, authority=None)


@pytest.mark.parametrize("options", [ClientOptions(), _PATIENT])
async def test_another_ones_certificate_is_said_and_not_tried_again(options: ClientOptions, secure: SecureNode) -> None:
    secure.authority.issue("chat.test")
    await secure.certificate.renew()
    with pytest.raises((Unreachable, Ended), match="not to be trusted: IP address mismatch"):
        await _open(f"wss://{secure.address}/ws", options, authority=secure.authority)


async def test_a_certificate_that_does_not_fit_any_more_ends_a_client_that_comes_back(secure: SecureNode) -> None:
    async with open_client(f"wss://{secure.address}/ws", ssl_context=secure.authority.context) as client:
        secure.authority.issue("chat.test")
        await secure.certificate.renew()
        await secure.door.drain(0.0)
        with pytest.raises(Ended, match="not to be trusted"), trio.fail_after(_LIVENESS_S):
            await client.ping()


async def test_tls_to_a_port_without_it_is_said(authority: Authority) -> None:
    async with open_twin_node(make_twins(), listening=True) as node:
        with pytest.raises(Ended, match="does not speak TLS; say ws://"):
            await _open(f"wss://127.0.0.1:{node.port}", _PATIENT, authority=authority)


async def test_no_tls_to_a_port_with_it_is_said(secure: SecureNode) -> None:
    with pytest.raises(Ended, match="HTTP 400 this port speaks https and wss"):
        await _open(f"ws://{secure.address}", _PATIENT, authority=None)


async def _open(url: str, options: ClientOptions, *, authority: Authority | None) -> None:
    with trio.fail_after(_LIVENESS_S):
        async with open_client(url, options=options, ssl_context=authority.context if authority else None):
            pass


def test_a_file_without_an_authority_is_said(tmp_path: Path) -> None:
    empty = tmp_path / "empty.pem"
    empty.write_text("")
    with pytest.raises(ValueError, match="holds no certificate in PEM"):
        tls_context(empty)
    with pytest.raises(OSError, match=r"none\.pem cannot be read: No such file"):
        tls_context(tmp_path / "none.pem")


async def test_the_terminal_chats_over_wss(secure: SecureNode, terminal: Open) -> None:
    ann = terminal(f"wss://{secure.address}", "lobby", "--name", "ann", "--tls-ca", str(secure.authority.file))
    ann.type("hello\n")
    ann.end()
    assert await ann.chat() == 0
    assert ann.noticed == []


async def test_the_terminal_says_what_is_wrong_with_a_certificate(secure: SecureNode, terminal: Open) -> None:
    ann = terminal(f"wss://{secure.address}", "lobby", "--name", "ann")
    assert await ann.chat() == 1
    assert "certificate is not to be trusted" in ann.noticed[-1]
    ben = terminal(f"wss://{secure.address}", "lobby", "--name", "ben", "--tls-ca", "/none.pem")
    assert await ben.chat() == 1
    assert "/none.pem cannot be read" in ben.noticed[-1]
