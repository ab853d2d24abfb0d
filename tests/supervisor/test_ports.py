"""The ports of all nodes: shared among them, and with nobody else."""

from __future__ import annotations

import socket
from collections.abc import Iterator
from contextlib import closing

import pytest

from trichat.edge.listeners import listen, start_listening
from trichat.settings import Settings
from trichat.supervisor.ports import Ports

SETTINGS = Settings(port=0, workers=3, admin_port=0)


@pytest.fixture
def ports() -> Iterator[Ports]:
    with closing(Ports(SETTINGS)) as ports:
        yield ports


def test_all_slots_have_sockets_at_one_port_and_each_its_own_for_operators(ports: Ports) -> None:
    assert len({ports.public(slot)[0].getsockname() for slot in range(3)}) == 1
    assert len({ports.operators(slot)[0].getsockname() for slot in range(3)}) == 3


def test_nobody_waits_at_a_slot_that_does_not_listen_and_then_all_get_their_part(ports: Ports) -> None:
    assert _spread(ports, 30) == [30, 0, 0]
    for slot in range(3):
        start_listening(ports.public(slot))
    assert all(_spread(ports, 90))


def test_a_second_supervisor_of_the_same_user_is_kept_out(ports: Ports) -> None:
    port = ports.public(0)[0].getsockname()[1]
    with pytest.raises(OSError, match="in use"):
        Ports(Settings(port=port, workers=2))
    with pytest.raises(OSError, match="in use"):
        listen("127.0.0.1", port)


def test_after_a_death_a_slots_sockets_are_new_and_its_part_goes_to_the_others(ports: Ports) -> None:
    for slot in range(3):
        start_listening(ports.public(slot))
    ports.renew(0, beside=1)
    shares = _spread(ports, 60)
    assert shares[0] == 0
    assert sum(shares) == 60
    start_listening(ports.public(0))
    assert all(_spread(ports, 90))


def test_closed_they_refuse_everybody_and_may_be_closed_again(ports: Ports) -> None:
    address = ports.public(0)[0].getsockname()
    ports.close()
    ports.close()
    with pytest.raises(ConnectionRefusedError):
        socket.create_connection(address).close()


def _spread(ports: Ports, connections: int) -> list[int]:
    """How many of so many new connections each slot gets."""
    address = ports.public(0)[0].getsockname()
    made = [socket.create_connection(address) for _ in range(connections)]
    counts = [_accept_all(ports.public(slot)[0]) for slot in range(3)]
    for connection in made:
        connection.close()
    return counts


def _accept_all(listener: socket.socket) -> int:
    count = 0
    if listener.getsockopt(socket.SOL_SOCKET, socket.SO_ACCEPTCONN):
        while True:
            try:
                listener.accept()[0].close()
            except BlockingIOError:
                break
            count += 1
    return count
