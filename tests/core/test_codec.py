"""The codec: frames that another implementation reads, and events that are the protocol's envelope."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st
from wsproto.frame_protocol import FrameDecoder, Opcode

from tests.properties import steady, steady_few
from trichat.core.codec import (
    close_frame,
    control_frame,
    encode_event,
    encode_events,
    encode_reply,
    format_ts,
    quote,
    split_frames,
    text_frame,
)
from trichat.core.events import KINDS, Event
from trichat.core.names import RoomName, UserId
from trichat.core.replies import Pong

SIZES = [0, 1, 2, 124, 125, 126, 127, 128, 255, 256, 65_534, 65_535, 65_536, 65_537, 200_000]
LOBBY = RoomName("lobby")


def read_by_wsproto(raw: bytes) -> list[tuple[Opcode, bytes]]:
    """The whole frames in `raw`, as a client of another implementation reads them."""
    decoder = FrameDecoder(client=True)
    decoder.receive_bytes(raw)
    frames: list[tuple[Opcode, bytes]] = []
    while (frame := decoder.process_buffer()) is not None and frame.frame_finished:
        assert frame.message_finished
        assert isinstance(frame.payload, bytes)
        frames.append((frame.opcode, frame.payload))
    return frames


@pytest.mark.parametrize("size", SIZES)
def test_a_text_frame_is_read_by_another_implementation(size: int) -> None:
    payload = b"x" * size
    frame = text_frame(payload)
    assert read_by_wsproto(frame) == [(Opcode.TEXT, payload)]
    # nothing behind the frame, and nothing missing
    assert read_by_wsproto(frame + text_frame(b"y")) == [(Opcode.TEXT, payload), (Opcode.TEXT, b"y")]
    assert read_by_wsproto(frame[:-1]) == []


@pytest.mark.parametrize("opcode", [Opcode.PING, Opcode.PONG])
@pytest.mark.parametrize("size", [0, 1, 125])
def test_a_control_frame_is_read_by_another_implementation(opcode: Opcode, size: int) -> None:
    assert read_by_wsproto(control_frame(opcode, b"x" * size)) == [(opcode, b"x" * size)]


def test_a_control_frame_cannot_be_large() -> None:
    with pytest.raises(AssertionError):
        control_frame(0x9, b"x" * 126)


def test_a_reply_is_a_text_frame() -> None:
    assert read_by_wsproto(encode_reply(Pong(id="1"))) == [(Opcode.TEXT, b'{"type":"pong","id":"1"}')]


@pytest.mark.parametrize("reason", ["", "draining", "x" * 123, "x" * 124, "é" * 61, "é" * 62, "x" + "🙂" * 40])
def test_a_close_frame_is_cut_on_the_border_of_a_character(reason: str) -> None:
    [(opcode, payload)] = read_by_wsproto(close_frame(4200, reason))
    assert opcode is Opcode.CLOSE
    assert int.from_bytes(payload[:2], "big") == 4200
    said = payload[2:].decode()
    assert reason.startswith(said)
    longest = max(at for at in range(len(reason) + 1) if len(reason[:at].encode()) <= 123)
    assert said == reason[:longest]


@given(st.lists(st.binary(max_size=300) | st.sampled_from(SIZES).map(bytes), max_size=8))
@steady_few
def test_joined_frames_are_split_again(payloads: list[bytes]) -> None:
    frames = [text_frame(payload) for payload in payloads]
    assert split_frames(b"".join(frames)) == frames


@pytest.mark.parametrize("size", [0, 1, 125, 126, 65_535, 65_536])
def test_half_a_frame_is_an_error(size: int) -> None:
    whole, frame = text_frame(b"first"), text_frame(b"x" * size)
    for cut in {1, 2, 3, 4, 5, 9, 10, 11, len(frame) - 1} & set(range(1, len(frame))):
        with pytest.raises(ValueError, match="half a frame"):
            split_frames(whole + frame[:cut])


@given(st.binary())
@steady
def test_splitting_arbitrary_bytes_loses_none_or_is_an_error(joined: bytes) -> None:
    try:
        frames = split_frames(joined)
    except ValueError:
        return
    assert b"".join(frames) == joined
    assert all(frames)


def an_event(**changes: object) -> Event:
    event = Event(
        seq=42, kind="message", user_id=UserId("u_1"), user="ann", ts=1_795_499_400_123, cid="a1", body=b'{"text":"hi"}'
    )
    return msgspec.structs.replace(event, **changes)


def test_an_event_is_the_envelope_of_the_protocol() -> None:
    assert encode_event(LOBBY, an_event()) == (
        b'{"type":"message","room":"lobby","seq":42,"from":"ann","from_id":"u_1",'
        b'"ts":"2026-11-24T05:50:00.123Z","cid":"a1","text":"hi"}'
    )


def test_without_a_cid_there_is_none() -> None:
    assert "cid" not in json.loads(encode_event(LOBBY, an_event(cid=None)))


def test_on_a_page_a_message_says_its_last_change() -> None:
    assert json.loads(encode_event(LOBBY, an_event(rev=50), with_rev=True))["rev"] == 50
    assert json.loads(encode_event(LOBBY, an_event(), with_rev=True))["rev"] == 42
    assert "rev" not in json.loads(encode_event(LOBBY, an_event(rev=50)))


text = st.text(st.characters(exclude_categories=["Cs"]))
bodies = st.sampled_from(sorted(KINDS)).flatmap(
    lambda kind: st.tuples(
        st.just(kind),
        st.dictionaries(st.sampled_from(KINDS[kind]), text | st.integers() | st.lists(text), min_size=1),
    )
)


@given(text, bodies, text, st.none() | text, st.integers(1, 2**53), st.integers(0, 4_102_444_800_000))
@steady
def test_whatever_people_say_the_envelope_holds(  # noqa: PLR0917  # the members of an event
    room: str, body: tuple[str, dict[str, object]], user: str, cid: str | None, seq: int, ts: int
) -> None:
    kind, members = body
    event = Event(seq=seq, kind=kind, user_id=UserId("g_a"), user=user, ts=ts, cid=cid, body=quote(members))
    encoded = encode_event(RoomName(room), event)
    envelope = {"type": kind, "room": room, "seq": seq, "from": user, "from_id": "g_a", "ts": format_ts(ts)}
    wanted = envelope | ({} if cid is None else {"cid": cid}) | members
    assert list(json.loads(encoded).items()) == list(wanted.items())


def test_many_events_are_a_frame_each() -> None:
    events = [an_event(seq=seq) for seq in (1, 2, 3)]
    frames = encode_events(LOBBY, events)
    assert split_frames(b"".join(frames)) == frames
    assert [json.loads(payload)["seq"] for _, payload in read_by_wsproto(b"".join(frames))] == [1, 2, 3]


@pytest.mark.parametrize(
    ("ts", "written"),
    [
        (0, "1970-01-01T00:00:00.000Z"),
        (999, "1970-01-01T00:00:00.999Z"),
        (1_795_499_400_007, "2026-11-24T05:50:00.007Z"),
        (951_782_400_000, "2000-02-29T00:00:00.000Z"),
    ],
)
def test_a_time_is_written_in_milliseconds_of_utc(ts: int, written: str) -> None:
    assert format_ts(ts) == written


@given(st.integers(0, 4_102_444_800_000))
@steady
def test_a_written_time_is_that_time(ts: int) -> None:
    assert datetime.fromisoformat(format_ts(ts)) == datetime(1970, 1, 1, tzinfo=UTC) + timedelta(milliseconds=ts)
