"""The reader of frames: the same messages as another implementation gives, and no harm from any bytes."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st
from wsproto.connection import Connection, ConnectionType
from wsproto.events import BytesMessage, CloseConnection, Event, TextMessage
from wsproto.events import Ping as WsprotoPing
from wsproto.events import Pong as WsprotoPong

from tests.client_bytes import BINARY, CLOSE, CONTINUATION, PING, PONG, TEXT, frame
from tests.properties import steady, steady_few
from trichat.core.closing import INVALID_UTF8, PROTOCOL_ERROR, TOO_BIG, CloseReason
from trichat.core.limits import Limits
from trichat.edge.frames import Binary, Closing, FrameReader, Incoming, Ping, Pong, Violation, unmask

LIMITS = Limits(frame=1_000, fragments=8)


def read(*pieces: bytes, limits: Limits = LIMITS) -> list[Incoming]:
    reader = FrameReader(limits)
    return [incoming for piece in pieces for incoming in reader.feed(piece)]


def one_by_one(raw: bytes) -> list[bytes]:
    return [raw[at : at + 1] for at in range(len(raw))]


def cut_at(raw: bytes, cuts: Iterable[int]) -> list[bytes]:
    places = [0, *sorted(cut % (len(raw) + 1) for cut in cuts), len(raw)]
    return [raw[start:end] for start, end in pairwise(places)]


def violation_of(*pieces: bytes, limits: Limits = LIMITS) -> CloseReason:
    """The reason of the violation, which is all that comes of the bytes."""
    [incoming] = read(*pieces, limits=limits)
    assert isinstance(incoming, Violation)
    assert incoming.why
    return incoming.reason


# against another implementation


def sent_by_wsproto(events: Sequence[Event]) -> bytes:
    client = Connection(ConnectionType.CLIENT)
    return b"".join(client.send(event) for event in events)


def wanted_of(events: Sequence[Event]) -> list[Incoming]:
    """What a reader is to make of `events`: whole messages, control frames where they stood."""
    wanted: list[Incoming] = []
    text = ""
    for event in events:
        match event:
            case TextMessage(data=data):
                text += data
                if event.message_finished:
                    wanted.append(text.encode())
                    text = ""
            case BytesMessage(message_finished=True):
                wanted.append(Binary())
            case WsprotoPing():
                wanted.append(Ping(bytes(event.payload)))
            case WsprotoPong():
                wanted.append(Pong(bytes(event.payload)))
            case CloseConnection(code=code):
                wanted.append(Closing(code))
    return wanted


valid_text = st.text(st.characters(exclude_categories=["Cs"]), max_size=60)
long_text = st.integers(0, 249).map(lambda size: "é" * size)
pings = st.builds(WsprotoPing, payload=st.binary(max_size=125))
pongs = st.builds(WsprotoPong, payload=st.binary(max_size=125))


def a_message(parts: Sequence[str], kind: type[TextMessage] | type[BytesMessage]) -> list[Event]:
    data = [part if kind is TextMessage else part.encode() for part in parts]
    return [kind(data=part, message_finished=at == len(data) - 1) for at, part in enumerate(data)]  # type: ignore[arg-type]


messages = st.builds(
    a_message, st.lists(valid_text, min_size=1, max_size=4) | st.lists(long_text, min_size=1, max_size=1),
    st.sampled_from([TextMessage, BytesMessage]),
)  # fmt: skip


@st.composite
def conversations(draw: st.DrawFn) -> list[Event]:
    """Messages, whole and in fragments, with control frames between any two frames, perhaps a close at the end."""
    events: list[Event] = []
    for event in [event for message in draw(st.lists(messages, max_size=5)) for event in message]:
        events += draw(st.lists(pings | pongs, max_size=2))
        events.append(event)
    if draw(st.booleans()):
        events.append(
            CloseConnection(code=draw(st.sampled_from([1000, 1001, 3000, 4999])), reason=draw(st.just("bye")))
        )
    return events


@given(conversations(), st.lists(st.integers(0, 5_000), max_size=12))
@steady
def test_it_reads_what_another_implementation_writes_however_it_is_cut(events: list[Event], cuts: list[int]) -> None:
    raw = sent_by_wsproto(events)
    assert read(*cut_at(raw, cuts)) == wanted_of(events)


@given(conversations())
@steady_few
def test_one_byte_at_a_time_gives_the_same(events: list[Event]) -> None:
    raw = sent_by_wsproto(events)
    assert read(*one_by_one(raw)) == wanted_of(events)


@given(st.binary(max_size=300), st.lists(st.integers(0, 300), max_size=6))
@steady
def test_arbitrary_bytes_raise_nothing_and_cuts_do_not_matter(raw: bytes, cuts: list[int]) -> None:
    whole = read(raw)
    assert [incoming for incoming in read(*cut_at(raw, cuts)) if not isinstance(incoming, Violation)] == [
        incoming for incoming in whole if not isinstance(incoming, Violation)
    ]
    assert len([incoming for incoming in whole if isinstance(incoming, Violation | Closing)]) <= 1


@given(st.binary(max_size=300), st.binary(min_size=4, max_size=4))
@steady
def test_a_mask_is_taken_off_byte_by_byte(payload: bytes, mask: bytes) -> None:
    assert unmask(payload, mask) == bytes(byte ^ mask[at % 4] for at, byte in enumerate(payload))


@pytest.mark.parametrize("size", [0, 1, 125, 126, 127, 65_535, 65_536])
def test_every_length_of_a_length_is_read(size: int) -> None:
    limits = Limits(frame=65_536)
    assert read(frame(TEXT, b"x" * size) + frame(TEXT, b"y"), limits=limits) == [b"x" * size, b"y"]


# violations


def test_an_unmasked_frame_is_a_violation() -> None:
    assert violation_of(frame(TEXT, b"a longer text", masked=False)) == PROTOCOL_ERROR


@pytest.mark.parametrize("payload", [b"", b"hi", b"hiya"])
@pytest.mark.parametrize("opcode", [TEXT, CLOSE, PING])
def test_an_unmasked_frame_is_one_also_when_nothing_follows_it(opcode: int, payload: bytes) -> None:
    raw = frame(opcode, payload, masked=False)
    assert violation_of(raw) == PROTOCOL_ERROR
    assert violation_of(*one_by_one(raw)) == PROTOCOL_ERROR


@pytest.mark.parametrize("bit", [0x40, 0x20, 0x10, 0x70])
@pytest.mark.parametrize("opcode", [TEXT, BINARY, PING, CLOSE])
def test_a_reserved_bit_is_a_violation(opcode: int, bit: int) -> None:
    assert violation_of(frame(opcode | bit, b"\x03\xe8")) == PROTOCOL_ERROR


@pytest.mark.parametrize("opcode", [3, 4, 5, 6, 7, 11, 12, 13, 14, 15])
def test_a_reserved_opcode_is_a_violation(opcode: int) -> None:
    assert violation_of(frame(opcode, b"hi")) == PROTOCOL_ERROR


@pytest.mark.parametrize("opcode", [CLOSE, PING, PONG])
def test_a_control_frame_is_neither_long_nor_fragmented(opcode: int) -> None:
    assert violation_of(frame(opcode, b"x" * 126)) == PROTOCOL_ERROR
    assert violation_of(frame(opcode, b"x" * 126)[:2]) == PROTOCOL_ERROR
    assert violation_of(frame(opcode, b"hi", fin=False)) == PROTOCOL_ERROR


def test_a_continuation_of_nothing_is_a_violation() -> None:
    assert violation_of(frame(CONTINUATION, b"hi")) == PROTOCOL_ERROR
    assert read(frame(TEXT, b"a"), frame(CONTINUATION, b"b"))[0] == b"a"


@pytest.mark.parametrize("opcode", [TEXT, BINARY])
@pytest.mark.parametrize("fin", [True, False])
def test_a_message_inside_a_message_is_a_violation(opcode: int, fin: bool) -> None:
    assert violation_of(frame(TEXT, b"a", fin=False), frame(opcode, b"b", fin=fin)) == PROTOCOL_ERROR


@pytest.mark.parametrize(
    "raw", [b"\x81\xfe\x00\x02", b"\x81\xfe\x00\x7d", b"\x81\xff" + bytes(7) + b"\x02", b"\x89\xfe\x00\x02"]
)
def test_a_length_is_written_as_short_as_it_can_be(raw: bytes) -> None:
    assert violation_of(raw + b"\0\0\0\0hi") == PROTOCOL_ERROR


INVALID = {
    "a byte that is none of UTF-8's": b"\xff", "an overlong slash": b"\xc0\xaf", "a surrogate": b"\xed\xa0\x80",
    "beyond Unicode": b"\xf4\x90\x80\x80", "a lone continuation": b"\x80", "a character that is cut": "é".encode()[:1],
}  # fmt: skip


@pytest.mark.parametrize("text", INVALID.values(), ids=INVALID.keys())
@pytest.mark.parametrize("around", [b"", b"hello"])
def test_invalid_utf8_is_a_violation_of_its_own(text: bytes, around: bytes) -> None:
    assert violation_of(frame(TEXT, around + text)) == INVALID_UTF8
    pieces = [frame(TEXT, around, fin=False), *(frame(CONTINUATION, byte, fin=False) for byte in one_by_one(text))]
    assert violation_of(*pieces, frame(CONTINUATION, b"")) == INVALID_UTF8


def test_a_character_may_be_split_over_fragments() -> None:
    first, *middle, last = one_by_one("🙂".encode())
    fragments = [frame(CONTINUATION, byte, fin=False) for byte in middle]
    assert read(frame(TEXT, first, fin=False), *fragments, frame(CONTINUATION, last)) == ["🙂".encode()]


def test_a_binary_message_may_hold_anything() -> None:
    assert read(frame(BINARY, b"\xff\x00")) == [Binary()]


@pytest.mark.parametrize(
    "code", [1000, 1001, 1002, 1003, 1007, 1008, 1009, 1010, 1011, 1012, 1014, 3000, 3999, 4000, 4999]
)
def test_a_close_frame_says_its_code(code: int) -> None:
    assert read(frame(CLOSE, code.to_bytes(2, "big"))) == [Closing(code)]
    assert read(frame(CLOSE, code.to_bytes(2, "big") + "bye é".encode())) == [Closing(code)]


def test_a_close_frame_may_name_no_code() -> None:
    assert read(frame(CLOSE, b"")) == [Closing(1005)]


@pytest.mark.parametrize("code", [0, 1, 999, 1004, 1005, 1006, 1015, 1016, 1100, 2000, 2999, 5000, 65_535])
def test_a_code_that_no_one_may_send_is_a_violation(code: int) -> None:
    assert violation_of(frame(CLOSE, code.to_bytes(2, "big"))) == PROTOCOL_ERROR


def test_half_a_code_and_a_reason_that_is_no_text_are_violations() -> None:
    assert violation_of(frame(CLOSE, b"\x03")) == PROTOCOL_ERROR
    assert violation_of(frame(CLOSE, b"\x03\xe8\xff")) == INVALID_UTF8


def test_what_came_before_a_violation_counts_and_nothing_behind_it() -> None:
    raw = frame(TEXT, b"a") + frame(PING, b"b") + frame(3, b"c") + frame(TEXT, b"d")
    reader = FrameReader(LIMITS)
    text, ping, violation = reader.feed(raw)
    assert (text, ping) == (b"a", Ping(b"b"))
    assert isinstance(violation, Violation)
    assert reader.feed(frame(TEXT, b"e")) == []


def test_nothing_counts_behind_a_close_frame() -> None:
    reader = FrameReader(LIMITS)
    assert reader.feed(frame(TEXT, b"a") + frame(CLOSE, b"") + frame(TEXT, b"b") + b"\xff") == [b"a", Closing(1005)]
    assert reader.feed(frame(TEXT, b"c")) == []


# limits


def test_the_limit_of_a_message_is_its_bytes() -> None:
    assert read(frame(TEXT, b"x" * 1_000)) == [b"x" * 1_000]
    assert violation_of(frame(TEXT, b"x" * 1_001)) == TOO_BIG


@pytest.mark.parametrize("opcode", [TEXT, BINARY])
@pytest.mark.parametrize("size", [1_001, 65_536, 2**31, 2**63, 2**64 - 1])
def test_a_large_message_is_refused_by_its_header(opcode: int, size: int) -> None:
    wide = b"\xfe" + size.to_bytes(2, "big") if size < 65_536 else b"\xff" + size.to_bytes(8, "big")
    assert violation_of(bytes((0x80 | opcode,)) + wide + b"mask") == TOO_BIG


def test_fragments_count_together() -> None:
    halves = frame(TEXT, b"x" * 500, fin=False), frame(CONTINUATION, b"x" * 500)
    assert read(*halves) == [b"x" * 1_000]
    # the counting begins anew with the next message
    assert read(*halves, *halves) == [b"x" * 1_000] * 2
    declared = frame(CONTINUATION, b"x" * 501)[:8]
    assert violation_of(halves[0], declared) == TOO_BIG


def test_empty_fragments_are_refused_at_their_limit() -> None:
    # 33 MB of them cost 25 s of a core where nobody counted: here the first segment of the flood is the last
    flood = frame(TEXT, b"", fin=False) + frame(CONTINUATION, b"", fin=False) * 2_700
    assert len(flood) < 16_384 + 6
    assert violation_of(flood, flood, limits=Limits()) == TOO_BIG


def test_as_many_fragments_as_the_limit_are_taken() -> None:
    first, more, last = frame(TEXT, b"a", fin=False), frame(CONTINUATION, b"a", fin=False), frame(CONTINUATION, b"a")
    assert read(first, more * 6, last) == [b"a" * 8]
    assert violation_of(first, more * 7, last) == TOO_BIG


def test_control_frames_between_fragments_count_for_nothing() -> None:
    first, more, last = frame(TEXT, b"a", fin=False), frame(CONTINUATION, b"a", fin=False), frame(CONTINUATION, b"a")
    ping = frame(PING, b"x" * 125)
    assert read(first, ping * 20, more * 6, ping, last) == [Ping(b"x" * 125)] * 21 + [b"a" * 8]


def test_one_byte_at_a_time_costs_no_more_looks_than_frames() -> None:
    limits = Limits()
    looks = 0

    class CountingReader(FrameReader):
        def _decode(self, data: bytes, found: list[Incoming]) -> None:
            nonlocal looks
            looks += 1
            super()._decode(data, found)

    reader = CountingReader(limits)
    raw = frame(TEXT, b"x" * limits.frame)
    found = [incoming for byte in one_by_one(raw) for incoming in reader.feed(byte)]
    assert found == [b"x" * limits.frame]
    # while the header comes, each byte is looked at (14 at most); then once, when the last byte is there
    assert looks <= 16


@pytest.mark.parametrize("step", [1, 7, 1_000, 16_384])
def test_no_more_is_kept_than_a_message_and_its_header(step: int) -> None:
    limits = Limits(frame=20_000)
    reader = FrameReader(limits)
    raw = frame(TEXT, b"x" * 9_999, fin=False) + frame(CONTINUATION, b"x" * 10_001) + frame(TEXT, b"x" * 20_000)
    for at in range(0, len(raw), step):
        reader.feed(raw[at : at + step])
        assert kept_by(reader) <= limits.frame + 14


def kept_by(reader: FrameReader) -> int:
    buffered = 0 if reader._buffer is None else len(reader._buffer)
    return buffered + sum(map(len, reader._parts or ()))
