"""What does DNS say about a sending domain? Few bounded questions, through the system's resolver or a named one."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import dns.exception
import dns.name
import dns.resolver

from rekindle.policy.sender_domain import Records

#: Seconds for one question with its repetitions; a page waits for about a dozen of them at most.
PATIENCE_S = 3.0
_MOST_SELECTORS = 8


class DnsError(ValueError):
    """This is no name that can be asked about, or no resolver."""


def look_up(domain: str, selectors: Iterable[str], *, server: str = "") -> Records:
    """Records of a domain (ASCII). ``server``: ``address`` or ``address:port`` of a resolver; empty is the system's.

    Raises DnsError for a name or a resolver that cannot be used.
    """
    resolver = _resolver(server)
    try:
        dns.name.from_text(domain)
    except dns.exception.DNSException:
        raise DnsError("this is not a domain name") from None
    at, dmarc = _dmarc(resolver, domain)
    chosen = list(dict.fromkeys(selectors))[:_MOST_SELECTORS]
    return Records(
        spf=_texts(resolver, domain),
        dmarc=dmarc,
        dmarc_at=at,
        dkim={selector: _texts(resolver, f"{selector}._domainkey.{domain}") for selector in chosen},
        takes_mail=_takes_mail(resolver, domain),
    )


def _dmarc(resolver: dns.resolver.Resolver, domain: str) -> tuple[str, Sequence[str] | None]:
    """The domain's own record, else the first one above it, of a name with two labels at least."""
    labels = domain.split(".")
    for at in range(min(len(labels) - 1, 5)):
        name = ".".join(labels[at:])
        texts = _texts(resolver, f"_dmarc.{name}")
        if texts is None or any(text.lower().startswith("v=dmarc1") for text in texts):
            return name, texts
    return domain, []


def _texts(resolver: dns.resolver.Resolver, name: str) -> list[str] | None:
    """TXT records; empty when there are none, None when nobody answered."""
    try:
        answer = resolver.resolve(name, "TXT", search=False)
    except (dns.resolver.NoAnswer, dns.resolver.NXDOMAIN):
        return []
    except dns.exception.DNSException:
        return None
    return [b"".join(record.strings).decode("utf-8", "replace")[:4_000] for record in answer]


def _takes_mail(resolver: dns.resolver.Resolver, domain: str) -> bool | None:
    """An MX that is not the null one (RFC 7505), or an address (RFC 5321 5.1)."""
    try:
        answer = resolver.resolve(domain, "MX", search=False)
        return any(str(record.exchange) != "." for record in answer)
    except dns.resolver.NXDOMAIN:
        return False
    except dns.resolver.NoAnswer:
        pass
    except dns.exception.DNSException:
        return None
    for kind in ("A", "AAAA"):
        try:
            resolver.resolve(domain, kind, search=False)
            return True
        except (dns.resolver.NoAnswer, dns.resolver.NXDOMAIN):
            continue
        except dns.exception.DNSException:
            return None
    return False


def _resolver(server: str) -> dns.resolver.Resolver:
    try:
        resolver = dns.resolver.Resolver(configure=not server)
        if server:
            host, _, port = server.partition(":")
            resolver.nameservers = [host]
            resolver.port = int(port or 53)
    except (dns.exception.DNSException, ValueError):
        raise DnsError("no resolver can be asked") from None
    resolver.lifetime = PATIENCE_S
    return resolver
