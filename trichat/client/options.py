"""Every limit and wait of the client, named, with its unit and what happens at it."""

from __future__ import annotations

from msgspec import Struct


class ClientOptions(Struct, frozen=True, kw_only=True):
    """How one client behaves; the defaults suit people and programs alike."""

    # waits, seconds
    connect_s: float = 10.0  # for TCP, TLS, the handshake, the welcome and the identification; then the next attempt
    ping_s: float = 20.0  # of silence; then a ping is sent
    pong_s: float = 10.0  # after that ping without a byte; then the connection counts as lost
    reply_s: float = 60.0  # for a reply while nothing but pongs is heard; then the connection counts as lost
    goodbye_s: float = 5.0  # after `goodbye` for the server's close; then the connection is dropped
    farewell_s: float = 2.0  # for our own close to be answered; then the connection is dropped
    unread_s: float = 5.0  # with a full queue of events, a waiting request and nobody who reads; then EventsUnread
    settled_s: float = 10.0  # a connection that lived so long ends a series of failures: delays begin anew

    # queues
    events: int = 1_000  # events that the application has not taken; more: the socket is not read
    events_while_asking: int = 10_000  # the same, while a request waits for a reply that comes behind them
    held_events: int = 1_000  # later events of a room whose hole is paged; more: paged as well
    window: int = 48  # commands in flight; more wait. Under the 50 refusals in a row that close with 4102
    page: int = 200  # events in one page of a hole
    frame: int = 4_194_304  # characters of a frame from the server; more: closed with 1009

    # behaviour
    fill_gaps: bool = True  # False: a gap is handed on as GapEvent
    keep_events: bool = True  # False: a room's events are checked for order and dropped, for clients that only send
    patient: bool = False  # True: a first connection that cannot be made is tried again and again
