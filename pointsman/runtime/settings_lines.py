"""Where a key stands in a YAML file: what settings errors point at."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import yaml
from yaml.nodes import MappingNode, Node, ScalarNode, SequenceNode


class Lines:
    """The line of every key and list item of a YAML text, by its dotted name: `gateway.rest_port`, `policies.a.strategies.0`."""

    def __init__(self, text: str) -> None:
        """Raises `yaml.YAMLError` for what isn't YAML."""
        root = yaml.compose(text, yaml.SafeLoader)
        self._of: dict[str, int] = {}
        self.repeated: list[tuple[str, int]] = []
        """Keys that stand in one mapping twice, of which YAML takes the last, with that line."""
        written: set[str] = set()
        for name, line, is_written in _named(root, "", ()):
            below_one = any(name.startswith(f"{other}.") for other, _ in self.repeated)
            if is_written and name in written and not below_one:
                self.repeated.append((name, line))
            # What is merged in goes below what is written out, wherever it stands.
            if is_written or name not in written:
                self._of[name] = line
            if is_written:
                written.add(name)

    def of(self, location: Sequence[int | str]) -> int | None:
        """The line of the key, else of the nearest one that it would stand below, from 1; None where nothing above it is in the file."""
        for length in range(len(location), 0, -1):
            if line := self._of.get(".".join(str(part) for part in location[:length])):
                return line
        return None

    def of_name(self, name: str) -> int | None:
        """The line of a key by its dotted name."""
        return self._of.get(name)


def _named(node: Node | None, above: str, inside: tuple[int, ...]) -> Iterator[tuple[str, int, bool]]:
    """Each key or item below the node: its dotted name, its line, whether it is written there, and not merged in.

    An alias of a node around it ends there.
    """
    if node is None or id(node) in inside:
        return
    inside = (*inside, id(node))
    if isinstance(node, MappingNode):
        for key, value in node.value:
            if not isinstance(key, ScalarNode):
                continue
            if key.tag == "tag:yaml.org,2002:merge":
                yield from ((name, line, False) for name, line, _ in _merged(value, above, inside))
            else:
                name = f"{above}{key.value}"
                yield name, key.start_mark.line + 1, True
                yield from _named(value, f"{name}.", inside)
    elif isinstance(node, SequenceNode):
        for index, item in enumerate(node.value):
            yield f"{above}{index}", item.start_mark.line + 1, True
            yield from _named(item, f"{above}{index}.", inside)


def _merged(value: Node, above: str, inside: tuple[int, ...]) -> Iterator[tuple[str, int, bool]]:
    """The keys of `<<: *other`, or of a list of such."""
    for each in value.value if isinstance(value, SequenceNode) else (value,):
        yield from _named(each, above, inside)
