"""Who is recognised, by what, and what the others are told."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from gateway.identity.guard import Guard, Refused, need_admin, said_key
from gateway.identity.key_book import KeyBook
from gateway.identity.keyring import Keyring, caller_metadata, message_of
from pointsman.runtime.callers import CALLER_KEY
from pointsman.runtime.errors import PermissionDenied, Unauthenticated
from pointsman.runtime.keys_file import KeyEntry, KeysFile, digest_of
from pointsman.runtime.settings_file import SettingsError
from pointsman.v1 import caller_pb2

NOON = datetime(2027, 1, 1, 12, tzinfo=UTC)


class Book(KeyBook):
    """Keys that are in no file."""

    def __init__(self, *entries: KeyEntry) -> None:
        self.now = Keyring(KeysFile(keys=list(entries)))


def entry(name: str, *keys: str, **fields: Any) -> KeyEntry:
    """Of these keys."""
    return KeyEntry(name=name, sha256=[digest_of(key) for key in keys], **fields)


def guard(*entries: KeyEntry, now: datetime = NOON) -> Guard:
    """At a time of the test's own."""
    return Guard(Book(*entries), lambda: now)


def who(guard: Guard, key: str = "", names: tuple[str, ...] = ()) -> str:
    """The name of whoever presents this."""
    caller = guard.identify({"authorization": f"Bearer {key}"} if key else {}, lambda: names)
    return caller.name if caller else "nobody in particular"


def refusal(guard: Guard, key: str = "", names: tuple[str, ...] = ()) -> str:
    """What whoever presents this is told."""
    with pytest.raises(Unauthenticated) as caught:
        who(guard, key, names)
    return caught.value.message


@pytest.mark.parametrize(
    ("said", "key"),
    [
        ({"authorization": "Bearer k"}, "k"),
        ({"authorization": "bearer  k "}, "k"),
        ({"api-key": "k"}, "k"),
        ({"x-api-key": " k "}, "k"),
        ({"authorization": "Bearer k", "api-key": "other"}, "k"),
        ({"authorization": "Basic dTpw", "api-key": "k"}, "k"),
        ({"authorization": "Basic dTpw"}, ""),
        ({"authorization": "Bearer"}, ""),
        ({"authorization": "k"}, ""),
        ({}, ""),
    ],
)
def test_a_key_comes_as_a_bearer_token_or_as_azures_clients_send_it(said: dict[str, str], key: str) -> None:
    """The first counts where there are both."""
    assert said_key(said) == key


def test_each_key_is_its_own_caller_and_while_it_rotates_two_keys_are() -> None:
    """By their hashes alone."""
    both = guard(entry("a", "old", "new"), entry("b", "other"))
    assert [who(both, key) for key in ("old", "new", "other")] == ["a", "a", "b"]


def test_an_unknown_key_and_one_that_is_almost_right_are_told_the_same() -> None:
    """A missing one is told how to send it."""
    some = guard(entry("a", "key-of-a"))
    told = {refusal(some, key) for key in ("key-of-", "key-of-a2", "KEY-OF-A", "x" * 100_000, "é")}
    assert told == {"The API key isn't one that is known here; whoever runs this service gives them out."}
    assert "Bearer" in refusal(some)


def test_only_who_holds_a_key_hears_that_it_expired_or_was_revoked() -> None:
    """And the log hears whose it is."""
    alive = entry("c", "alive", expires=NOON.replace(hour=13))
    some = guard(entry("a", "expired", expires=NOON), entry("b", "revoked", revoked=True), alive)
    another = "; whoever runs this service gives out another."
    said = f"The API key has expired{another}", f"The API key has been revoked{another}"
    assert (refusal(some, "expired"), refusal(some, "revoked")) == said
    assert who(some, "alive") == "c"
    with pytest.raises(Refused) as caught:
        who(some, "expired")
    assert caught.value.caller == "a"


def test_a_certificates_name_is_a_caller_too_and_a_key_counts_before_it() -> None:
    """A wrong key isn't mended by a right certificate."""
    revoked = entry("c", certificates=["c"], revoked=True)
    some = guard(entry("a", certificates=["a.internal", "spiffe://x/a"]), entry("b", "key-of-b"), revoked)
    assert who(some, names=("other", "spiffe://x/a")) == "a"
    assert who(some, "key-of-b", names=("a.internal",)) == "b"
    assert "known" in refusal(some, "wrong", names=("a.internal",))
    assert "revoked" in refusal(some, names=("c",))
    assert "Bearer" in refusal(some, names=("other",))


def test_without_a_keys_file_nobody_is_asked() -> None:
    """Not even for a look at the certificate."""
    assert who(Guard(None), "any") == "nobody in particular"
    need_admin(None)


def test_an_operator_is_who_the_file_says() -> None:
    """Anybody else is told what it takes."""
    some = guard(entry("a", "k"), entry("b", "l", admin=True))
    need_admin(some.identify({"api-key": "l"}, tuple))
    with pytest.raises(PermissionDenied, match="admin"):
        need_admin(some.identify({"api-key": "k"}, tuple))


def test_the_controller_is_told_what_the_file_says() -> None:
    """An empty list allows nothing, and none allows everything."""
    told = message_of(entry("a", "k", strategies=["mf"], pairs=[], pin_tier=True))
    assert (told.name, list(told.strategies.names), list(told.pairs.names), told.may_pin) == ("a", ["mf"], [], True)
    assert [told.HasField(kind) for kind in ("strategies", "pairs", "policies", "backends")] == [True, True, False, False]
    ((key, message),) = caller_metadata(guard(entry("a", "k")).identify({"api-key": "k"}, tuple))
    assert isinstance(message, bytes)
    assert (key, caller_pb2.Caller.FromString(message).name) == (CALLER_KEY, "a")
    assert caller_metadata(None) == []


def test_the_file_is_read_again_when_it_changes_and_a_bad_one_changes_nothing(tmp_path: Path) -> None:
    """Nor does one that is gone."""
    path = tmp_path / "keys.yaml"
    path.write_text(f"keys: [{{name: a, sha256: {digest_of('one')}}}]")
    book = KeyBook(path)
    first = book.now
    book.look()
    assert book.now is first
    path.write_text(f"keys: [{{name: a, sha256: {digest_of('another')}}}]")
    book.look()
    assert who(Guard(book), "another") == "a"
    for bad in ("keys: [{name: a}]", "keys: [", "\0"):
        path.write_text(bad)
        book.look()
        assert who(Guard(book), "another") == "a"
    path.unlink()
    book.look()
    assert who(Guard(book), "another") == "a"
    with pytest.raises(SettingsError, match=r"keys\.yaml: can't be read"):
        KeyBook(path)
