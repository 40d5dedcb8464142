"""The keeper: one small process around each service, so that whatever the service started ends with it.

    python -I -S keeper.py <supervisor's pid> <grace in seconds> <command …>

The keeper is a subreaper (Linux): processes that the service orphans (Ray's daemons, replicas, HAProxy) become the keeper's
children, and only those of this service. When the service ends, however it ends, the keeper ends them, and then itself with
the service's exit code. So a keeper that is gone means that nothing of its service is left, and that its ports are free.
SIGTERM is handed on to the service, which is killed when it outlives the grace; SIGHUP is handed on and nothing else. When the
supervisor itself is killed, the kernel sends the keeper SIGTERM, and when the keeper is killed, the service.

It imports the standard library alone and starts in about 20 ms. The supervisor imports `become_subreaper` and `end_children`.
"""

from __future__ import annotations

import ctypes
import os
import signal
import sys
import time
from collections.abc import Collection, Iterator, Sequence
from typing import NoReturn

_PR_SET_PDEATHSIG = 1
_PR_SET_CHILD_SUBREAPER = 36
ORPHANS_GRACE_S = 2.0
_GIVE_UP_S = 5.0  # a process in an uninterruptible wait can't be ended; it mustn't hold up everything else
KILLED = 128  # an exit code above it is a signal's number plus this


def main(arguments: Sequence[str]) -> int:
    """Runs the command to its end, then ends what it left behind. The command's exit code, or 128 plus the signal."""
    supervisor, grace_s, command = int(arguments[0]), float(arguments[1]), arguments[2:]
    become_subreaper()
    end_with_parent(supervisor)
    handed_on = {signal.SIGTERM, signal.SIGINT}
    signal.pthread_sigmask(signal.SIG_BLOCK, handed_on)
    keeper = os.getpid()
    service = os.fork()
    if service == 0:
        _become(command, keeper, handed_on)

    def stop(number: int, _frame: object) -> None:
        _send(service, number)
        signal.setitimer(signal.ITIMER_REAL, max(grace_s, 0.001))

    for number in handed_on:
        signal.signal(number, stop)
    signal.signal(signal.SIGHUP, lambda number, _frame: _send(service, number))
    signal.signal(signal.SIGALRM, lambda _number, _frame: _send(service, signal.SIGKILL))
    signal.pthread_sigmask(signal.SIG_UNBLOCK, handed_on)
    code = _wait_for(service)
    signal.setitimer(signal.ITIMER_REAL, 0)
    for number in (*handed_on, signal.SIGHUP):
        signal.signal(number, signal.SIG_IGN)
    if ended := end_children(grace_s=ORPHANS_GRACE_S):
        sys.stderr.write(f"keeper: ended what was left behind: {', '.join(ended)}\n")
    return code


def become_subreaper() -> None:
    """Makes this process the parent of every orphan among its descendants. Elsewhere than on Linux: nothing."""
    _prctl(_PR_SET_CHILD_SUBREAPER, 1)


def end_with_parent(parent: int) -> None:
    """Has the kernel send this process SIGTERM when `parent` dies; at once where that has already happened."""
    _prctl(_PR_SET_PDEATHSIG, signal.SIGTERM)
    if os.getppid() != parent:
        os.kill(os.getpid(), signal.SIGTERM)


def end_children(*, grace_s: float, spare: Collection[int] = ()) -> list[str]:
    """Ends and reaps every child of this process that isn't spared, and, as they become its children, theirs.

    Each gets SIGTERM, and SIGKILL once `grace_s` have passed. Returns `name (pid)` of those that were still running.
    """
    begun = time.monotonic()
    ended: dict[int, str] = {}
    while (passed := time.monotonic() - begun) < grace_s + _GIVE_UP_S:
        left = [(pid, name) for pid, name in _children() if pid not in spare and not _reaped(pid)]
        if not left:
            break
        for pid, name in left:
            if passed >= grace_s:
                _send(pid, signal.SIGKILL)
            elif pid not in ended:
                _send(pid, signal.SIGTERM)
            ended.setdefault(pid, f"{name} ({pid})")
        time.sleep(0.01)
    return list(ended.values())


def _become(command: Sequence[str], keeper: int, blocked: Collection[signal.Signals]) -> NoReturn:
    try:
        end_with_parent(keeper)
        for ignored_by_python in (signal.SIGPIPE, signal.SIGXFSZ):
            signal.signal(ignored_by_python, signal.SIG_DFL)
        signal.pthread_sigmask(signal.SIG_UNBLOCK, blocked)
        arguments = [*command]
        os.execvp(arguments[0], arguments)  # noqa: S606  # nosec B606  # the command is a spec's, never a request's
    except OSError as error:
        sys.stderr.write(f"{command[0]}: {error.strerror}\n")
    finally:
        os._exit(127)


def _wait_for(service: int) -> int:
    while True:
        pid, status = os.waitpid(-1, 0)  # orphans that end by themselves are reaped on the way
        if pid == service:
            code = os.waitstatus_to_exitcode(status)
            return code if code >= 0 else KILLED - code


def _children() -> Iterator[tuple[int, str]]:
    if sys.platform != "linux":
        return  # without subreapers orphans go to init
    me = os.getpid()
    for entry in os.listdir("/proc"):
        if entry.isdecimal():
            try:
                with open(f"/proc/{entry}/stat", encoding="utf-8", errors="replace") as stat:
                    text = stat.read()
            except OSError:
                continue  # it has just ended
            name, _, rest = text[text.index("(") + 1 :].rpartition(")")
            if int(rest.split()[1]) == me:
                yield int(entry), name


def _reaped(pid: int) -> bool:
    try:
        return os.waitpid(pid, os.WNOHANG)[0] == pid
    except ChildProcessError:
        return True


def _send(pid: int, number: int) -> None:
    try:
        os.kill(pid, number)
    except ProcessLookupError:
        return  # it has just ended


def _prctl(option: int, value: int) -> None:
    if sys.platform == "linux":
        ctypes.CDLL(None, use_errno=True).prctl(option, value, 0, 0, 0)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
