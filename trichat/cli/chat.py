"""`trichat chat`: one room in the terminal, or at the end of a pipe."""

from __future__ import annotations

import argparse
import io
import os
import signal
import sys
from collections import deque
from collections.abc import Mapping
from functools import partial
from typing import TYPE_CHECKING, Any, Final, assert_never

import trio

from trichat.cli.lines import Lines
from trichat.cli.login import Login, add_arguments, ask_on_terminal, read_login
from trichat.cli.screen import Screen, wants_color
from trichat.cli.wording import Said, in_words, message_text, out_of
from trichat.client import (
    Client,
    ClientError,
    ClientEvent,
    Connected,
    Disconnected,
    Expiring,
    FollowChanged,
    GapEvent,
    GapFilled,
    LogReset,
    PresenceChanged,
    ReadMoved,
    Refused,
    RoomEvent,
    RoomLeft,
    RoomLost,
    SeenMoved,
    StatusChanged,
    TypingNow,
    Warned,
    open_client,
    tls_context,
)

if TYPE_CHECKING:
    Subparsers = argparse._SubParsersAction[argparse.ArgumentParser]

_INTERRUPTED: Final = 130
_MOST_HISTORY: Final = 10_000  # messages
_ECHO_S: Final = 2.0  # for our own last messages to be shown after they were acknowledged

_ABOUT = """\
Chat in one room: what others say is printed, each line you type (or pipe in) is sent.

It comes back by itself after a lost connection. When the input ends it waits until every line
is acknowledged, and exits with 0, or with 1 if one was refused."""


def add_parser(subparsers: Subparsers) -> None:
    parser = subparsers.add_parser(
        "chat",
        help="chat in a room",
        description=_ABOUT,
        formatter_class=argparse.RawDescriptionHelpFormatter,
        allow_abbrev=False,
    )
    parser.add_argument(
        "url",
        metavar="URL",
        help="the server: ws://localhost:8080/ws, or just localhost:8080; wss:// or https:// for TLS",
    )
    parser.add_argument("room", metavar="ROOM", help="the room's name, such as lobby")
    add_arguments(parser)
    parser.add_argument(
        "--history", type=_count, default=20, metavar="N", help="earlier messages to show (%(default)s)"
    )
    parser.add_argument(
        "--tls-ca",
        metavar="FILE",
        help="a PEM file with the authority of the server's certificate, if this machine does not know it",
    )
    parser.add_argument("--no-color", action="store_true", help="no colours, also on a terminal")


def run(arguments: argparse.Namespace) -> int:
    """0 when the input ended and all was acknowledged, 1 when it was refused or the session ended, 130 on Ctrl-C."""
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="backslashreplace")  # a terminal that is not UTF-8
    screen = Screen(sys.stdout, sys.stderr, color=wants_color(sys.stdout, refused=arguments.no_color))
    try:
        login = read_login(arguments, os.environ, ask_on_terminal)
    except (ValueError, OSError) as error:
        screen.error(str(error))
        return 1
    code = trio.run(chat, arguments, login, screen, Lines(0))
    if screen.broken:  # or Python would try once more to write at its exit, and complain
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
    return code


async def chat(arguments: argparse.Namespace, login: Login, screen: Screen, lines: Lines) -> int:
    """The whole session; returns the exit code. Ctrl-C ends it at any point."""
    code = 1
    with trio.open_signal_receiver(signal.SIGINT) as interrupts:
        async with trio.open_nursery() as nursery:
            scope = nursery.cancel_scope
            screen.on_broken = partial(scope.cancel, reason="nobody reads our output")

            async def watch() -> None:
                nonlocal code
                async for _ in interrupts:
                    code = _INTERRUPTED
                    scope.cancel(reason="Ctrl-C")

            nursery.start_soon(watch)
            code = await _converse(arguments, login, screen, lines)
            scope.cancel(reason="the session is over")
    return code


async def _converse(arguments: argparse.Namespace, login: Login, screen: Screen, lines: Lines) -> int:
    try:
        async with open_client(
            arguments.url,
            name=login.name,
            password=login.password,
            register=login.register,
            code=login.code,
            token=login.token,
            device="trichat chat",
            ssl_context=None if arguments.tls_ca is None else tls_context(arguments.tls_ca),
        ) as client:
            login.check(client.user)
            try:
                login.keep(client.token)
                return await Conversation(client, arguments.room, screen).run(lines, arguments.history)
            finally:
                login.keep(client.token)  # we may have had to log in anew
    except Refused as refusal:
        screen.error(f"{refusal}{login.hint(refusal)}")
        return 1
    except (ClientError, ValueError, OSError) as error:
        screen.error(str(error))
        return 1


class Out(ClientError):
    """We are not in the room any more."""


class Conversation:
    """One room: what is said in it is shown, what is typed is said."""

    def __init__(self, client: Client, room: str, screen: Screen) -> None:
        self._client = client
        self._room = room
        self._screen = screen
        self._shown = 0  # the last seq on the screen
        self._said = Said()
        self._moved = trio.Event()
        self._refused = False
        self._our_change: str | None = None  # the last one of our own membership
        self._ending: ClientError | None = None

    async def run(self, lines: Lines, history: int) -> int:
        """Until the input ends; returns the exit code. Raises ClientError when the session ends before."""
        joined = await self._client.join(self._room)
        await self._show_history(history)
        self._show_up_to(joined.seq)
        async with trio.open_nursery() as nursery:
            nursery.start_soon(self._show_events, nursery.cancel_scope)
            last = await self._say_lines(lines)
            with trio.move_on_after(_ECHO_S):
                while self._shown < last:
                    await self._moved.wait()
            nursery.cancel_scope.cancel(reason="the input ended")
        if self._ending is not None:
            raise self._ending
        return 1 if self._refused else 0

    async def _show_history(self, count: int) -> None:
        messages: deque[Mapping[str, Any]] = deque()
        before: int | None = None
        while len(messages) < count:
            page = await self._client.history(self._room, before=before, limit=count - len(messages))
            messages.extendleft(reversed(page.messages))
            if not page.more or not page.messages:
                break
            before = page.messages[0]["seq"]
        for message in messages:
            self._show(message)

    async def _show_events(self, scope: trio.CancelScope) -> None:
        try:
            async for event in self._client.events():
                self._show_event(event)
        except ClientError as ending:
            self._ending = ending
            scope.cancel(reason="the session ended")

    async def _say_lines(self, lines: Lines) -> int:
        """Send each line when the one before is acknowledged; returns the last `seq`."""
        last = 0
        while (line := await lines.next()) is not None:
            if not line:
                continue
            try:
                last = (await self._client.send(self._room, line)).seq
            except Refused as refusal:
                self._refused = True
                self._screen.notice(f"not sent: {refusal.message} ({refusal.code})")
            except ClientError:
                await trio.sleep_forever()  # the session has ended: `_show_events` comes to that, after what it has
        return last

    def _show_event(self, event: ClientEvent) -> None:
        match event:
            case RoomEvent():
                self._show_room_event(event)
            case Connected():
                if event.again:
                    self._screen.notice(f"connected again, to {event.node}")
            case Disconnected():
                self._screen.notice(f"lost the connection: {event.reason}; trying again in {event.retry_in:.1f} s")
            case StatusChanged():
                healthy = event.fanout == "ok"
                self._screen.notice("all is well again" if healthy else f"{event.fanout}: messages may take longer")
            case LogReset():
                self._shown = event.head
                self._screen.notice("the room was restored or made anew; some messages may be gone")
            case RoomLost():
                raise Refused(event.code, event.message)
            case RoomLeft():
                raise Out(out_of(event.room, self._our_change))
            case Expiring():
                self._screen.notice(f"your token ends in {event.in_ms / 1000:.0f} s, and this chat with it")
            case Warned():
                self._screen.notice(event.message)
            case (
                GapEvent() | GapFilled() | ReadMoved() | SeenMoved() | FollowChanged() | TypingNow() | PresenceChanged()
            ):
                pass  # what passes is not for lines that stay
            case _:
                assert_never(event)

    def _show_room_event(self, event: RoomEvent) -> None:
        if event.seq <= self._shown:
            return
        if event.kind == "message":
            self._show(event.data)
            return
        if not event.data.get("superseded"):  # by an edit that comes later
            self._screen.happening(event.ts, in_words(event, self._said))
        if event.kind == "deleted" or (event.kind == "edited" and event.text):
            self._said.note(event.data["target"], event.text or None)
        if event.member is not None and event.member.user_id == self._client.user_id:
            self._our_change = event.member.change
        self._show_up_to(event.seq)

    def _show(self, frame: Mapping[str, Any]) -> None:
        text = message_text(frame, self._said)
        self._said.note(frame["seq"], None if frame.get("deleted") else str(frame.get("text", "")))
        self._screen.message(frame, text, own=frame.get("from_id") == self._client.user_id)
        self._show_up_to(frame["seq"])

    def _show_up_to(self, seq: int) -> None:
        self._shown = max(self._shown, seq)
        self._moved.set()
        self._moved = trio.Event()


def _count(text: str) -> int:
    count = int(text)
    if not 0 <= count <= _MOST_HISTORY:
        raise argparse.ArgumentTypeError(f"a number from 0 to {_MOST_HISTORY}")
    return count
