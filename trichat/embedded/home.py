"""The data directory: who owns it, what lies where, and the locks that say which process runs a server."""

from __future__ import annotations

import contextlib
import fcntl
import hashlib
import os
import pwd
import re
import stat
import tempfile
from pathlib import Path
from typing import Final

from msgspec import Struct

from trichat.embedded.errors import EmbeddedUnusable

#: Bytes of a Unix socket's path, without the final NUL (sockaddr_un).
SOCKET_PATH_BYTES: Final = 107
#: The longest name that a server gives to a socket.
_LONGEST_SOCKET: Final = ".s.PGSQL.65535"
#: What neither libpq nor PostgreSQL takes apart in a directory's name: both split at commas, and blanks are trimmed.
_PLAIN_PATH: Final = re.compile(r"[\w/.+~@=:%-]+")


class Account(Struct, frozen=True):
    """The user that the servers run as: the one who started us, or a lesser one when that is root."""

    uid: int
    gid: int
    name: str | None  # None: /etc/passwd does not know them

    def __str__(self) -> str:
        return self.name or f"uid {self.uid}"

    @property
    def is_lesser(self) -> bool:
        """We are root and the servers are not."""
        return os.geteuid() == 0 and self.uid != 0


class Home(Struct, frozen=True):
    """A data directory that is ready for use. `path` has no symbolic links in it."""

    path: Path
    account: Account

    @property
    def name(self) -> str:
        """A short name that no other data directory on this machine has."""
        return hashlib.sha256(os.fsencode(self.path)).hexdigest()[:16]

    def folder(self, name: str) -> Path:
        """The private folder `name` in the data directory, made when it is missing."""
        return _private_folder(self.path / name, self.account)

    def open_file(self, name: str) -> int:
        """A descriptor of the private file `name`, for reading and appending; made when it is missing."""
        flags = os.O_RDWR | os.O_CREAT | os.O_APPEND | os.O_NOFOLLOW | os.O_CLOEXEC
        descriptor = os.open(self.path / name, flags, 0o600)
        if self.account.is_lesser:
            os.fchown(descriptor, self.account.uid, self.account.gid)
        return descriptor

    @property
    def socket_folder(self) -> Path:
        """Where the sockets are: in the data directory, or if its name will not do, in a short one of our own."""
        inside = self.path / "run"
        if _PLAIN_PATH.fullmatch(str(inside)) and len(os.fsencode(inside / _LONGEST_SOCKET)) <= SOCKET_PATH_BYTES:
            return inside
        return Path(tempfile.gettempdir()).resolve() / f"trichat-{self.account.uid}-{self.name}"

    def make_socket_folder(self) -> Path:
        """The same, made when it is missing. Raises EmbeddedUnusable when somebody else has made it."""
        return _private_folder(self.socket_folder, self.account)

    def remove_socket_folder(self) -> None:
        """Remove it if it is empty and not in the data directory."""
        if not self.socket_folder.is_relative_to(self.path):
            with contextlib.suppress(OSError):  # in use, or gone
                self.socket_folder.rmdir()


class Lock:
    """A lock between processes (flock). The kernel frees it when its holder ends, however that comes about.

    A child made by `os.fork` would hold it too; children that are executed do not.
    """

    def __init__(self, home: Home, name: str) -> None:
        """Open the file `name`. Raises EmbeddedUnusable when we may not."""
        try:
            self._descriptor = home.open_file(name)
        except OSError as error:
            raise EmbeddedUnusable(f"the data directory {home.path} cannot be used: {error}") from error
        self.held = False

    def take(self) -> bool:
        """Take the lock if nobody else has it; never waits."""
        try:
            fcntl.flock(self._descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            return False
        self.held = True
        return True

    def close(self) -> None:
        os.close(self._descriptor)
        self.held = False


def open_home(data_dir: Path) -> Home:
    """Make `data_dir` if it is missing (0700), and say who runs the servers there.

    An empty directory is taken for ours; the modes and owners of others, and of any folder above, stay as
    they are. Raises EmbeddedUnusable when it cannot be used.
    """
    try:
        path = data_dir.expanduser().resolve()
        account = _choose_account(path)
        _check_reach(path.parent, account)
        path.mkdir(mode=0o700, parents=True, exist_ok=True)
        _adopt(path, account)
        _check_reach(path, account)
    except OSError as error:
        raise EmbeddedUnusable(f"the data directory {data_dir} cannot be used: {error}") from error
    return Home(path, account)


def first_unreachable(path: Path, account: Account) -> Path | None:
    """The topmost folder on the way to `path`, itself included, that is there and keeps a lesser `account` out."""
    if not account.is_lesser:
        return None
    folders = [folder for folder in (*reversed(path.parents), path) if folder.is_dir()]
    return next((folder for folder in folders if not _may_enter(folder.stat(), account)), None)


def _choose_account(path: Path) -> Account:
    """Who is not root runs the servers as themselves. Root: the owner of what is there, else a lesser user."""
    if os.geteuid() != 0:
        return account_of(os.geteuid(), os.getegid())
    for kept in (path / "postgres", path):
        if kept.exists() and (status := kept.stat()).st_uid != 0:
            return account_of(status.st_uid, status.st_gid)
    for name in ("postgres", "nobody"):
        try:
            entry = pwd.getpwnam(name)
        except KeyError:
            continue
        return Account(entry.pw_uid, entry.pw_gid, name)
    return account_of(65_534)


def account_of(uid: int, gid: int = 65_534) -> Account:
    """The user with this number; `gid` is theirs if /etc/passwd does not know them."""
    try:
        entry = pwd.getpwuid(uid)
    except KeyError:
        return Account(uid, gid, None)
    return Account(uid, entry.pw_gid, entry.pw_name)


def _adopt(path: Path, account: Account) -> None:
    status = path.stat()
    if status.st_uid == os.geteuid() and next(path.iterdir(), None) is None:
        path.chmod(0o700)
        if account.is_lesser:
            os.chown(path, account.uid, account.gid)
    elif status.st_mode & stat.S_IWOTH:
        raise EmbeddedUnusable(f"{path} may be written by everybody. Give a --data-dir of its own")


def _check_reach(path: Path, account: Account) -> None:
    blocked = first_unreachable(path, account)
    if blocked is None:
        return
    raise EmbeddedUnusable(
        f"PostgreSQL does not run as root, and the user {account}, as whom it would run, may not enter {blocked} "
        f"(mode {stat.S_IMODE(blocked.stat().st_mode):04o}). Give a --data-dir elsewhere, for example "
        f"/var/lib/trichat, or run trichat as an ordinary user"
    )


def _may_enter(status: os.stat_result, account: Account) -> bool:
    if status.st_uid == account.uid:
        return bool(status.st_mode & stat.S_IXUSR)
    return bool(status.st_mode & (stat.S_IXGRP if status.st_gid == account.gid else stat.S_IXOTH))


def _private_folder(path: Path, account: Account) -> Path:
    with contextlib.suppress(FileExistsError):
        path.mkdir(mode=0o700)
    status = path.lstat()
    if account.is_lesser and status.st_uid == 0:  # just made, by us or by a node that starts beside us
        os.chown(path, account.uid, account.gid, follow_symlinks=False)
        status = path.lstat()
    if not stat.S_ISDIR(status.st_mode) or status.st_uid != account.uid or status.st_mode & 0o077:
        raise EmbeddedUnusable(f"{path} is not a private folder of {account}. Remove it, and start again")
    return path
