"""Names of accounts: which are allowed, which look alike, and which nobody may have."""

from __future__ import annotations

import unicodedata
from functools import cache
from typing import TYPE_CHECKING, Final

from trichat.core.errors import Refusal
from trichat.core.names import GUEST_PREFIX, fold_name, name_key

if TYPE_CHECKING:
    from precis_i18n.profile import Profile

#: Mentions, lists, addresses and the names of rooms are written with these.
_TAKEN_SIGNS: Final = "@#:/,"
#: Beginnings with a meaning of their own: of a guest, and of a home directory.
_TAKEN_BEGINNINGS: Final = (GUEST_PREFIX, "~")
#: Times the limit: a longer name is refused without work.
_HOPELESS: Final = 4
#: Every character settles in three; the bound is so that no name can keep a node busy.
_MOST_STEPS: Final = 8

#: What the PRECIS library says of a whole name, in plain words. All its other reasons are about one character.
_WHOLE_NAME_FAULTS: Final = {
    "empty": "is empty; say a name such as ann",
    "bidi_rule": "mixes writing from the right with writing from the left; keep to one of them",
    "not_idempotent": "has no settled spelling; take another",
}

#: Names with authority, names that stand for many or for nobody, and words that programs put where a name is missing.
RESERVED: Final[frozenset[str]] = frozenset({
    "admin", "admins", "administrator", "administrators", "root", "system", "sysadmin", "superuser", "operator",
    "server", "service", "services", "daemon", "moderator", "moderators", "mod", "mods", "owner", "owners",
    "staff", "team", "official", "support", "help", "helpdesk", "security", "abuse", "webmaster", "postmaster",
    "hostmaster", "noreply", "no-reply", "info", "contact", "trichat", "everyone", "everybody", "all", "here",
    "room", "channel", "online", "nobody", "anybody", "someone", "guest", "guests", "user", "users", "member",
    "members", "bot", "bots", "me", "null", "none", "undefined", "unknown", "anonymous", "deleted",
    "removed", "erased",
})  # fmt: skip


def load_name_tables() -> None:
    """Load the Unicode tables now, which blocks for about 50 ms; else the first name that is looked at waits for it."""
    _profile()
    _reserved_skeletons()


def parse_account_name(text: str, limit: int = 64, field: str = "name") -> str:
    """`text` as an account's name in its one spelling ("Ann" gives "ann"), or `bad_field` with the fault in words.

    PRECIS UsernameCaseMapped (RFC 8265), with our own rules on top: none of @ # : / , and not the beginning of
    another kind of name. `limit` in bytes of UTF-8, of the name in its one spelling. Whether the name is free,
    reserved, or too like another is not decided here.
    """
    if len(text) > _HOPELESS * limit:
        raise _refusal(field, f"is over {limit} bytes of UTF-8; take a shorter one")
    name = _enforced(text, field)
    if len(name.encode()) > limit:
        raise _refusal(field, f"is over {limit} bytes of UTF-8; take a shorter one")
    for sign in name:
        if sign in _TAKEN_SIGNS:
            raise _refusal(field, f"has {sign} in it, which has another meaning here; leave it out")
    for beginning in _TAKEN_BEGINNINGS:
        if name.startswith(beginning):
            raise _refusal(field, f"begins with {beginning}, which no account's name may; take another")
    if unicodedata.category(name[0]).startswith("M"):
        raise _refusal(field, f"begins with {_shown(name[0])}, a mark that needs a letter before it; put one there")
    return name


def skeleton(name: str) -> str:
    """What look-alike names have in common: two names whose skeletons are equal cannot be told apart by eye.

    The skeleton of UTS 39 over the NFKC-casefolded name, case folded again, until nothing changes. It is compared
    and stored, never shown. `skeleton(skeleton(name)) == skeleton(name)`; any text is taken.

    ASCII follows UTS 39, where only m (rn), 1 (l) and 0 (o, as names have no capitals) look like something else:

    - m is rn: of 5,163 first names of the US census 899 have an m, each of which "rn" would copy ("sarn"), and
      three pairs are lost for it (Erna and Ema, Lorna and Loma, Marnie and Mamie): who comes second is refused.
    - i is not l: names are shown in lower case, where the two differ, and 50 sets of those names would be lost
      (Carl and Cari, Ali and "all"). A capital I is an i before it gets here.
    - w is not vv and d is not cl: UTS 39 keeps them apart, and the second would take Dora from Clora.

    Accents count: "josé" is not "jose". A word of another alphabet that looks Latin as a whole is refused beside it.
    """
    table = _prototypes()
    for _ in range(_MOST_STEPS):
        folded = name_key(fold_name(name)).lower()  # Cherokee alone folds to capitals, which look like other letters
        key = unicodedata.normalize("NFD", folded)
        changed = unicodedata.normalize("NFD", key.translate(table))
        if changed == name:
            break
        name = changed
    return name


def is_reserved(name: str) -> bool:
    """Whether `name` is, or looks like, one that nobody can register, or like the name of a guest.

    Beside these alone a 1 may stand for an i as well: "adm1n" is read as admin. Only a name with a 1 in it is so read,
    so that Ali is not taken for "all".
    """
    seen = skeleton(name)
    reserved = _reserved_skeletons()
    if "1" in name_key(name) and _with_one_stroke(seen) in map(_with_one_stroke, reserved):
        return True
    return seen in reserved or seen.startswith(skeleton(GUEST_PREFIX))


def _with_one_stroke(seen: str) -> str:
    return seen.replace("i", "l")


def _enforced(text: str, field: str) -> str:
    try:
        return _profile().enforce(text)
    except UnicodeEncodeError as error:
        fault = error.reason.removeprefix("DISALLOWED/")
        if fault in _WHOLE_NAME_FAULTS:
            raise _refusal(field, _WHOLE_NAME_FAULTS[fault]) from None
        # the library's error holds the text as it was when the fault was found, to which start belongs
        raise _refusal(field, _character_fault(error.object[error.start])) from None


def _character_fault(character: str) -> str:
    if character.isspace():
        return f"has a blank ({_code(character)}) in it; leave it out, or say - or _"
    return f"has {_shown(character)} in it, which cannot stand there in a name; use letters and digits"


def _shown(character: str) -> str:
    """The character where it can be seen and does no harm in a message, and its number."""
    plain = character.isprintable() and not unicodedata.category(character).startswith("M")
    return f"{character} ({_code(character)})" if plain else _code(character)


def _code(character: str) -> str:
    return f"U+{ord(character):04X}"


def _refusal(field: str, fault: str) -> Refusal:
    return Refusal("bad_field", f"{field} {fault}", field=field)


@cache
def _profile() -> Profile:
    from precis_i18n import get_profile  # noqa: PLC0415  11 ms, and the client never asks for it

    return get_profile("UsernameCaseMapped")


@cache
def _reserved_skeletons() -> frozenset[str]:
    return frozenset(map(skeleton, RESERVED))


@cache
def _prototypes() -> dict[int, str]:
    """UTS 39's table: each character that looks like something else, and what it looks like.

    The library gives every pair both ways, and so says not which of two is the character and which its prototype.
    A character has one prototype alone, and comes before it: the file is in the order of UTS 39's. It also puts
    a left-to-right mark around what is written from the right.
    """
    from confusable_homoglyphs.confusables import confusables_data  # noqa: PLC0415  40 ms, for registering alone

    table: dict[str, str] = {}
    for left, right in ((left, pairs[0]["c"]) for left, pairs in confusables_data.items() if len(pairs) == 1):
        character, prototype = _unmarked(left), _unmarked(right)
        if len(character) == 1 and table.get(prototype) != character:
            table[character] = prototype
    return {ord(character): prototype for character, prototype in table.items()}


def _unmarked(text: str) -> str:
    return text.replace("\u200e", "") or text
