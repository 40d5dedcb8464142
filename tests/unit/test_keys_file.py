"""The keys file: read strictly, and written by `pointsman keys new`."""

from __future__ import annotations

import stat
from datetime import UTC, datetime
from pathlib import Path

import pytest

from pointsman.runtime.keys_file import PREFIX, append_entry, digest_of, entry_text, load_keys, new_key, with_entry
from pointsman.runtime.settings_file import SettingsError

A, B = "a" * 64, "b" * 64


def _written(folder: Path, text: str) -> Path:
    path = folder / "keys.yaml"
    path.write_text(text)
    return path


def test_one_hash_or_two_and_a_time_without_quotes(tmp_path: Path) -> None:
    """As people write them."""
    text = f"keys:\n- {{name: one, sha256: {A}, expires: 2027-01-31T00:00:00Z}}\n- {{name: two, sha256: [{B}]}}"
    one, two = load_keys(_written(tmp_path, text)).keys
    assert (one.sha256, two.sha256) == ([A], [B])
    assert one.expires == datetime(2027, 1, 31, tzinfo=UTC)
    assert (two.expires, two.strategies, two.pin_tier, two.admin, two.requests_per_minute) == (None, None, False, False, None)


@pytest.mark.parametrize(
    ("entries", "complaint"),
    [
        (f"[{{name: a, sha256: {A}, strategis: [mf]}}]", "keys.0.strategis: unknown key; did you mean 'strategies'?"),
        (f"[{{name: A, sha256: {A}}}]", "keys.0.name"),
        (f"[{{name: {'a' * 65}, sha256: {A}}}]", "keys.0.name"),
        ("[{name: a, sha256: secret}]", "keys.0.sha256.0: must be 64 hex digits"),
        (f"[{{name: a, sha256: [{A}, {B}, {'c' * 64}]}}]", "keys.0.sha256: Value should have at most 2 items"),
        ("[{name: a}]", "keys.0: a key needs sha256, certificates, or both"),
        (f"[{{name: a, sha256: {A}, expires: 2027-01-31}}]", "keys.0.expires"),
        (f"[{{name: a, sha256: {A}, expires: 1800000000}}]", "keys.0.expires: a time reads 2027-01-31T00:00:00Z"),
        (f"[{{name: a, sha256: {A}, requests_per_minute: 0}}]", "keys.0.requests_per_minute"),
        (f"[{{name: a, sha256: {A}}}, {{name: a, sha256: {B}}}]", "the name 'a' is there twice"),
        (f"[{{name: a, sha256: {A}}}, {{name: b, sha256: {A}}}]", "the sha256"),
        ("[{name: a, certificates: [x]}, {name: b, certificates: [x]}]", "the certificate 'x' is there twice"),
    ],
)
def test_a_wrong_entry_is_named(tmp_path: Path, entries: str, complaint: str) -> None:
    """File, place, and what would be right."""
    path = _written(tmp_path, f"keys: {entries}")
    with pytest.raises(SettingsError) as caught:
        load_keys(path)
    assert complaint in str(caught.value)
    assert str(path) in str(caught.value)


@pytest.mark.parametrize(
    "text", ["keys: [{KEY: 1}]", "keys: [{name: a, sha256: KEY}]", "keys: [{name: a, sha256: KEY]", "KEY: x", "keys: [KEY"]
)
def test_a_key_that_somebody_wrote_into_the_file_isnt_repeated(tmp_path: Path, text: str) -> None:
    """What is wrong with the file goes to a log."""
    key, _ = new_key("a")
    with pytest.raises(SettingsError) as caught:
        load_keys(_written(tmp_path, text.replace("KEY", key)))
    assert key not in str(caught.value)


def test_a_new_key_is_random_and_its_entry_has_only_its_hash() -> None:
    """256 bits, 43 characters of base64 behind the prefix."""
    (key, entry), (other, _) = new_key("a"), new_key("a")
    assert key.startswith(PREFIX)
    assert len(key) == len(PREFIX) + 43
    assert key != other
    assert entry.sha256 == [digest_of(key)]
    assert key not in entry_text(entry)


def test_a_name_that_yaml_would_take_for_something_else_stays_a_name(tmp_path: Path) -> None:
    """And entries are added behind those that are there, comments and all; the file is its owner's."""
    path = tmp_path / "keys.yaml"
    for name in ("123", "true", "null", "1.5"):
        append_entry(path, new_key(name)[1])
    path.write_text("# ours\n" + path.read_text())
    append_entry(path, new_key("last", datetime(2027, 1, 31, tzinfo=UTC))[1])
    assert [each.name for each in load_keys(path).keys] == ["123", "true", "null", "1.5", "last"]
    assert load_keys(path).keys[-1].expires == datetime(2027, 1, 31, tzinfo=UTC)
    assert path.read_text().startswith("# ours\n")
    path.chmod(0o640)
    append_entry(path, new_key("one-more")[1])
    assert stat.S_IMODE(path.stat().st_mode) == 0o640


def test_what_cant_be_added_to_changes_nothing(tmp_path: Path) -> None:
    """A name that is there, and a list in another style."""
    path = _written(tmp_path, f"keys:\n  - name: a\n    sha256: {A}\n")
    with pytest.raises(SettingsError, match="there already"):
        append_entry(path, new_key("a")[1])
    with pytest.raises(ValueError, match="by hand"):
        with_entry(f"keys: [{{name: a, sha256: {A}}}]\n", new_key("b")[1])
    assert [each.name for each in load_keys(path).keys] == ["a"]
    with pytest.raises(ValueError, match="name"):
        new_key("Not A Name")
