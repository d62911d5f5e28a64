"""E-mail over SMTP: persistent, pipelined connections to one server, on any asyncio event loop."""

from rekindle.providers.email.smtp.provider import SmtpProvider
from rekindle.providers.email.smtp.settings import SmtpSettings, Timeouts, Tls

__all__ = ["SmtpProvider", "SmtpSettings", "Timeouts", "Tls"]
