"""Names of rooms and people, and the identifiers of guests."""

from __future__ import annotations

import base64
import hashlib
import unicodedata
from collections.abc import Callable
from typing import Final, NewType

from trichat.core.errors import Refusal

RoomName = NewType("RoomName", str)  # as the protocol says: 1 to 64 bytes of UTF-8, NFC, lower case, visible
RoomId = NewType("RoomId", int)  # PostgreSQL's number of a room
UserId = NewType("UserId", str)  # "g_…" a guest, "u_…" an account
Epoch = NewType("Epoch", str)  # random per room and life of its log
Incarnation = NewType("Incarnation", int)  # 63 random bits, chosen by a node at its start

#: Unicode categories that a name may not hold: controls, invisible and bidi characters, surrogates,
#: private use, unassigned, and all blanks.
_INVISIBLE: Final = frozenset({"Cc", "Cf", "Cs", "Co", "Cn", "Zs", "Zl", "Zp"})
#: Blank or invisible, though Unicode calls them letters or marks (UTS 39's ignorables that NFC keeps).
_BLANK: Final = frozenset("\u115f\u1160\u17b4\u17b5\u180b\u180c\u180d\u180f\u2800\u3164\uffa0\u034f") | frozenset(
    map(chr, (*range(0xFE00, 0xFE10), *range(0xE0100, 0xE01F0)))  # variation selectors
)

#: Two were enough for all that was tried; the bound is so that no text can keep a node busy.
_MOST_STEPS: Final = 8
#: Times the limit: a longer name is refused without the work of finding its right spelling.
_HOPELESS: Final = 4

GUEST_PREFIX: Final = "guest-"

#: Of a direct room's name: 130 bits.
_DIRECT_CHARS: Final = 26


def _visible(text: str) -> str:
    return "".join(c for c in text if unicodedata.category(c) not in _INVISIBLE and c not in _BLANK)


def fold_name(text: str) -> str:
    """The one spelling of a room's name: NFC, lower case, nothing invisible; perhaps empty or too long."""
    return _fixed_point(text, lambda one: unicodedata.normalize("NFC", _visible(one.lower())))


def _plain_name(text: str) -> str:
    return _fixed_point(text, lambda one: unicodedata.normalize("NFC", _visible(one)))


def _fixed_point(text: str, step: Callable[[str], str]) -> str:
    """`step` until nothing changes: lower() can leave NFC, and what an invisible character kept apart can combine."""
    for _ in range(_MOST_STEPS):
        changed = step(text)
        if changed == text:
            break
        text = changed
    return text


def parse_room_name(text: str, limit: int = 64, field: str = "room") -> RoomName:
    """`text` as a room's name, or `bad_field` that offers the right spelling. `limit` in bytes."""
    if text.isascii() and text.isalnum() and text.islower() and len(text) <= limit:
        return RoomName(text)  # the common case, without a look at each character
    folded = text if len(text) > _HOPELESS * limit else fold_name(text)
    if not folded:
        raise Refusal("bad_field", f"{field} is empty; a room's name is 1 to {limit} bytes, such as lobby", field=field)
    if len(folded.encode()) > limit:
        raise Refusal("bad_field", f"{field} is over {limit} bytes of UTF-8; take a shorter name", field=field)
    if folded != text:
        raise Refusal("bad_field", f"{field} is not spelled as rooms are; say {folded}", field=field)
    return RoomName(text)


#: How the names begin that the server alone gives: to private rooms, and to the direct rooms of two people.
PRIVATE_BEGINNING: Final = "~"
DIRECT_BEGINNING: Final = "@"


def is_given(name: RoomName) -> bool:
    """Whether only the server gives this name to a room."""
    return name.startswith((PRIVATE_BEGINNING, DIRECT_BEGINNING))


def parse_new_room_name(text: str, limit: int = 64, field: str = "room") -> RoomName:
    """As `parse_room_name`, for a room that is to be made; `bad_field` for the server's own names too."""
    name = parse_room_name(text, limit, field)
    if is_given(name):
        said = f"{field} begins with {name[0]}, as only rooms do that the server names; take another name"
        raise Refusal("bad_field", said, field=field)
    return name


def private_room_name(label: str) -> RoomName:
    """The name of a private room, from random characters of a-z and 2-7."""
    return RoomName(PRIVATE_BEGINNING + label)


def direct_room_name(one: UserId, other: UserId) -> RoomName:
    """The name of the direct room of these two, in whichever order."""
    pair = "\0".join(sorted((one, other))).encode()
    digest = base64.b32encode(hashlib.sha256(pair).digest()).decode().lower()
    return RoomName(DIRECT_BEGINNING + digest[:_DIRECT_CHARS])


def parse_user_name(text: str, limit: int = 64, field: str = "name") -> str:
    """`text` as a person's name (case is kept, blanks are not allowed), or `bad_field`. `limit` in bytes."""
    clean = text if len(text) > _HOPELESS * limit else _plain_name(text)
    if not clean:
        raise Refusal("bad_field", f"{field} is empty; say a name such as ann", field=field)
    if len(clean.encode()) > limit:
        raise Refusal("bad_field", f"{field} is over {limit} bytes of UTF-8; take a shorter one", field=field)
    if clean != text:
        raise Refusal("bad_field", f"{field} has characters that names cannot have; say {clean}", field=field)
    return text


def name_key(name: str) -> str:
    """What two names have in common when they count as the same: NFKC, case folded."""
    return unicodedata.normalize("NFKC", unicodedata.normalize("NFKC", name).casefold())


def guest_id(random_bytes: bytes) -> UserId:
    """The identifier of the guest with these 16 random bytes."""
    return UserId("g_" + _base32(random_bytes))


def account_id(random_bytes: bytes) -> UserId:
    """The identifier of the account with these 16 random bytes."""
    return UserId("u_" + _base32(random_bytes))


def _base32(random_bytes: bytes) -> str:
    """26 characters of a-z and 2-7."""
    assert len(random_bytes) == 16
    return base64.b32encode(random_bytes).decode().rstrip("=").lower()


def given_name(user_id: UserId) -> str:
    """The name of a guest who has not said one: made of the identifier, so that nothing need be stored."""
    return GUEST_PREFIX + user_id[2:10]
