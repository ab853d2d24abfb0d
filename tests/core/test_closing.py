"""Endings: the table of the protocol, and what each band of codes asks of a client."""

from __future__ import annotations

import pytest

from trichat.core.closing import CLOSE_REASONS, GONE, NORMAL, Reconnect, reconnect_of

#: As `docs/protocol.md` has it.
CODES_OF_THE_PROTOCOL = {
    1002, 1007, 1009, 1011, 4000, 4001, 4003, 4008, 4009, 4101, 4102, 4103, 4104, 4200, 4202,
}  # fmt: skip


def test_the_table_has_every_code_of_the_protocol() -> None:
    assert set(CLOSE_REASONS) == CODES_OF_THE_PROTOCOL | {NORMAL.code, GONE.code}


def test_each_reason_stands_under_its_own_code() -> None:
    assert all(reason.code == code for code, reason in CLOSE_REASONS.items())


def test_reasons_fit_a_close_frame() -> None:
    assert all(0 < len(reason.text.encode()) <= 123 for reason in CLOSE_REASONS.values())


@pytest.mark.parametrize("code", sorted(code for code in CODES_OF_THE_PROTOCOL if code >= 4000))
def test_a_known_code_asks_what_its_band_asks(code: int) -> None:
    bands = {40: Reconnect.DIFFERENTLY, 41: Reconnect.BACK_OFF, 42: Reconnect.NOW}
    assert reconnect_of(code) == bands[code // 100]


@pytest.mark.parametrize(
    ("code", "wanted"),
    [
        (4050, Reconnect.DIFFERENTLY), (4099, Reconnect.DIFFERENTLY), (4100, Reconnect.BACK_OFF),
        (4199, Reconnect.BACK_OFF), (4250, Reconnect.NOW), (1001, Reconnect.NOW), (1006, Reconnect.NOW),
        (1011, Reconnect.BACK_OFF), (1009, Reconnect.DIFFERENTLY), (1000, Reconnect.DIFFERENTLY),
    ],
)  # fmt: skip
def test_a_code_asks_what_its_band_asks_also_when_it_is_unknown(code: int, wanted: Reconnect) -> None:
    assert reconnect_of(code) == wanted
