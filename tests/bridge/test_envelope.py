"""The envelope: what goes in comes out, and garbage is refused by name."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from trichat.bridge.envelope import BadEnvelope, decode, decode_beat, encode, encode_beat, is_from
from trichat.chat.ports import Batch, Beat
from trichat.core.codec import text_frame
from trichat.core.names import Incarnation, RoomId

incarnations = st.integers(0, 2**63 - 1).map(Incarnation)
frames = st.lists(st.binary(max_size=300) | st.just(b"x" * 66_000), max_size=5)


@st.composite
def batches(draw: st.DrawFn) -> Batch:
    joined = [text_frame(payload) for payload in draw(frames)]
    room, first = draw(st.integers(1, 2**63 - 1)), draw(st.integers(1, 2**63 - 1))
    return Batch(RoomId(room), first, len(joined), b"".join(joined))


@given(incarnations, batches())
def test_a_batch_comes_out_as_it_went_in(incarnation: Incarnation, batch: Batch) -> None:
    payload = encode(incarnation, batch)
    assert decode(payload) == batch
    assert payload.endswith(batch.joined)
    assert len(payload) == 29 + len(batch.joined)


@given(incarnations, incarnations, batches())
def test_only_the_speaker_takes_it_for_an_echo(speaker: Incarnation, other: Incarnation, batch: Batch) -> None:
    payload = encode(speaker, batch)
    assert is_from(payload, speaker)
    assert is_from(payload, other) == (speaker == other)


@given(st.binary() | st.binary().map(lambda rest: b"\x01" + bytes(28) + rest), incarnations)
def test_garbage_is_no_batch_and_raises_nothing_else(garbage: bytes, incarnation: Incarnation) -> None:
    is_from(garbage, incarnation)
    with pytest.raises(BadEnvelope):
        decode(garbage)  # no garbage has numbers from 1


@given(incarnations, batches(), st.data())
def test_a_batch_that_lost_its_end_is_refused(incarnation: Incarnation, batch: Batch, data: st.DataObject) -> None:
    payload = encode(incarnation, batch)
    with pytest.raises(BadEnvelope):
        decode(payload[: data.draw(st.integers(0, len(payload) - 1))])


@pytest.mark.parametrize(
    ("payload", "why"),
    [
        (b"", "empty"),
        (b"\x02" + bytes(60), "version 2, we speak 1"),
        (b"\x01" + bytes(10), "shorter than its header"),
        (encode(Incarnation(1), Batch(RoomId(1), 1, 2, text_frame(b"a"))), "1 frames where the header says 2"),
        (encode(Incarnation(1), Batch(RoomId(1), 0, 1, text_frame(b"a"))), "numbered from 1"),
        (encode(Incarnation(1), Batch(RoomId(1), 1, 0, text_frame(b"a"))), "1 frames where the header says 0"),
        (encode(Incarnation(1), Batch(RoomId(1), 1, 1, b"\x82\x01a")), "no unmasked text frame"),
        (encode(Incarnation(1), Batch(RoomId(1), 1, 1, b"\x81\x81" + bytes(0x81))), "no unmasked text frame"),
    ],
)
def test_what_is_wrong_is_named(payload: bytes, why: str) -> None:
    with pytest.raises(BadEnvelope, match=why):
        decode(payload)


@given(incarnations, st.text(st.characters(codec="utf-8"), max_size=64), st.booleans(), st.integers(0, 2**62))
def test_a_beat_comes_out_as_it_went_in(incarnation: Incarnation, node: str, leaving: bool, mark: int) -> None:
    beat = Beat(incarnation, node, leaving)
    assert decode_beat(encode_beat(beat, mark)) == (beat, mark)


def test_a_beat_may_have_members_that_a_later_version_added() -> None:
    assert decode_beat(b'{"v":1,"incarnation":7,"node":"n1","load":0.3}') == (Beat(Incarnation(7), "n1", False), 0)


@given(st.binary())
def test_garbage_is_no_beat(garbage: bytes) -> None:
    with pytest.raises(BadEnvelope):
        decode_beat(garbage)


@pytest.mark.parametrize(
    "payload",
    [
        b'{"v":2,"incarnation":7,"node":"n1"}',
        b'{"v":1,"incarnation":-7,"node":"n1"}',
        b'{"v":1,"incarnation":9223372036854775808,"node":"n1"}',
        b'{"v":1,"node":"n1"}',
        b'{"v":1,"incarnation":7,"node":"\xff"}',
        b'{"v":1,"incarnation":7,"node":"n1","x":' + b"[" * 100_000,
    ],
    ids=["newer", "negative", "too large", "of nobody", "no UTF-8", "deep"],
)
def test_a_beat_that_we_do_not_understand_is_refused(payload: bytes) -> None:
    with pytest.raises(BadEnvelope):
        decode_beat(payload)
