"""Tokens of guests: only what was signed, with a secret that is kept, brings somebody back."""

from __future__ import annotations

import re
import string

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.properties import steady
from trichat.core.chance import Chance
from trichat.core.names import guest_id
from trichat.core.tokens import Signer, token_hash

ANN = guest_id(b"sixteen bytes ok")
SIGNER = Signer({1: b"a" * 32})
TOKEN = SIGNER.sign(ANN)


def test_a_token_brings_its_guest_back() -> None:
    assert SIGNER.verify(TOKEN) == ANN


@pytest.mark.parametrize("at", range(len(TOKEN)))
def test_no_character_can_be_changed(at: int) -> None:
    for other in string.ascii_letters + string.digits + "-_.=+/ \0\n\u0661\uff11é":
        if other != TOKEN[at]:
            assert SIGNER.verify(TOKEN[:at] + other + TOKEN[at + 1 :]) is None


def test_a_token_has_one_spelling() -> None:
    for other in ("", TOKEN[:-1], TOKEN + "=", TOKEN + "\n", " " + TOKEN, TOKEN * 2, TOKEN.replace("g.1.", "g.01.")):
        assert SIGNER.verify(other) is None


def test_another_cluster_does_not_know_it() -> None:
    assert Signer({1: b"b" * 32}).verify(TOKEN) is None
    assert Signer({2: b"a" * 32}).verify(TOKEN) is None


def test_after_a_rotation_old_tokens_stay_good_while_their_secret_is_kept() -> None:
    rotated = Signer({1: b"a" * 32, 2: b"b" * 32})
    new = rotated.sign(ANN)
    assert new.startswith("g.2.")
    assert (rotated.verify(TOKEN), rotated.verify(new)) == (ANN, ANN)
    assert SIGNER.verify(new) is None
    forgotten = Signer({2: b"b" * 32})
    assert (forgotten.verify(TOKEN), forgotten.verify(new)) == (None, ANN)


def test_a_mac_of_one_secret_is_no_mac_of_another() -> None:
    rotated = Signer({1: b"a" * 32, 2: b"b" * 32})
    assert rotated.verify(TOKEN.replace("g.1.", "g.2.")) is None


@given(st.binary(min_size=16, max_size=16), st.binary(min_size=32, max_size=32), st.integers(0, 99_999))
@steady
def test_every_guest_comes_back_and_nobody_else(random_bytes: bytes, secret: bytes, number: int) -> None:
    signer, guest = Signer({number: secret}), guest_id(random_bytes)
    token = signer.sign(guest)
    assert signer.verify(token) == guest
    if guest != ANN:
        assert signer.verify(token.replace(guest, ANN)) is None


@given(st.text())
@steady
def test_arbitrary_text_is_nobody(text: str) -> None:
    assert SIGNER.verify(text) is None


def test_new_tokens_and_accounts_are_of_their_shape_and_differ() -> None:
    chance = Chance()
    token = chance.token("u")
    assert re.fullmatch(r"u\.[A-Za-z0-9_-]{43}", token)
    assert re.fullmatch(r"u_[a-z2-7]{26}", chance.account())
    assert token != chance.token("u")
    assert chance.account() != chance.account()


def test_the_hash_of_a_token_is_sha_256() -> None:
    assert token_hash("abc").hex() == "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"
