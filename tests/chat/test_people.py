"""Accounts by the protocol: made, logged in to, throttled, recovered, renamed, described; and who may not."""

from __future__ import annotations

import re
from typing import Any, Final

import msgspec
import pyotp
import pytest
import trio
from trio.testing import MockClock

from tests.chat.guests import Chat, Guest, open_chat
from tests.nodes import LOOSE
from trichat.core.limits import Limits
from trichat.core.tokens import token_hash
from trichat.vault import totp

PASSWORD: Final = "correct horse battery"
#: Limits as they are in life, but for those of the door.
STRICT: Final = Limits(commands_per_s=1_000, command_burst=10_000, guest_per_s=1_000, guest_burst=10_000)


async def refused(guest: Guest, command: str, **fields: Any) -> tuple[str, str | None]:
    """What the refusal of this says: its code and its field."""
    error = await guest.ask(command, **fields)
    assert error["type"] == "error", error
    return error["code"], error.get("field")


async def ok(guest: Guest, command: str, **fields: Any) -> dict[str, Any]:
    reply = await guest.ask(command, **fields)
    assert (reply["type"], reply["for"]) == ("ok", command), reply
    return reply


async def registered(chat: Chat, name: str) -> Guest:
    guest = await chat.guest()
    await ok(guest, "register", name=name, password=PASSWORD)
    return guest


def code_of(chat: Chat, secret: str, steps: int = 0) -> str:
    """The code that an authenticator shows now, or some steps later."""
    now = chat.node.hub.wall_clock() + steps * totp.STEP_S
    return pyotp.TOTP(secret).at(int(now))


async def with_second_factor(chat: Chat, name: str) -> tuple[Guest, str]:
    """An account with a second factor, whose code of this step is used."""
    guest = await registered(chat, name)
    secret = (await guest.ask("totp"))["secret"]
    await ok(guest, "totp", code=code_of(chat, secret))
    return guest, secret


# making and entering an account


async def test_who_registers_is_that_account_at_once_and_by_its_token_and_password_later(
    autojump_clock: MockClock,
) -> None:
    async with open_chat(nodes=2) as chat:
        ann = await chat.guest()
        made = await ok(ann, "register", name="Ann", password=PASSWORD)
        assert list(made) == ["type", "id", "for", "user", "user_id", "token"]
        assert made["user"] == "ann", "names have one spelling"
        assert made["user_id"].startswith("u_")
        assert made["token"].startswith("u.")
        await ann.join("lobby")
        seq = await ann.say("lobby", "hi")
        for node in chat.nodes:
            again = await chat.guest(node)
            back = await ok(again, "auth", token=made["token"])
            assert (back["user"], back["user_id"], "token" in back) == ("ann", made["user_id"], False)
            await again.join("lobby", since=0)
            await again.hears("lobby", "hi")
            other = await chat.guest(node)
            login = await ok(other, "login", name="ANN", password=PASSWORD)
            assert (login["user"], login["user_id"]) == ("ann", made["user_id"])
            assert login["token"] not in (made["token"], back.get("token"))
        event = next(event for event in again.events("lobby") if event["seq"] == seq)
        assert (event["from"], event["from_id"]) == ("ann", made["user_id"])


@pytest.mark.parametrize(
    ("fields", "field"),
    [
        ({"name": ""}, "name"),
        ({"name": "ann smith"}, "name"),
        ({"name": "ann@example.org"}, "name"),
        ({"name": "guest-ann"}, "name"),
        ({"name": "x" * 65}, "name"),
        ({"name": 7}, "name"),
        ({"password": "short"}, "password"),
        ({"password": "two\nlines and more"}, "password"),
        ({"password": None}, "password"),
        ({"device": "a\x1b[2Jb"}, "device"),
        ({"device": "x" * 129}, "device"),
    ],
)
async def test_what_cannot_be_registered_names_the_field(
    fields: dict[str, Any], field: str, autojump_clock: MockClock
) -> None:
    async with open_chat() as chat:
        ann = await chat.guest()
        given = {"name": "ann", "password": PASSWORD} | fields
        assert await refused(ann, "register", **given) == ("bad_field", field)
        assert (await ok(ann, "register", name="ann", password=PASSWORD))["user"] == "ann"


@pytest.mark.parametrize("name", ["admin", "adm1n", "ann", "Ann", "\u0430nn"])
async def test_a_name_that_is_held_or_reserved_or_looks_so_is_not_given(name: str, autojump_clock: MockClock) -> None:
    async with open_chat() as chat:
        await registered(chat, "ann")
        other = await chat.guest()
        code, field = await refused(other, "register", name=name, password=PASSWORD)
        assert (code, field) in [("name_taken", "name"), ("bad_field", "name")]
        assert code == "name_taken" or not name.isascii()


async def test_guests_and_accounts_share_their_names(autojump_clock: MockClock) -> None:
    async with open_chat() as chat:
        guest, ann = await chat.guest(), await chat.guest()
        await ok(guest, "hello", name="bob")
        assert await refused(ann, "register", name="bob", password=PASSWORD) == ("name_taken", "name")
        await ok(ann, "register", name="ann", password=PASSWORD)
        for name in ("ann", "Ann", "root", "Adm1n"):
            assert await refused(guest, "hello", name=name) == ("name_taken", "name")


async def test_a_guest_takes_the_name_that_they_hold_into_their_account(autojump_clock: MockClock) -> None:
    async with open_chat() as chat:
        ann = await chat.guest()
        await ok(ann, "hello", name="ann")
        assert (await ok(ann, "register", name="ann", password=PASSWORD))["user"] == "ann"


async def test_where_registration_is_off_one_can_still_log_in(autojump_clock: MockClock) -> None:
    async with open_chat() as chat:
        await registered(chat, "ann")
        chat.node.hub.allow_registration = False
        guest = await chat.guest()
        assert await refused(guest, "register", name="bob", password=PASSWORD) == ("forbidden", None)
        await ok(guest, "login", name="ann", password=PASSWORD)


async def test_who_one_is_is_said_before_the_first_join(autojump_clock: MockClock) -> None:
    async with open_chat() as chat:
        ann = await registered(chat, "ann")
        token = (await ok(ann, "login", name="ann", password=PASSWORD))["token"]
        await ann.join("lobby")
        for command, fields in (
            ("register", {"name": "bob", "password": PASSWORD}),
            ("login", {"name": "ann", "password": PASSWORD}),
            ("recover", {"code": "c", "password": PASSWORD}),
            ("auth", {"token": token}),
            ("hello", {"name": "bob"}),
        ):
            assert await refused(ann, command, **fields) == ("bad_state", None)


async def test_hello_is_for_guests(autojump_clock: MockClock) -> None:
    async with open_chat() as chat:
        ann = await registered(chat, "ann")
        assert await refused(ann, "hello", name="anna") == ("forbidden", None)


async def test_a_guest_is_refused_what_takes_an_account(autojump_clock: MockClock) -> None:
    async with open_chat() as chat:
        guest = await chat.guest()
        for command, fields in (
            ("logout", {}),
            ("password", {"old": PASSWORD, "new": PASSWORD}),
            ("totp", {}),
            ("rename", {"name": "bob"}),
            ("profile", {}),
            ("sessions", {}),
            ("revoke", {"all": True}),
            ("block", {"user": "bob"}),
            ("unblock", {"user": "bob"}),
            ("blocks", {}),
        ):
            assert await refused(guest, command, **fields) == ("forbidden", None)


# passwords


async def test_nobody_learns_whether_a_name_or_its_password_was_wrong(autojump_clock: MockClock) -> None:
    async with open_chat() as chat:
        await registered(chat, "ann")
        guest = await chat.guest()
        answers = [await guest.ask("login", name=name, password="a wrong password") for name in ("ann", "nobody")]
        for answer in answers:
            del answer["id"]
        assert answers[0] == answers[1]
        assert (answers[0]["code"], answers[0]["field"]) == ("unauthenticated", "password")
        assert len(chat.twins.vault.checked) == 2, "both cost as much"


async def test_the_tenth_wrong_password_closes_with_4001(autojump_clock: MockClock) -> None:
    async with open_chat() as chat:
        await registered(chat, "ann")
        guest = await chat.guest()
        for _ in range(LOOSE.failed_auths):
            assert guest.closed is None
            await guest.tell("login", name="ann", password="a wrong password")
            await guest.until(lambda: guest.closed is not None or guest.frames[-1].get("id") == f"i{guest._asked}")
        await guest.until(lambda: guest.closed is not None)
        assert guest.closed == 4001


async def test_passwords_of_one_account_are_tried_only_so_often_and_are_not_hashed_then(
    autojump_clock: MockClock,
) -> None:
    async with open_chat(STRICT) as chat:
        await registered(chat, "ann")
        for n in range(STRICT.passwords_per_account):
            guest = await chat.guest()
            assert await refused(guest, "login", name="ann", password=f"a wrong password {n}") == (
                "unauthenticated", "password",
            )  # fmt: skip
        checked = len(chat.twins.vault.checked)
        error = await guest.ask("login", name="ANN", password=PASSWORD)
        assert (error["code"], error["temporary"]) == ("rate_limited", True)
        assert 0 < error["retry_after_ms"] <= 60_000 / STRICT.passwords_per_account_per_min + 1
        assert len(chat.twins.vault.checked) == checked
        await registered(chat, "bob")  # others at the same address may


async def test_passwords_from_one_address_are_tried_only_so_often_whoever_they_are_for(
    autojump_clock: MockClock,
) -> None:
    async with open_chat(STRICT) as chat:
        guest = await chat.guest()
        codes = []
        for n in range(STRICT.passwords_per_address + 1):
            guest = guest if n % 9 else await chat.guest()
            codes.append((await guest.ask("login", name=f"name-{n}", password=PASSWORD))["code"])
        assert codes == ["unauthenticated"] * STRICT.passwords_per_address + ["rate_limited"]


async def test_a_full_queue_of_passwords_says_when_to_come_back(autojump_clock: MockClock) -> None:
    async with open_chat() as chat:
        guest = await chat.guest()
        chat.twins.vault.busy = True
        error = await guest.ask("login", name="ann", password=PASSWORD)
        assert (error["code"], error["temporary"], error["retry_after_ms"]) == ("unavailable", True, 1000)


async def test_who_waits_for_their_password_to_be_looked_at_is_not_late(autojump_clock: MockClock) -> None:
    async with open_chat() as chat:
        await registered(chat, "ann")
        chat.node.hub.allow_guests = False
        chat.twins.vault.takes_s = 2 * LOOSE.identify_s
        patient, idle = await chat.guest(), await chat.guest()
        assert patient.frames[0]["user"] is None
        began = trio.current_time()
        await ok(patient, "login", name="ann", password=PASSWORD)
        assert trio.current_time() - began == pytest.approx(2 * LOOSE.identify_s, abs=0.1)
        assert idle.closed == 4008


async def test_an_old_hash_is_made_anew_when_its_password_is_at_hand(autojump_clock: MockClock) -> None:
    async with open_chat() as chat:
        ann = await registered(chat, "ann")
        (user,) = chat.store.users.values()
        user.password_hash = f"yesterday's:{PASSWORD}"
        await ok(ann, "login", name="ann", password=PASSWORD)
        assert user.password_hash == f"today's:{PASSWORD}"
        await ok(ann, "login", name="ann", password=PASSWORD)


@pytest.mark.parametrize(
    ("fields", "expected"),
    [
        ({"old": "a wrong password"}, ("unauthenticated", "old")),
        ({"old": "two\nlines"}, ("bad_field", "old")),
        ({"new": "short"}, ("bad_field", "new")),
        ({"new": "two\nlines and more"}, ("bad_field", "new")),
    ],
)
async def test_a_password_is_not_changed_when_something_is_wrong(
    fields: dict[str, str], expected: tuple[str, str], autojump_clock: MockClock
) -> None:
    async with open_chat() as chat:
        ann = await registered(chat, "ann")
        given = {"old": PASSWORD, "new": "another horse"} | fields
        assert await refused(ann, "password", **given) == expected
        await ok(ann, "login", name="ann", password=PASSWORD)


async def test_a_changed_password_is_the_one_that_counts(autojump_clock: MockClock) -> None:
    async with open_chat() as chat:
        ann = await registered(chat, "ann")
        await ok(ann, "password", old=PASSWORD, new="another horse")
        guest = await chat.guest()
        assert await refused(guest, "login", name="ann", password=PASSWORD) == ("unauthenticated", "password")
        await ok(guest, "login", name="ann", password="another horse")


async def test_a_recovery_code_sets_a_password_once(autojump_clock: MockClock) -> None:
    async with open_chat() as chat:
        ann, _ = await with_second_factor(chat, "ann")
        me = next(iter(chat.store.users))
        await chat.store.administration.set_recovery(me, token_hash("r.code"), operator="test")
        guest = await chat.guest()
        assert await refused(guest, "recover", code="r.wrong", password="another horse") == ("unauthenticated", "code")
        assert await refused(guest, "recover", code="r.code", password="short") == ("bad_field", "password")
        back = await ok(guest, "recover", code="r.code", password="another horse")
        assert (back["user"], back["user_id"]) == ("ann", me)
        await ann.until(lambda: ann.closed is not None)
        assert ann.closed == 4009
        assert await refused(await chat.guest(), "recover", code="r.code", password="x" * 9) == (
            "unauthenticated", "code",
        )  # fmt: skip
        await ok(await chat.guest(), "login", name="ann", password="another horse")  # and without a code


# the second factor


async def test_a_second_factor_is_asked_for_after_the_right_password_alone(autojump_clock: MockClock) -> None:
    async with open_chat() as chat:
        _, secret = await with_second_factor(chat, "ann")
        guest = await chat.guest()
        wrong = {"name": "ann", "password": "a wrong password"}
        assert await refused(guest, "login", **wrong) == ("unauthenticated", "password")
        assert await refused(guest, "login", **wrong, code="123456") == ("unauthenticated", "password")
        right = {"name": "ann", "password": PASSWORD}
        assert await refused(guest, "login", **right) == ("unauthenticated", "code")
        assert await refused(guest, "login", **right, code="12345x") == ("unauthenticated", "code")
        assert await refused(guest, "login", **right, code=code_of(chat, secret)) == ("unauthenticated", "code"), "used"
        later = code_of(chat, secret, steps=1)
        await ok(guest, "login", **right, code=later)
        assert await refused(guest, "login", **right, code=later) == ("unauthenticated", "code"), "counts once"


async def test_a_wrong_code_is_a_failure_and_a_missing_one_is_none(autojump_clock: MockClock) -> None:
    async with open_chat() as chat:
        await with_second_factor(chat, "ann")
        guest = await chat.guest()
        session = next(s for s in chat.node.hub.sessions if s.account is None)
        await refused(guest, "login", name="ann", password=PASSWORD)
        assert session.failed_auths == 0
        await refused(guest, "login", name="ann", password=PASSWORD, code="000000")
        assert session.failed_auths == 1


async def test_a_second_factor_counts_once_it_is_confirmed(autojump_clock: MockClock) -> None:
    async with open_chat() as chat:
        ann = await registered(chat, "ann")
        assert await refused(ann, "totp", code="123456") == ("bad_state", None)
        offer = await ann.ask("totp")
        assert list(offer) == ["type", "id", "secret", "uri"]
        assert offer["uri"].startswith("otpauth://totp/")
        assert offer["secret"] in offer["uri"]
        await ok(await chat.guest(), "login", name="ann", password=PASSWORD)
        assert await refused(ann, "totp", code="000000") == ("unauthenticated", "code")
        await ok(ann, "totp", code=code_of(chat, offer["secret"]))
        assert await refused(await chat.guest(), "login", name="ann", password=PASSWORD) == ("unauthenticated", "code")
        assert await refused(ann, "totp") == ("bad_state", None)


async def test_a_second_factor_is_removed_with_the_password(autojump_clock: MockClock) -> None:
    async with open_chat() as chat:
        ann, _ = await with_second_factor(chat, "ann")
        assert await refused(ann, "totp", off=True) == ("unauthenticated", "password")
        assert await refused(ann, "totp", off=True, password="a wrong password") == ("unauthenticated", "password")
        await ok(ann, "totp", off=True, password=PASSWORD)
        await ok(await chat.guest(), "login", name="ann", password=PASSWORD)


# names and profiles


async def test_a_new_name_is_the_one_that_others_see_on_all_connections_here(autojump_clock: MockClock) -> None:
    async with open_chat() as chat:
        ann = await registered(chat, "ann")
        second = await chat.guest()
        await ok(second, "login", name="ann", password=PASSWORD)
        bob = await chat.guest_in("lobby")
        for each in (ann, second):
            await each.join("lobby")
        assert (await ok(ann, "rename", name="anna"))["user"] == "anna"
        await second.say("lobby", "it is me")
        await bob.hears("lobby", "it is me")
        assert bob.events("lobby")[-1]["from"] == "anna"
        assert await refused(await chat.guest(), "register", name="ann", password=PASSWORD) == ("name_taken", "name")
        await ok(await chat.guest(), "login", name="anna", password=PASSWORD)
        await ok(ann, "rename", name="ann")


@pytest.mark.parametrize(
    ("name", "expected"),
    [("bob", "name_taken"), ("root", "name_taken"), ("a b", "bad_field"), ("", "bad_field")],
)
async def test_a_name_that_cannot_be_had_is_not_taken(name: str, expected: str, autojump_clock: MockClock) -> None:
    async with open_chat() as chat:
        ann = await registered(chat, "ann")
        await registered(chat, "bob")
        assert await refused(ann, "rename", name=name) == (expected, "name")
        assert (await ann.ask("profile"))["user"] == "ann"


async def test_a_profile_is_read_and_changed_field_by_field(autojump_clock: MockClock) -> None:
    async with open_chat() as chat:
        ann = await registered(chat, "ann")
        empty = await ann.ask("profile")
        assert list(empty)[4:] == ["display_name", "about", "avatar", "locale", "time_zone"]
        assert set(list(empty.values())[4:]) == {""}
        said = {
            "display_name": "Ann 안 Smith", "about": "Hello, שלום", "avatar": "https://a.example.org/ann.png?s=64",
            "locale": "de-CH-1996", "time_zone": "Europe/Zurich",
        }  # fmt: skip
        for field, text in said.items():
            assert (await ann.ask("profile", **{field: text}))[field] == text
        assert {field: (await ann.ask("profile"))[field] for field in said} == said
        assert (await ann.ask("profile", about=""))["about"] == ""


@pytest.mark.parametrize(
    ("field", "text"),
    [
        ("display_name", "x" * 129),
        ("display_name", "a\nb"),
        ("display_name", "a\x1b[31mb"),
        ("display_name", "a\u202eb"),
        ("about", "x" * 1025),
        ("about", "\x85"),
        ("avatar", "http://a.example.org/x.png"),
        ("avatar", "javascript:alert(1)"),
        ("avatar", "https://"),
        ("avatar", "https://ann@a.example.org/"),
        ("avatar", "https://a.example.org:x/"),
        ("avatar", "https://a.example.org/a b"),
        ("avatar", "https://a.example.org/é"),
        ("avatar", 'https://a.example.org/"onload='),
        ("avatar", "HTTPS:a.example.org"),
        ("avatar", "https://a.example.org/" + "x" * 512),
        ("locale", "d"),
        ("locale", "de_CH"),
        ("locale", "-de"),
        ("locale", "de-" + "x" * 9),
        ("locale", "de" + "-abcdefgh" * 5),
        ("time_zone", "Europe/Nowhere"),
        ("time_zone", "../../etc/passwd"),
        ("time_zone", "UTC+1"),
    ],
)
async def test_what_cannot_stand_in_a_profile_names_the_field(field: str, text: str, autojump_clock: MockClock) -> None:
    async with open_chat() as chat:
        ann = await registered(chat, "ann")
        assert await refused(ann, "profile", **{field: text}) == ("bad_field", field)
        assert (await ann.ask("profile"))[field] == ""


async def test_whois_shows_the_public_part_to_everybody_by_name_and_id(autojump_clock: MockClock) -> None:
    async with open_chat() as chat:
        ann = await registered(chat, "ann")
        private = {"locale": "de-CH", "time_zone": "Europe/Zurich"}
        own = await ann.ask("profile", display_name="Ann", about="hi", **private)
        guest = await chat.guest()
        for user in ("ann", "ANN", own["user_id"]):
            shown = await guest.ask("whois", user=user)
            assert list(shown) == [
                "type", "id", "user", "user_id", "kind", "created", "display_name", "about", "avatar",
            ]  # fmt: skip
            assert (shown["user"], shown["kind"], shown["display_name"], shown["about"]) == (
                "ann",
                "person",
                "Ann",
                "hi",
            )
            assert re.fullmatch(r"2026-01-\d\dT\d\d:\d\d:\d\d\.\d{3}Z", shown["created"])
            assert not set(private.values()) & set(map(str, shown.values()))


@pytest.mark.parametrize(
    ("user", "expected"),
    [("nobody", "no_such_user"), ("u_nobody", "no_such_user"), ("", "bad_field"), ("x" * 65, "bad_field")],
)
async def test_whois_of_nobody(user: str, expected: str, autojump_clock: MockClock) -> None:
    async with open_chat() as chat:
        guest = await chat.guest()
        assert await refused(guest, "whois", user=user) == (expected, "user")


async def test_people_are_blocked_listed_and_unblocked(autojump_clock: MockClock) -> None:
    async with open_chat(msgspec.structs.replace(LOOSE, blocks=2)) as chat:
        ann = await registered(chat, "ann")
        ids = {}
        for name in ("bob", "cat", "dan"):
            ids[name] = (await (await registered(chat, name)).ask("profile"))["user_id"]
        assert (await ok(ann, "block", user="bob"))["user_id"] == ids["bob"]
        await ok(ann, "block", user=ids["cat"])
        await ok(ann, "block", user="bob")
        assert (await ann.ask("blocks"))["blocked"] == [{"user": name, "user_id": ids[name]} for name in ("bob", "cat")]
        assert await refused(ann, "block", user="dan") == ("limit_reached", None)
        await ok(ann, "unblock", user="bob")
        await ok(ann, "unblock", user="bob")
        await ok(ann, "block", user="dan")
        assert [one["user"] for one in (await ann.ask("blocks"))["blocked"]] == ["cat", "dan"]


async def test_who_cannot_be_blocked(autojump_clock: MockClock) -> None:
    async with open_chat() as chat:
        ann = await registered(chat, "ann")
        guest = await chat.guest()
        await ok(guest, "hello", name="gus")
        assert await refused(ann, "block", user="ann") == ("bad_field", "user")
        assert await refused(ann, "block", user="gus") == ("bad_field", "user")
        assert await refused(ann, "block", user="nobody") == ("no_such_user", "user")
        assert await refused(ann, "unblock", user="") == ("bad_field", "user")


async def test_the_store_is_away_and_people_are_told(autojump_clock: MockClock) -> None:
    async with open_chat() as chat:
        ann = await registered(chat, "ann")
        chat.store.down = True
        for command, fields in (("profile", {}), ("sessions", {}), ("whois", {"user": "ann"}), ("logout", {})):
            assert await refused(ann, command, **fields) == ("unavailable", None)
        chat.store.down = False
        assert (await ann.ask("profile"))["user"] == "ann"
        await ok(ann, "logout")
