"""What the server answers to the commands that make and govern rooms; times as `codec.format_ts` writes them."""

from __future__ import annotations

from msgspec import UNSET, Struct, UnsetType

from trichat.core.replies import Reply


class RoomReply(Reply, frozen=True, kw_only=True, tag="room"):
    room: str
    kind: str
    title: str
    topic: str
    role: str  # of who asks, as it counts now
    member_limit: int
    slow_s: int
    send: str
    history: str
    guests: bool
    archived: bool
    language: str
    retention_days: int
    seq: int
    epoch: str


class InviteReply(Reply, frozen=True, kw_only=True, tag="invite"):
    room: str
    code: str
    uses: int
    expires: str


class ListedInvite(Struct, frozen=True, kw_only=True):
    code: str  # its first characters: enough to end it, not to use it
    made_by: str
    uses: int
    expires: str


class InvitesReply(Reply, frozen=True, kw_only=True, tag="invites"):
    room: str
    invites: list[ListedInvite]


class Uninvited(Reply, frozen=True, kw_only=True, tag="uninvited"):
    room: str


class Accepted(Reply, frozen=True, kw_only=True, tag="accepted"):
    room: str
    seq: int


class DeletedRoom(Reply, frozen=True, kw_only=True, tag="deleted"):
    room: str


class ListedMember(Struct, frozen=True, kw_only=True):
    user: str
    user_id: str
    role: str
    since: int
    muted_until: str | UnsetType = UNSET  # when the mute has an end
    muted: bool | UnsetType = UNSET  # true or not there


class RosterPage(Reply, frozen=True, kw_only=True, tag="roster"):
    room: str
    members: list[ListedMember]
    more: bool


class ListedRestrained(Struct, frozen=True, kw_only=True):
    user: str
    user_id: str
    banned: bool
    banned_until: str | UnsetType = UNSET  # when the ban has an end
    muted: bool
    muted_until: str | UnsetType = UNSET
    reason: str


class BansPage(Reply, frozen=True, kw_only=True, tag="bans"):
    room: str
    people: list[ListedRestrained]
    more: bool


class ReportedReply(Reply, frozen=True, kw_only=True, tag="reported"):
    room: str
    report: int


class ListedReport(Struct, frozen=True, kw_only=True):
    report: int
    seq: int
    by: str
    reason: str
    at: str
    resolved_by: str | UnsetType = UNSET
    note: str | UnsetType = UNSET


class ReportsPage(Reply, frozen=True, kw_only=True, tag="reports"):
    room: str
    reports: list[ListedReport]
    more: bool


class Resolved(Reply, frozen=True, kw_only=True, tag="resolved"):
    room: str
    report: int


class ListedAct(Struct, frozen=True, kw_only=True):
    entry: int
    at: str
    by: str
    by_id: str | UnsetType = UNSET  # not there: done on the server's own command line
    act: str
    user: str | UnsetType = UNSET  # whom it was about
    user_id: str | UnsetType = UNSET
    reason: str
    address: str


class AuditPage(Reply, frozen=True, kw_only=True, tag="audit"):
    room: str
    entries: list[ListedAct]
    more: bool
