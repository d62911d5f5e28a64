"""Which settings does the installation have? Read once from the environment, checked at start.

Every setting is ``REKINDLE_<NAME>`` (secrets also from ``REKINDLE_<NAME>_FILE``), plus ``DATABASE_URL``. A value
that cannot be used stops the start with a sentence that says what is expected.
"""

from __future__ import annotations

import os
from pathlib import Path
from urllib.parse import unquote, urlsplit

from django.core.exceptions import ImproperlyConfigured

from rekindle.lib.client_address import TrustedProxies
from rekindle.lib.vault import VaultKeys

BASE_DIR = Path(__file__).resolve().parent


def _text(name: str, default: str = "") -> str:
    path = os.environ.get(f"REKINDLE_{name}_FILE")
    if path:
        try:
            return Path(path).read_text(encoding="utf-8").strip()
        except OSError as error:
            raise ImproperlyConfigured(f"REKINDLE_{name}_FILE cannot be read: {error.strerror}") from None
    return os.environ.get(f"REKINDLE_{name}", default)


def _flag(name: str, *, default: bool) -> bool:
    raw = _text(name, "1" if default else "0").lower()
    if raw in ("1", "true", "yes", "on"):
        return True
    if raw in ("0", "false", "no", "off"):
        return False
    raise ImproperlyConfigured(f"REKINDLE_{name} must be 1 or 0, not {raw!r}")


def _number(name: str, default: int, low: int, high: int) -> int:
    raw = _text(name, str(default))
    if not raw.isascii() or not raw.isdigit() or not low <= int(raw) <= high:
        raise ImproperlyConfigured(f"REKINDLE_{name} must be a whole number from {low} to {high}, not {raw!r}")
    return int(raw)


def _proxies(name: str, default: str) -> TrustedProxies:
    raw = _text(name, default)
    try:
        return TrustedProxies.parse(raw)
    except ValueError as mistake:
        raise ImproperlyConfigured(
            f"REKINDLE_{name} must be a number of proxies or networks such as 10.0.0.0/8, not {raw!r}: {mistake}"
        ) from None


def _secret(name: str) -> str:
    value = _text(name)
    if value:
        if len(value) < 32:
            raise ImproperlyConfigured(f"REKINDLE_{name} needs at least 32 characters")
        return value
    if DEBUG:
        return f"only-for-development-{name.lower()}-".ljust(64, "x")
    raise ImproperlyConfigured(
        f"REKINDLE_{name} is not set. Make one with: python3 -c 'import secrets; print(secrets.token_urlsafe(48))'"
    )


def _older(name: str) -> tuple[bytes, ...]:
    """Earlier keys, comma-separated. Never quoted when one is wrong."""
    keys = tuple(key.strip().encode() for key in _text(name).split(",") if key.strip())
    if any(len(key) < 32 for key in keys):
        raise ImproperlyConfigured(f"REKINDLE_{name}: each key needs at least 32 characters")
    return keys


#: Development mode: readable errors, built-in secrets, cookies without TLS. Never on by accident.
DEBUG = _flag("DEBUG", default=False)
#: Signs sessions and forms.
SECRET_KEY = _secret("SECRET_KEY")
#: Earlier signing keys that are still accepted, comma-separated.
SECRET_KEY_FALLBACKS = [key for key in _text("SECRET_KEY_FALLBACKS").split(",") if key]
#: Keys the hashes of addresses and the draw of the holdout. Losing it loses every suppression: back it up.
HASH_KEY = _secret("HASH_KEY").encode()
#: Encrypts provider credentials at rest. Earlier keys, comma-separated in REKINDLE_VAULT_KEY_FALLBACKS, still open what
#: they sealed until `rekindle secrets rotate` has sealed it anew.
VAULT_KEY = VaultKeys(_secret("VAULT_KEY").encode(), _older("VAULT_KEY_FALLBACKS"))
#: Where shoppers and browsers reach this installation; links in messages begin with it.
PUBLIC_URL = _text("PUBLIC_URL", "http://127.0.0.1:8000").rstrip("/")
if urlsplit(PUBLIC_URL).scheme not in ("http", "https") or not urlsplit(PUBLIC_URL).hostname:
    raise ImproperlyConfigured("REKINDLE_PUBLIC_URL must be an address such as https://rekindle.shop.example")
#: Host names that requests may name, comma-separated; by default the one of PUBLIC_URL and loopback.
ALLOWED_HOSTS = [h for h in _text("ALLOWED_HOSTS").split(",") if h] or [
    str(urlsplit(PUBLIC_URL).hostname),
    "127.0.0.1",
    "localhost",
    "[::1]",
]
#: Where an embedded PostgreSQL and other local state live.
HOME = Path(_text("HOME", ".rekindle")).resolve()
#: Where the ends of the chains of consents and of the log are kept outside of the database: best on another disk.
HEADS_FILE = Path(_text("HEADS_FILE") or HOME / "heads.jsonl")
#: Folder of the journal of opt-outs and erasures: outside the database and its backups, the same for every process of
#: the installation, kept for good. After a restore nothing is sent until it was replayed. `off` keeps none, and nothing
#: watches over a restore. Without a value: `journal` under `REKINDLE_HOME`.
JOURNAL = None if _text("JOURNAL").lower() == "off" else Path(_text("JOURNAL") or HOME / "journal").resolve()
#: Largest number of database connections a web process keeps.
DATABASE_POOL = _number("DATABASE_POOL", 8, 1, 200)
#: Threads of a web process for pages and links; events need none.
REQUEST_THREADS = _number("REQUEST_THREADS", 4, 1, 64)
#: Ingest requests a second that one address may send with one write key, twice as many at once; 0 is no limit.
INGEST_RATE = _number("INGEST_RATE", 1_000, 0, 1_000_000)
#: Push services besides the known ones, comma-separated: host names, or origins such as http://127.0.0.1:8090. Whoever
#: visits a shop can have messages sent there.
PUSH_HOSTS = tuple(host for host in _text("PUSH_HOSTS").split(",") if host)
#: Resolver for the check of sending domains, as address or address:port; by default the system's.
DNS_SERVER = _text("DNS_SERVER")
#: Bearer token that /metrics asks for; without one it answers everybody who can reach it.
METRICS_TOKEN = _text("METRICS_TOKEN")


def _database(url: str) -> dict[str, object]:
    """Django's form of a postgresql:// URL; a socket directory goes into ?host=."""
    parts = urlsplit(url)
    if parts.scheme not in ("postgres", "postgresql"):
        raise ImproperlyConfigured("DATABASE_URL must begin with postgresql://")
    options = dict(pair.split("=", 1) for pair in parts.query.split("&") if "=" in pair)
    host = unquote(options.pop("host", "") or parts.hostname or "")
    return {
        "ENGINE": "django.db.backends.postgresql",
        "NAME": unquote(parts.path.lstrip("/")) or "rekindle",
        "USER": unquote(parts.username or ""),
        "PASSWORD": unquote(parts.password or ""),
        "HOST": host,
        "PORT": str(parts.port or options.pop("port", "") or ""),
        "CONN_MAX_AGE": 60,
        "CONN_HEALTH_CHECKS": True,
        "OPTIONS": {key: unquote(value) for key, value in options.items()},
    }


DATABASE_URL = os.environ.get("DATABASE_URL", "postgresql:///rekindle")
DATABASES = {"default": _database(DATABASE_URL)}

INSTALLED_APPS = [
    "django.contrib.auth",
    "django.contrib.contenttypes",
    "django.contrib.sessions",
    "django.contrib.messages",
    "django.contrib.staticfiles",
    "rekindle.store",
    "rekindle.web",
]
MIDDLEWARE = [
    "django.middleware.security.SecurityMiddleware",
    "whitenoise.middleware.WhiteNoiseMiddleware",
    "django.contrib.sessions.middleware.SessionMiddleware",
    "django.middleware.common.CommonMiddleware",
    "django.middleware.csrf.CsrfViewMiddleware",
    "django.contrib.auth.middleware.AuthenticationMiddleware",
    "django.contrib.messages.middleware.MessageMiddleware",
    "django.middleware.clickjacking.XFrameOptionsMiddleware",
    "rekindle.web.security.SecurityHeaders",
]
ROOT_URLCONF = "rekindle.urls"
WSGI_APPLICATION = "rekindle.wsgi.application"
TEMPLATES = [
    {
        "BACKEND": "django.template.backends.django.DjangoTemplates",
        "DIRS": [BASE_DIR / "web" / "templates"],
        "OPTIONS": {
            "context_processors": [
                "django.template.context_processors.request",
                "django.contrib.auth.context_processors.auth",
                "django.contrib.messages.context_processors.messages",
            ],
        },
    }
]
AUTH_PASSWORD_VALIDATORS = [
    {"NAME": "django.contrib.auth.password_validation.MinimumLengthValidator", "OPTIONS": {"min_length": 12}},
    {"NAME": "django.contrib.auth.password_validation.CommonPasswordValidator"},
    {"NAME": "django.contrib.auth.password_validation.UserAttributeSimilarityValidator"},
]
DEFAULT_AUTO_FIELD = "django.db.models.BigAutoField"
LANGUAGE_CODE = "en"
TIME_ZONE = "UTC"
USE_TZ = True
STATIC_URL = "/static/"
STATICFILES_DIRS = [BASE_DIR / "web" / "static"]
WHITENOISE_USE_FINDERS = True
WHITENOISE_AUTOREFRESH = DEBUG
LOGIN_URL = "/login"
LOGIN_REDIRECT_URL = "/"
SIGNED_COOKIE_LEGACY_SALT_FALLBACK = False  # CVE-2026-6873
_TLS = PUBLIC_URL.startswith("https://")
SESSION_COOKIE_SECURE = CSRF_COOKIE_SECURE = _TLS
SESSION_COOKIE_HTTPONLY = True
SESSION_COOKIE_SAMESITE = CSRF_COOKIE_SAMESITE = "Lax"
SESSION_COOKIE_AGE = 12 * 3600
CSRF_TRUSTED_ORIGINS = [PUBLIC_URL]
SECURE_CONTENT_TYPE_NOSNIFF = True
SECURE_REFERRER_POLICY = "same-origin"
SECURE_HSTS_SECONDS = 31_536_000 if _TLS else 0
SECURE_HSTS_INCLUDE_SUBDOMAINS = SECURE_HSTS_PRELOAD = _TLS
#: A trial: a shop without any account may use the sandbox, which takes every message and sends none.
SANDBOX = _flag("SANDBOX", default=False)
#: Set when a proxy in front ends TLS; then X-Forwarded-Proto is believed.
BEHIND_TLS_PROXY = _flag("BEHIND_TLS_PROXY", default=False)
#: Proxies whose X-Forwarded-For is believed: how many (1 when BEHIND_TLS_PROXY is set), or their networks.
TRUSTED_PROXIES = _proxies("TRUSTED_PROXIES", "1" if BEHIND_TLS_PROXY else "0")
SECURE_PROXY_SSL_HEADER = ("HTTP_X_FORWARDED_PROTO", "https") if BEHIND_TLS_PROXY else None
X_FRAME_OPTIONS = "DENY"
DATA_UPLOAD_MAX_MEMORY_SIZE = 2_500_000
LOGGING_CONFIG = None  # rekindle.lib.logs sets up structured logs without personal data
