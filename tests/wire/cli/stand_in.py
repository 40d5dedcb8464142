"""A child that stands in for a service: `python stand_in.py <kind> <name> <folder>`.

It writes its pid to `<name>.pid` once it is ready and a line to `events` when it starts and when it is told to stop. Kinds:
`plain`; `reloads`: notes SIGHUP; `forks`: leaves an orphan in a session of its own that ignores SIGTERM; `stubborn`: ignores
SIGTERM; `never`: is never ready; `exits-2`, `exits-7`: says why and ends.
"""

import os
import signal
import sys
from pathlib import Path


def main(kind: str, name: str, folder: Path) -> int:
    """The exit code."""
    note(folder, f"{name} starts")
    if kind.startswith("exits-"):
        sys.stderr.write(f"the reason why {name} ends\n")
        return int(kind.removeprefix("exits-"))
    if kind == "forks":
        leave_an_orphan(folder / f"{name}.orphan")
    told = {signal.SIGTERM, signal.SIGHUP} if kind == "reloads" else {signal.SIGTERM}
    signal.pthread_sigmask(signal.SIG_BLOCK, told)
    if kind != "never":
        write(folder / f"{name}.pid", str(os.getpid()))
    while True:
        if signal.sigwait(told) == signal.SIGHUP:
            note(folder, f"{name} reloads")
            continue
        note(folder, f"{name} stops")
        if kind != "stubborn":
            return 0


def leave_an_orphan(pid_file: Path) -> None:
    """Forks twice, so that the grandchild's parent is gone, as a daemon's is."""
    between = os.fork()
    if between:
        os.waitpid(between, 0)
        return
    os.setsid()
    if os.fork():
        os._exit(0)
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    write(pid_file, str(os.getpid()))
    while True:
        signal.pause()


def write(path: Path, text: str) -> None:
    """All of it or nothing of it, for whoever reads."""
    part = path.with_name(path.name + ".part")
    part.write_text(text)
    part.rename(path)


def note(folder: Path, line: str) -> None:
    """Appends to the common list of events."""
    with (folder / "events").open("a") as events:
        events.write(line + "\n")


if __name__ == "__main__":
    sys.exit(main(sys.argv[1], sys.argv[2], Path(sys.argv[3])))
