"""What each command costs, in tokens: a message costs 1, and the rest by the work and the noise that it makes."""

from __future__ import annotations

from typing import Final

from trichat.core import commands as talk
from trichat.core import commands_conversation as conversation
from trichat.core import commands_people as people
from trichat.core import commands_rooms as rooms
from trichat.core.command import Command
from trichat.core.commands import Resume

#: Every command's cost. Nothing without an entry can be said at all: a test compares.
COSTS: Final[dict[type[Command], float]] = {
    # answered from memory
    talk.Ping: 0.2, talk.Help: 0.5, talk.Leave: 0.5,
    # committed, and told to the whole room
    talk.Send: 1.0,
    conversation.EditMessage: 2.0, conversation.DeleteMessage: 1.0, conversation.React: 1.0, conversation.Unreact: 1.0,
    conversation.Pin: 2.0, conversation.Unpin: 2.0,
    # one row of one's own, and perhaps a push that may be dropped
    conversation.Read: 0.5, conversation.Typing: 0.5, conversation.SetPresence: 2.0, conversation.Notify: 2.0,
    conversation.Follow: 1.0, conversation.Unfollow: 1.0,
    # one statement, and perhaps a page or a replay
    talk.Join: 2.0, talk.Resume: 2.0, talk.Members: 2.0, talk.Rooms: 3.0, talk.History: 3.0, talk.Events: 3.0,
    conversation.Revisions: 2.0, conversation.Reactions: 2.0, conversation.Pins: 3.0, conversation.Threads: 3.0,
    conversation.Seen: 2.0, conversation.Inbox: 5.0, conversation.Mentions: 3.0, conversation.Presence: 3.0,
    conversation.Search: 10.0,
    # who one is; a password takes a tenth of a second of a core
    talk.Hello: 5.0, talk.Auth: 5.0, people.Login: 10.0, people.Register: 20.0, people.Recover: 20.0,
    people.Password: 20.0, people.Totp: 10.0, people.Rename: 10.0, people.Logout: 2.0, people.Revoke: 2.0,
    people.Sessions: 3.0, people.Profile: 3.0, people.Whois: 2.0, people.Block: 2.0, people.Unblock: 2.0,
    people.Blocks: 3.0,
    # made once, and kept
    rooms.Create: 20.0, rooms.Direct: 10.0, rooms.InviteUser: 5.0, rooms.Accept: 5.0, rooms.Report: 5.0,
    # governing: cheap where a moderator needs it fast
    rooms.RoomInfo: 1.0, rooms.EditRoom: 5.0, rooms.ArchiveRoom: 5.0, rooms.DeleteRoom: 10.0, rooms.Uninvite: 2.0,
    rooms.KickUser: 1.0, rooms.BanUser: 1.0, rooms.UnbanUser: 1.0, rooms.MuteUser: 1.0, rooms.UnmuteUser: 1.0,
    rooms.SetUserRole: 2.0, rooms.TransferRoom: 5.0, rooms.Resolve: 2.0,
    rooms.Invites: 3.0, rooms.Roster: 3.0, rooms.Bans: 3.0, rooms.Reports: 3.0, rooms.Audit: 5.0,
}  # fmt: skip

#: A request by HTTP, beside what its command costs.
REQUEST_COST: Final = 1.0
#: What no command was made of, because its type or a field was wrong.
REFUSED_COST: Final = 1.0
#: Beside what a `resume` costs itself, for each room.
RESUMED_ROOM_COST: Final = 0.5
#: The most that any one command costs: every bucket must hold it.
MOST_COST: Final = 100.0


def cost_of(command: Command) -> float:
    """What `command` costs, in tokens."""
    if type(command) is Resume:
        return min(MOST_COST, COSTS[Resume] + RESUMED_ROOM_COST * len(command.rooms))
    return COSTS[type(command)]
