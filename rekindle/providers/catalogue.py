"""Which providers are there, what does an account at each need, and what is made of it?

The one list from which accounts are entered, opened and listened to. ``fields`` are what a person types in; those that
are secret are sealed at rest. ``hook_fields`` prove reports: each may hold two values while a key is changed, separated
by blanks. SMTP has an adapter of its own form and is not in this list.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Final, TypeAlias

from rekindle.lib.clock import SYSTEM_CLOCK, Clock
from rekindle.providers.email.anymail import Anymail, is_installed
from rekindle.providers.email.brevo import Brevo
from rekindle.providers.email.brevo_feedback import BrevoReceiver
from rekindle.providers.email.mailgun import Mailgun
from rekindle.providers.email.mailgun_feedback import MailgunReceiver
from rekindle.providers.email.mandrill import Mandrill
from rekindle.providers.email.mandrill_feedback import MandrillReceiver
from rekindle.providers.email.postmark import Postmark
from rekindle.providers.email.postmark_feedback import PostmarkReceiver
from rekindle.providers.email.resend import Resend
from rekindle.providers.email.resend_feedback import ResendReceiver
from rekindle.providers.email.sendgrid import SendGrid
from rekindle.providers.email.sendgrid_feedback import SendGridReceiver
from rekindle.providers.email.ses import Ses
from rekindle.providers.email.ses_feedback import SesReceiver
from rekindle.providers.feedback import NoReceiver, Receiver
from rekindle.providers.http_client import HttpClient
from rekindle.providers.over_http import Dialect, HttpProvider
from rekindle.providers.push.fcm import Fcm, FcmProvider
from rekindle.providers.push.vapid import make_private_key
from rekindle.providers.push.web_push import WebPush, WebPushProvider
from rekindle.providers.sms.twilio import Twilio
from rekindle.providers.sms.twilio_feedback import TwilioReceiver
from rekindle.providers.sms.vonage import Vonage
from rekindle.providers.sms.vonage_feedback import VonageReceiver
from rekindle.terms.send import Channel

Values = Mapping[str, str]
Certificates = Mapping[str, bytes]
Provider: TypeAlias = HttpProvider[Any, Any] | WebPushProvider | FcmProvider


@dataclass(frozen=True, slots=True, kw_only=True)
class Field:
    """One thing to type in. ``default`` is used when it is left empty; without one it must not be.

    ``make``: for a new account that leaves it empty, a value of its own is made and stored.
    """

    name: str
    label: str
    is_secret: bool = False
    default: str | None = None
    hint: str = ""
    make: Callable[[], str] | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class ProviderKind:
    """One provider. ``connect`` raises ValueError with a sentence for the person who typed the values in."""

    name: str
    title: str
    channel: Channel
    fields: tuple[Field, ...]
    hook_fields: tuple[Field, ...] = ()
    connect: Callable[[HttpClient, Values, Clock], Provider]
    listen: Callable[[Values, Certificates], Receiver] = lambda _, __: NoReceiver()

    def provider(self, client: HttpClient, values: Values, *, clock: Clock = SYSTEM_CLOCK) -> Provider:
        """A provider, not opened yet. Raises ValueError."""
        return self.connect(client, self._complete(values, self.fields), clock)

    def made(self, values: Values) -> Values:
        """What is typed in for a new account, with what is made for it: store this."""
        new = {
            field.name: field.make() for field in self.fields if field.make and not values.get(field.name, "").strip()
        }
        return {**values, **new}

    def receiver(self, values: Values, certificates: Certificates | None = None) -> Receiver:
        """What reads this account's reports. ``certificates``: for SES, PEM by URL. Raises ValueError."""
        return self.listen(self._complete(values, self.hook_fields), {} if certificates is None else certificates)

    def _complete(self, values: Values, fields: tuple[Field, ...]) -> Values:
        complete: dict[str, str] = {}
        for field in fields:
            value = values.get(field.name, "").strip() or field.default
            if value is None:
                raise ValueError(f"{self.title}: {field.label} is missing")
            complete[field.name] = value
        return complete


def _url(default: str, hint: str = "") -> Field:
    return Field(name="base_url", label="API address", default=default, hint=hint)


def _key(name: str = "api_key", label: str = "API key") -> Field:
    return Field(name=name, label=label, is_secret=True)


def _hook(label: str, hint: str = "") -> tuple[Field, ...]:
    return (Field(name="hook_keys", label=label, is_secret=True, default="", hint=hint),)


def _by(dialect: Callable[[Values, Clock], Dialect[Any, Any]]) -> Callable[[HttpClient, Values, Clock], Provider]:
    """For providers that are a translation and nothing else."""
    return lambda client, values, clock: HttpProvider(client, dialect(values, clock))


def _keys(values: Values) -> list[str]:
    return values["hook_keys"].split()


def _optional() -> Iterator[ProviderKind]:
    """Providers that need a package which is not everywhere."""
    if is_installed():
        yield ProviderKind(
            name="anymail",
            title="another provider, by django-anymail",
            channel=Channel.EMAIL,
            fields=(
                Field(name="esp", label="provider", hint="as Anymail names it, such as mailersend"),
                Field(
                    name="settings", label="settings", is_secret=True, hint='a JSON object, such as {"api_token": "…"}'
                ),
            ),
            connect=_by(lambda v, _: Anymail(**v)),
        )


_SHARED: Final = "user:password as in the hook's address, or a bearer token"

KINDS: Final[Mapping[str, ProviderKind]] = {
    kind.name: kind
    for kind in (
        ProviderKind(
            name="sendgrid",
            title="SendGrid",
            channel=Channel.EMAIL,
            fields=(_key(), _url("https://api.sendgrid.com", "EU subusers: https://api.eu.sendgrid.com")),
            hook_fields=_hook("verification key"),
            connect=_by(lambda v, _: SendGrid(**v)),
            listen=lambda v, _: SendGridReceiver(_keys(v)),
        ),
        ProviderKind(
            name="mandrill",
            title="Mailchimp Transactional",
            channel=Channel.EMAIL,
            fields=(
                _key(),
                Field(name="subaccount", label="subaccount", default=""),
                _url("https://mandrillapp.com"),
            ),
            hook_fields=_hook("webhook key", "known only after the webhook was made"),
            connect=_by(lambda v, _: Mandrill(**v)),
            listen=lambda v, _: MandrillReceiver(_keys(v)),
        ),
        ProviderKind(
            name="ses",
            title="Amazon SES",
            channel=Channel.EMAIL,
            fields=(
                Field(name="access_key", label="access key"),
                _key("secret_key", "secret access key"),
                Field(name="region", label="region", hint="such as eu-central-1"),
                Field(name="configuration_set", label="configuration set", default="", hint="publishes events"),
                _url("", "only for a private or FIPS endpoint"),
            ),
            hook_fields=_hook("SNS topic ARNs", "only these topics may speak"),
            connect=_by(lambda v, clock: Ses(**v, clock=clock)),
            listen=lambda v, certificates: SesReceiver(_keys(v), certificates),
        ),
        ProviderKind(
            name="resend",
            title="Resend",
            channel=Channel.EMAIL,
            fields=(_key(), _url("https://api.resend.com")),
            hook_fields=_hook("signing secret", "whsec_…"),
            connect=_by(lambda v, _: Resend(**v)),
            listen=lambda v, _: ResendReceiver(_keys(v)),
        ),
        ProviderKind(
            name="postmark",
            title="Postmark",
            channel=Channel.EMAIL,
            fields=(
                _key("server_token", "server token"),
                Field(name="message_stream", label="message stream", default="broadcast"),
                _url("https://api.postmarkapp.com"),
            ),
            hook_fields=_hook("hook credentials", _SHARED),
            connect=_by(lambda v, _: Postmark(**v)),
            listen=lambda v, _: PostmarkReceiver(_keys(v)),
        ),
        ProviderKind(
            name="mailgun",
            title="Mailgun",
            channel=Channel.EMAIL,
            fields=(
                _key(),
                Field(name="domain", label="sending domain"),
                _url("https://api.mailgun.net", "EU domains: https://api.eu.mailgun.net"),
            ),
            hook_fields=_hook("HTTP webhook signing key"),
            connect=_by(lambda v, _: Mailgun(**v)),
            listen=lambda v, _: MailgunReceiver(_keys(v)),
        ),
        ProviderKind(
            name="brevo",
            title="Brevo",
            channel=Channel.EMAIL,
            fields=(_key(), _url("https://api.brevo.com")),
            hook_fields=_hook("hook credentials", _SHARED),
            connect=_by(lambda v, _: Brevo(**v)),
            listen=lambda v, _: BrevoReceiver(_keys(v)),
        ),
        ProviderKind(
            name="twilio",
            title="Twilio",
            channel=Channel.SMS,
            fields=(
                Field(name="account_sid", label="account SID", hint="AC…"),
                Field(name="key_sid", label="API key SID", default="", hint="SK…; empty: the account's own token"),
                _key("secret", "auth token or API key secret"),
                Field(name="messaging_service", label="messaging service SID", default="", hint="MG…"),
                _url("https://api.twilio.com"),
            ),
            hook_fields=_hook("auth token", "signs reports even when an API key is used for sending"),
            connect=_by(lambda v, _: Twilio(**v)),
            listen=lambda v, _: TwilioReceiver(_keys(v)),
        ),
        ProviderKind(
            name="vonage",
            title="Vonage",
            channel=Channel.SMS,
            fields=(
                Field(name="application_id", label="application id"),
                _key("private_key", "private key (PEM)"),
                _url("https://api.nexmo.com", "regions: https://api-eu.vonage.com, https://api-us.vonage.com"),
            ),
            hook_fields=_hook("signature secret"),
            connect=_by(lambda v, clock: Vonage(**v, clock=clock)),
            listen=lambda v, _: VonageReceiver(_keys(v)),
        ),
        ProviderKind(
            name="web_push",
            title="Web push",
            channel=Channel.PUSH,
            fields=(
                Field(name="subject", label="contact", hint="for push services: mailto:somebody@shop.example"),
                Field(
                    name="vapid_private_key",
                    label="VAPID private key",
                    is_secret=True,
                    hint="empty: a new one; subscriptions only work with the key they were made with",
                    make=make_private_key,
                ),
            ),
            connect=lambda client, v, clock: WebPushProvider(
                client, WebPush(private_key=v["vapid_private_key"], subject=v["subject"], clock=clock)
            ),
        ),
        ProviderKind(
            name="fcm",
            title="Firebase Cloud Messaging",
            channel=Channel.PUSH,
            fields=(
                _key("key_file", "service account key (JSON)"),
                _url("https://fcm.googleapis.com"),
            ),
            connect=lambda client, v, clock: FcmProvider(client, Fcm(**v, clock=clock)),
        ),
        *_optional(),
    )
}
