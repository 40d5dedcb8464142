"""What the settings of TLS and of tokens may say, and what of their files is refused."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from pointsman.runtime.addresses import is_local_target, is_loopback
from pointsman.runtime.peers import names_in_certificate
from pointsman.runtime.pem_files import PemFiles, PemPaths
from pointsman.runtime.settings_file import SettingsError, load_settings
from pointsman.runtime.tokens import Tokens
from tests.support.certificates import Authority, Issued

ENCRYPTED = b"-----BEGIN ENCRYPTED PRIVATE KEY-----\nAAAA\n-----END ENCRYPTED PRIVATE KEY-----\n"
NO_KEY = b"-----BEGIN CERTIFICATE-----\nnonsense\n-----END CERTIFICATE-----\n"


@pytest.mark.parametrize(
    ("text", "complaint"),
    [
        ("gateway: {tls: {cert_file: a}}", "gateway.tls.key_file: Field required"),
        ("gateway: {tls: {cert_fil: a, key_file: b}}", "gateway.tls.cert_fil: unknown key; did you mean 'cert_file'?"),
        (
            "controller: {tls: {cert_file: a, key_file: b, client_certificates: required}}",
            "controller.tls: client_certificates: optional or",
        ),
        ("controller: {tls: {cert_file: a, key_file: b, client_ca_file: c}}", "controller.tls: client_certificates: optional or"),
        ("controller: {tls: {cert_file: a, key_file: b, client_certificates: maybe}}", "'none', 'optional' or 'required'"),
        ("gateway: {controller_tls: {cert_file: a}}", "gateway.controller_tls: cert_file and key_file go together"),
        (
            "gateway: {controller_token_env: A, controller_token_file: b}",
            "controller_token_env and controller_token_file exclude each other",
        ),
        ("controller: {token_env: A, token_file: b}", "token_env and token_file exclude each other"),
    ],
)
def test_settings_that_cannot_go_together_are_named(tmp_path: Path, text: str, complaint: str) -> None:
    """With the file and the key."""
    (tmp_path / "settings.yaml").write_text(text)
    with pytest.raises(SettingsError) as caught:
        load_settings(tmp_path / "settings.yaml")
    assert complaint in str(caught.value)


@pytest.mark.parametrize(
    ("spoil", "complaint"),
    [
        (lambda a: (a.folder / "server.crt").unlink(), r"gateway\.tls\.cert_file: .*server\.crt can't be read: No such file"),
        (lambda a: (a.folder / "server.key").unlink(), r"gateway\.tls\.key_file: .*server\.key can't be read: No such file"),
        (lambda a: (a.folder / "server.crt").write_bytes(b""), r"gateway\.tls\.cert_file: .*server\.crt holds no certificate in PEM"),
        (lambda a: (a.folder / "server.crt").write_bytes(NO_KEY), r"gateway\.tls: .*server\.crt with .*server\.key can't be used"),
        (lambda a: (a.folder / "server.key").write_bytes(NO_KEY), r"gateway\.tls\.key_file: .*server\.key holds no private key"),
        (lambda a: (a.folder / "server.key").write_bytes(ENCRYPTED), r"gateway\.tls\.key_file: .*server\.key is encrypted"),
        (lambda a: (a.folder / "server.key").write_bytes(a.issue().key), r"server\.crt and .*server\.key don't belong together"),
        (lambda a: a.ca_file.unlink(), r"gateway\.tls\.client_ca_file: .*ca\.crt can't be read"),
        (lambda a: a.ca_file.write_bytes(b"x"), r"gateway\.tls\.client_ca_file: .*ca\.crt holds no certificate in PEM"),
        (lambda a: a.ca_file.write_bytes(NO_KEY), r"gateway\.tls\.client_ca_file: .*ca\.crt can't be used"),
    ],
)
def test_files_that_cannot_be_used_are_refused_by_their_key(tmp_path: Path, spoil: Callable[[Authority], object], complaint: str) -> None:
    """Before anything listens."""
    ours = Authority(tmp_path / "ours")
    tls = ours.server("required")
    paths = PemPaths("gateway.tls", tls.cert_file, tls.key_file, tls.client_ca_file, "client_ca_file")
    assert paths.read().chain
    spoil(ours)
    with pytest.raises(SettingsError, match=complaint):
        PemFiles(paths)


def test_files_are_the_same_object_until_they_change(tmp_path: Path) -> None:
    """So that a listener notices, and a touch without a change is none."""
    ours = Authority(tmp_path / "ours")
    tls = ours.server()
    files = PemFiles(PemPaths("gateway.tls", tls.cert_file, tls.key_file, None))
    first = files.now()
    assert files.now() is first
    ours.write(Issued(first.chain or b"", first.key or b""))
    assert files.now() is first
    ours.write(ours.issue())
    assert files.now() is not first
    assert files.now() is files.now()


@pytest.mark.parametrize("text", ["", "\n \n", "short", "a-token-with a space in it", "a-token-with-ünicode-in-it", "x" * 4097])
def test_a_token_that_cannot_be_one_is_refused_without_being_said(tmp_path: Path, text: str) -> None:
    """Too short, too long, or nothing that metadata could carry."""
    (tmp_path / "token").write_text(text)
    with pytest.raises(SettingsError, match=r"controller\.token_file: a token is 16 to 4096") as caught:
        Tokens("controller.token", None, tmp_path / "token")
    assert not text.strip() or text not in str(caught.value)


def test_a_token_comes_from_the_environment_too_and_the_first_one_is_sent(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """None at all is no token, and lets nobody in who sends an empty one."""
    monkeypatch.setenv("A_TOKEN", " a-token-of-the-gateway \n")
    assert Tokens("gateway.controller_token", "A_TOKEN", None).metadata() == (("authorization", "Bearer a-token-of-the-gateway"),)
    (tmp_path / "token").write_text("the-first-of-two-tokens\nthe-second-of-two-tokens\n")
    two = Tokens("controller.token", None, tmp_path / "token")
    assert two.metadata() == (("authorization", "Bearer the-first-of-two-tokens"),)
    for said, allowed in (("Bearer the-second-of-two-tokens", True), ("bearer the-first-of-two-tokens", True), ("Bearer", False)):
        assert two.allow({"authorization": said}) is allowed
    assert not two.allow({"authorization": b"Bearer the-first-of-two-tokens"})
    none = Tokens("controller.token", None, None)
    assert none.metadata() == ()
    assert not none.allow({"authorization": "Bearer "})


def test_loopback_is_told_from_the_rest_of_the_world() -> None:
    """Names, addresses of both versions, and gRPC's targets; what isn't known is the world's."""
    for host in ("localhost", "127.0.0.1", "127.8.8.8", "::1", "[::1]"):
        assert is_loopback(host)
    for host in ("0.0.0.0", "::", "", "192.0.2.7", "router.example", "localhost.example", "127.0.0.1.example"):
        assert not is_loopback(host)
    for target in (
        "localhost:1",
        "127.0.0.1:1",
        "[::1]:1",
        "dns:///localhost:1",
        "ipv4:127.0.0.1:1,127.0.0.1:2",
        "unix:/x",
        "ipv6:[::1]:1",
    ):
        assert is_local_target(target), target
    for target in ("router.example:1", "192.0.2.7:1", "dns:///router.example:1", "ipv4:127.0.0.1:1,192.0.2.7:1"):
        assert not is_local_target(target), target
    for target in ("dns://127.0.0.1/router.example:1", "xds:///127.0.0.1:1"):
        assert not is_local_target(target), target


def test_names_are_read_of_a_verified_certificate_alone() -> None:
    """What Python gives of it: None without one, and nothing of one that it didn't verify."""
    certificate = {
        "subject": ((("countryName", "CN"),), (("commonName", "bot"),)),
        "subjectAltName": (
            ("URI", "spiffe://x/bot"),
            ("DNS", "bot.example"),
            ("IP Address", "192.0.2.7"),
            ("DNS", "bot"),
            ("email", "a@b"),
        ),
    }
    assert names_in_certificate(certificate) == ("bot", "bot.example", "spiffe://x/bot")
    assert names_in_certificate(None) == names_in_certificate({}) == ()
