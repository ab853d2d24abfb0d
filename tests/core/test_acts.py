"""What identifies an act that is repeated, and where a reaction stands in its list. Who may what: tests/store."""

from __future__ import annotations

import itertools

from hypothesis import given
from hypothesis import strategies as st

from trichat.core.acts import (
    Act,
    Remove,
    Respond,
    Rewrite,
    Stick,
    act_fingerprint,
    parse_reaction_key,
    reaction_key,
)
from trichat.core.names import UserId

DIFFERENT: list[tuple[Act, int]] = [
    (act, seq)
    for seq in (1, 2)
    for act in (
        Rewrite("a"), Rewrite("b"), Remove(), Remove("a"), Respond("a"), Respond("a", on=False), Respond("b"), Stick(),
        Stick(on=False),
    )
]  # fmt: skip


def test_different_acts_have_different_fingerprints_of_64_bits() -> None:
    prints = [act_fingerprint(act, seq) for act, seq in DIFFERENT]
    assert len(set(prints)) == len(prints)
    assert all(-(2**63) <= one < 2**63 for one in prints)


def test_what_the_server_adds_does_not_count() -> None:
    assert act_fingerprint(Rewrite("a", (UserId("u_b"),), b'[["b","u_b"]]'), 1) == act_fingerprint(Rewrite("a"), 1)
    for own, others in itertools.product((True, False), repeat=2):
        assert act_fingerprint(Remove("a", own=own, others=others), 1) == act_fingerprint(Remove("a"), 1)


@given(st.text(st.characters(exclude_characters="/")), st.text(st.characters(exclude_characters="/")))
def test_the_key_of_a_reaction_is_read_as_it_was_made(emoji: str, user_id: str) -> None:
    assert parse_reaction_key(reaction_key(emoji, user_id)) == (emoji, user_id)
