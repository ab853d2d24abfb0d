"""Costs: every command has one, and everybody can afford it."""

from __future__ import annotations

import pytest

from trichat.core.command import Command
from trichat.core.commands import COMMANDS, Ping, Position, Resume, Send
from trichat.core.commands_people import Register
from trichat.core.commands_rooms import BanUser
from trichat.core.costs import COSTS, MOST_COST, REFUSED_COST, cost_of
from trichat.core.limits import Limits


def test_each_command_has_a_cost_and_nothing_else() -> None:
    assert set(COSTS) == set(COMMANDS.values())


@pytest.mark.parametrize("command", COSTS)
def test_a_cost_is_more_than_nothing_and_no_more_than_the_most(command: type[Command]) -> None:
    assert 0 < COSTS[command] <= MOST_COST
    assert 0 < REFUSED_COST <= MOST_COST


def test_every_bucket_holds_the_dearest_command() -> None:
    limits = Limits()
    bursts = (
        limits.command_burst, limits.account_burst, limits.guest_burst, limits.address_burst, limits.room_burst,
    )  # fmt: skip
    assert min(bursts) >= MOST_COST


def test_guests_may_do_less_than_accounts_and_no_address_alone_fills_a_room() -> None:
    limits = Limits()
    assert limits.guest_per_s < limits.account_per_s < limits.address_per_s < limits.room_per_s
    assert limits.guest_burst < limits.account_burst < limits.address_burst < limits.room_burst


def test_a_message_is_the_unit() -> None:
    assert cost_of(Send(room="lobby", text="hi")) == 1.0


def test_looking_is_cheap_and_registering_is_dear() -> None:
    assert cost_of(Ping()) < 1.0 < cost_of(Register(name="ann", password="longer than that"))


def test_a_moderator_bans_as_fast_as_others_send() -> None:
    assert cost_of(BanUser(room="lobby", user="eve")) == cost_of(Send(room="lobby", text="spam"))


def test_a_resume_costs_by_its_rooms_but_never_more_than_a_bucket_holds() -> None:
    costs = [
        cost_of(Resume(rooms={f"room{number}": Position(since=0) for number in range(count)}))
        for count in (1, 10, 1_000)
    ]
    assert costs[0] < costs[1] < costs[2] == MOST_COST
