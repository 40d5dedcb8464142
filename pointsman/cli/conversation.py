"""`pointsman chat` without a prompt: a conversation on a terminal, with the tier beside each answer."""

from __future__ import annotations

import importlib
import signal
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import FrameType
from typing import Final

from rich.text import Text

from pointsman.cli.output import TIER_STYLES, new_console, show_text, time_told, tokens_told, why
from pointsman.cli.progress import after_waiting
from pointsman.client import ChatOptions, Client, RouteError
from pointsman.runtime.decision_headers import tier_name
from pointsman.v1 import routing_pb2

_HELP: Final = """/new          begin anew: what was said is forgotten
/model NAME   the model string from now on, such as router-mf-0.3
/quit         end; so does Ctrl-D
Ctrl-C stops an answer. A line that begins with // is sent with one of them."""


class Conversation:
    """What has been said, and how it goes on. It is kept in memory alone, and so is the history of lines."""

    def __init__(self, client: Client, options: ChatOptions) -> None:
        self._client = client
        self._options = options
        self._messages: list[dict[str, str]] = []

    def run(self, read: Callable[[str], str] = input) -> None:
        """Until /quit or the end of the input. A request that fails is told, and can be asked again."""
        importlib.import_module("readline")  # `input` edits lines with it
        console = new_console()
        console.print(Text(f"{self._options['model']}; /help lists what else can be said", "dim"))
        while True:
            try:
                line = read("> ").strip()
            except KeyboardInterrupt:
                console.print()
                continue
            except EOFError:
                console.print()
                return
            if line == "/quit":
                return
            if line.startswith("/") and not line.startswith("//"):
                console.print(self._told(line), markup=False, highlight=False)
            elif line:
                self._ask(line.removeprefix("/") if line.startswith("//") else line)

    def _told(self, line: str) -> str:
        command, _, value = line.partition(" ")
        if command == "/new":
            self._messages.clear()
            return "begun anew"
        if command == "/model":
            self._options["model"] = value.strip() or self._options["model"]
            return self._options["model"]
        return _HELP if command == "/help" else f"there is no {command}\n{_HELP}"

    def _ask(self, prompt: str) -> None:
        """One turn: the whole conversation is sent; what is said counts for the next one, unless the request failed."""
        asked = [*self._messages, {"role": "user", "content": prompt}]
        said: list[str] = []
        with self._client.stream_chat(asked, **self._options) as answer, _on_ctrl_c(answer.cancel) as stopped:
            try:
                show_text(_noted(after_waiting("waiting for an answer", answer.text()), said))
            except RouteError as error:
                sys.stderr.write("stopped\n" if stopped.is_set() else f"{error}\n")
                if not stopped.is_set():
                    return
        if said:
            self._messages = [*asked, {"role": "assistant", "content": "".join(said)}]
        if answer.receipt:
            _show_tier(answer.receipt)


@contextmanager
def _on_ctrl_c(stop: Callable[[], object]) -> Iterator[threading.Event]:
    """Has Ctrl-C stop what the block waits for, and tells whether it did. A KeyboardInterrupt may come in the middle of gRPC's own code,
    and leave its channel locked; so may a call of it by the signal's handler, hence the thread."""
    pressed = threading.Event()

    def press(number: int, frame: FrameType | None) -> None:
        pressed.set()
        threading.Thread(target=stop, daemon=True).start()

    before = signal.signal(signal.SIGINT, press)
    try:
        yield pressed
    finally:
        signal.signal(signal.SIGINT, before)


def _noted(pieces: Iterator[str], said: list[str]) -> Iterator[str]:
    for piece in pieces:
        said.append(piece)
        yield piece


def _show_tier(receipt: routing_pb2.Receipt) -> None:
    """Tier, model, why and what it took, in one line."""
    decision = receipt.decision
    tier = tier_name(decision.tier)
    facts = [each for each in (decision.model, why(decision), time_told(receipt), tokens_told(receipt)) if each]
    line = Text.assemble((tier, TIER_STYLES.get(tier, "")), (f"  {'  '.join(facts)}", "dim"))
    new_console().print(line, soft_wrap=True)
