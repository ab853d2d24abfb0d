"""Becomes a server: run as `python -I -S launch.py PARENT SIGNAL UID GID PROGRAM ARGUMENT...`.

It leaves the parent's session (Ctrl-C in a terminal is for the parent alone), drops root, asks the kernel
for SIGNAL at the parent's death, and executes the program, whose pid is this one's. Imports nothing of
trichat: the less runs here, the sooner the server does.
"""

import ctypes
import os
import signal
import sys

PR_SET_PDEATHSIG = 1


def main(parent: int, death_signal: int, uid: int, gid: int, program: list[str]) -> None:
    os.setsid()
    os.umask(0o077)
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, signal.SIG_DFL)
    signal.pthread_sigmask(signal.SIG_SETMASK, [])
    if os.geteuid() == 0:
        os.setgroups([])
        os.setresgid(gid, gid, gid)
        os.setresuid(uid, uid, uid)
    # only now: dropping root clears the death signal
    if ctypes.CDLL(None, use_errno=True).prctl(PR_SET_PDEATHSIG, death_signal, 0, 0, 0) != 0:
        sys.exit(f"prctl(PR_SET_PDEATHSIG): {os.strerror(ctypes.get_errno())}")
    if os.getppid() != parent:
        sys.exit("the parent died before the server began")
    os.execv(program[0], program)  # noqa: S606  (the program is ours)


if __name__ == "__main__":
    numbers, command = [int(word) for word in sys.argv[1:5]], sys.argv[5:]
    main(numbers[0], numbers[1], numbers[2], numbers[3], command)
