"""Encryption and login: what was asked for happens, or nothing does."""

from __future__ import annotations

import ssl
from dataclasses import dataclass
from datetime import timedelta
from ipaddress import ip_address
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from rekindle.lib.clock import SYSTEM_CLOCK
from rekindle.providers.base import Accepted, NotStarted, Pause
from rekindle.providers.email.smtp import SmtpSettings, Timeouts, Tls
from tests.providers.letters import letter, run, send, smtp
from tests.providers.smtp_server import Script, serving

LOOP = pytest.mark.parametrize("loop", ["asyncio", "uvloop"])
LOGIN = ("shop", "pässword")


@dataclass(frozen=True)
class Authority:
    """A certificate authority made for this run, and a server certificate for 127.0.0.1."""

    file: str
    server: ssl.SSLContext
    stranger: ssl.SSLContext
    other_name: ssl.SSLContext


def _name(text: str) -> x509.Name:
    return x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, text)])


def _certificate(
    folder: Path, name: str, alternative: x509.GeneralName, issuer: tuple[x509.Name, ec.EllipticCurvePrivateKey] | None
) -> tuple[Path, ec.EllipticCurvePrivateKey]:
    key = ec.generate_private_key(ec.SECP256R1())
    now = SYSTEM_CLOCK.now()  # the TLS library asks the machine, too
    authority, signer = issuer or (_name(name), key)
    usage = x509.KeyUsage(True, False, False, False, False, issuer is None, issuer is None, False, False)
    certificate = (
        x509.CertificateBuilder()
        .subject_name(_name(name))
        .issuer_name(authority)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - timedelta(days=1))
        .not_valid_after(now + timedelta(days=1))
        .add_extension(x509.BasicConstraints(ca=issuer is None, path_length=None), critical=True)
        .add_extension(usage, critical=True)
        .add_extension(x509.SubjectAlternativeName([alternative]), critical=False)
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(key.public_key()), critical=False)
        .add_extension(x509.AuthorityKeyIdentifier.from_issuer_public_key(signer.public_key()), critical=False)
        .sign(signer, hashes.SHA256())
    )
    path = folder / f"{name}.pem"
    private = key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    path.write_bytes(certificate.public_bytes(serialization.Encoding.PEM) + private)
    return path, key


def _context(path: Path) -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(path)
    return context


@pytest.fixture(scope="module")
def authority(tmp_path_factory: pytest.TempPathFactory) -> Authority:
    folder = tmp_path_factory.mktemp("tls")
    here = x509.IPAddress(ip_address("127.0.0.1"))
    ca, key = _certificate(folder, "ca", x509.DNSName("ca.example"), None)
    good, _ = _certificate(folder, "server", here, (_name("ca"), key))
    other, _ = _certificate(folder, "elsewhere", x509.DNSName("mail.elsewhere.example"), (_name("ca"), key))
    stranger, _ = _certificate(folder, "stranger", here, None)
    return Authority(str(ca), _context(good), _context(stranger), _context(other))


@LOOP
@pytest.mark.parametrize("offered", ["PLAIN LOGIN", "LOGIN", "LOGIN PLAIN"])
def test_a_letter_and_its_login_travel_encrypted_after_starttls(authority: Authority, loop: str, offered: str) -> None:
    async def work() -> None:
        script = Script(tls=authority.server, login=LOGIN)
        async with serving(script) as server:
            provider = smtp(server.port, tls=Tls.REQUIRED, ca_file=authority.file, username=LOGIN[0], password=LOGIN[1])
            results = await send(provider, letter(1), letter(2))
            assert all(isinstance(one, Accepted) for one in results), results
            assert set(server.secure_commands) >= {"EHLO", "AUTH", "MAIL", "RCPT", "DATA"}
            assert [one for one in server.commands if one.startswith(("AUTH", "MAIL"))]
            assert server.commands[:2] == ["EHLO test.example", "STARTTLS"] or server.connections > 1
            await provider.close()

    run(work(), loop)


@LOOP
def test_implicit_tls(authority: Authority, loop: str) -> None:
    async def work() -> None:
        async with serving(Script(implicit_tls=authority.server, login=LOGIN)) as server:
            provider = smtp(server.port, tls=Tls.IMPLICIT, ca_file=authority.file, username=LOGIN[0], password=LOGIN[1])
            assert isinstance((await send(provider, letter()))[0], Accepted)
            await provider.close()

    run(work(), loop)


def test_login_works_without_auth_plain(authority: Authority) -> None:
    async def work() -> None:
        greeting = b"250-test\r\n250-PIPELINING\r\n250 AUTH=LOGIN\r\n"
        script = Script(implicit_tls=authority.server, login=LOGIN, replies={"ehlo": [greeting]})
        async with serving(script) as server:
            provider = smtp(server.port, tls=Tls.IMPLICIT, ca_file=authority.file, username=LOGIN[0], password=LOGIN[1])
            assert isinstance((await send(provider, letter()))[0], Accepted)
            assert "AUTH LOGIN" in server.commands
            await provider.close()

    run(work())


@LOOP
@pytest.mark.parametrize("implicit", [False, True])
@pytest.mark.parametrize("who", ["stranger", "other_name"])
def test_a_certificate_that_is_not_trusted_ends_everything(
    authority: Authority, loop: str, implicit: bool, who: str
) -> None:
    async def work() -> None:
        context = getattr(authority, who)
        script = Script(login=LOGIN, implicit_tls=context if implicit else None, tls=None if implicit else context)
        async with serving(script) as server:
            provider = smtp(
                server.port,
                tls=Tls.IMPLICIT if implicit else Tls.REQUIRED,
                ca_file=authority.file,
                username=LOGIN[0],
                password=LOGIN[1],
            )
            (outcome,) = await send(provider, letter())
            assert isinstance(outcome, NotStarted)
            assert (outcome.code, outcome.pause) == ("tls", Pause.OPERATOR)
            assert not any(command.startswith(("AUTH", "MAIL")) for command in server.commands)
            await provider.close()

    run(work(), loop)


@pytest.mark.parametrize(
    ("replies", "code", "pause"),
    [
        ({"starttls": [b"454 4.7.0 TLS not available"]}, "454 4.7.0", Pause.BACK_OFF),
        ({"starttls": [b"502 no"]}, "502", Pause.BACK_OFF),
    ],
)
def test_a_refused_starttls_never_falls_back_to_clear_text(
    authority: Authority, replies: dict[str, list[bytes]], code: str, pause: Pause
) -> None:
    async def work() -> None:
        async with serving(Script(tls=authority.server, replies=replies)) as server:
            provider = smtp(server.port, tls=Tls.REQUIRED, ca_file=authority.file)
            (outcome,) = await send(provider, letter())
            assert isinstance(outcome, NotStarted)
            assert (outcome.code, outcome.pause) == (code, pause)
            assert not any(command.startswith("MAIL") for command in server.commands)
            await provider.close()

    run(work())


@pytest.mark.parametrize("tls", [Tls.REQUIRED, Tls.IMPLICIT])
def test_a_server_without_tls_gets_nothing_when_tls_is_demanded(tls: Tls) -> None:
    async def work() -> None:
        async with serving() as server:
            wait_s = 30.0 if tls is Tls.REQUIRED else 0.3  # one waits for a handshake that never comes
            provider = smtp(server.port, tls=tls, timeouts=Timeouts(connect=wait_s, command=wait_s, close=0.1))
            (outcome,) = await send(provider, letter())
            assert isinstance(outcome, NotStarted)
            assert outcome.code == "tls"
            assert not any(command.startswith("MAIL") for command in server.commands)
            await provider.close()

    run(work())


@LOOP
def test_clear_text_behind_the_starttls_reply_is_an_attack(authority: Authority, loop: str) -> None:
    """RFC 3207 section 5: replies injected before the handshake must not be believed after it."""

    async def work() -> None:
        injected = b"250-evil\r\n250 AUTH PLAIN\r\n"
        async with serving(Script(tls=authority.server, behind_starttls=injected)) as server:
            provider = smtp(server.port, tls=Tls.REQUIRED, ca_file=authority.file)
            (outcome,) = await send(provider, letter())
            assert isinstance(outcome, NotStarted)
            assert "behind STARTTLS" in outcome.detail
            await provider.close()

    run(work(), loop)


@LOOP
def test_opportunistic_takes_any_certificate_or_none(authority: Authority, loop: str) -> None:
    async def work() -> None:
        for context in (authority.stranger, None):
            async with serving(Script(tls=context)) as server:
                provider = smtp(server.port, tls=Tls.OPPORTUNISTIC)
                assert isinstance((await send(provider, letter()))[0], Accepted)
                assert ("MAIL" in server.secure_commands) is (context is not None)
                await provider.close()

    run(work(), loop)


@pytest.mark.parametrize(
    ("replies", "login", "code", "pause"),
    [
        ({}, ("shop", "wrong"), "535 5.7.8", Pause.OPERATOR),
        ({"auth": [b"454 4.7.0 temporary"]}, LOGIN, "454 4.7.0", Pause.BACK_OFF),
        ({"auth": [b"534 5.7.9 use another way"]}, LOGIN, "534 5.7.9", Pause.OPERATOR),
        ({"auth": [b"421 4.7.0 too many"]}, LOGIN, "421 4.7.0", Pause.BACK_OFF),
    ],
)
def test_a_refused_login_pauses_the_account_and_fails_no_letter(
    authority: Authority, replies: dict[str, list[bytes]], login: tuple[str, str], code: str, pause: Pause
) -> None:
    async def work() -> None:
        async with serving(Script(implicit_tls=authority.server, login=LOGIN, replies=replies)) as server:
            provider = smtp(server.port, tls=Tls.IMPLICIT, ca_file=authority.file, username=login[0], password=login[1])
            results = await send(provider, letter(1), letter(2))
            for outcome in results:
                assert isinstance(outcome, NotStarted)
                assert (outcome.code, outcome.pause) == (code, pause)
                assert login[1] not in outcome.detail
            await provider.close()

    run(work())


def test_a_server_without_a_known_login_is_reported(authority: Authority) -> None:
    async def work() -> None:
        async with serving(Script(implicit_tls=authority.server)) as server:
            provider = smtp(server.port, tls=Tls.IMPLICIT, ca_file=authority.file, username="a", password="b")
            (outcome,) = await send(provider, letter())
            assert isinstance(outcome, NotStarted)
            assert (outcome.code, outcome.pause) == ("auth", Pause.OPERATOR)
            await provider.close()

    run(work())


@pytest.mark.parametrize(
    "changes",
    [
        {"tls": Tls.NONE, "username": "a"},
        {"tls": Tls.OPPORTUNISTIC, "username": "a"},
        {"tls": Tls.NONE, "username": "a", "allow_cleartext_login": True, "host": "mail.example"},
        {"tls": Tls.OPPORTUNISTIC, "username": "a", "allow_cleartext_login": True},
        {"host": ""},
        {"host": "a b"},
        {"port": 0},
        {"port": 70_000},
        {"connections": 0},
        {"client_name": "a b"},
        {"client_name": "büro"},
        {"letters_per_connection": 0},
    ],
)
def test_settings_that_cannot_be_safe_are_refused(changes: dict[str, object]) -> None:
    with pytest.raises(ValueError):
        SmtpSettings(**{"host": "127.0.0.1", **changes})  # type: ignore[arg-type]


def test_a_password_in_clear_text_only_to_this_machine_and_only_when_asked() -> None:
    async def work() -> None:
        async with serving(Script(login=LOGIN)) as server:
            provider = smtp(server.port, username=LOGIN[0], password=LOGIN[1], allow_cleartext_login=True)
            assert isinstance((await send(provider, letter()))[0], Accepted)
            await provider.close()

    run(work())


def test_settings_never_show_the_password() -> None:
    settings = SmtpSettings(host="mail.example", username="a", password="very-secret")
    assert "very-secret" not in repr(settings)
