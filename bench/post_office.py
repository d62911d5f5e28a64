"""The peer of W3a: django-post-office, as its documentation sets it up, over the same server, letter and sink.

Modes: ``migrate`` (its own database), ``queue COUNT`` (stored template, context per recipient, rendered on delivery),
``deliver`` (waits for a line; then what ``send_queued_mail --processes 2`` does, with its default settings).
DATABASE_URL and SINK_PORT come from the environment.
"""

from __future__ import annotations

import os
import sys
from urllib.parse import parse_qs, unquote, urlsplit

_BACKENDS = "post_office.template.backends.post_office"


def configure() -> None:
    import django
    from django.conf import settings

    url = urlsplit(os.environ["DATABASE_URL"])
    query = parse_qs(url.query)
    database = {
        "ENGINE": "django.db.backends.postgresql",
        "NAME": unquote(url.path.lstrip("/")),
        "USER": unquote(url.username or ""),
        "PASSWORD": unquote(url.password or ""),
        "HOST": query.get("host", [url.hostname or ""])[0],
        "PORT": query.get("port", [""])[0],
    }
    settings.configure(
        DATABASES={"default": database},
        INSTALLED_APPS=["django.contrib.contenttypes", "post_office"],
        TEMPLATES=[
            {"BACKEND": "django.template.backends.django.DjangoTemplates", "APP_DIRS": True},
            {
                "BACKEND": "post_office.template.backends.post_office.PostOfficeTemplates",
                "APP_DIRS": True,
                "OPTIONS": {},
            },
        ],
        EMAIL_BACKEND="post_office.EmailBackend",
        EMAIL_HOST="127.0.0.1",
        EMAIL_PORT=int(os.environ.get("SINK_PORT", "25")),
        POST_OFFICE={"BACKENDS": {"default": "django.core.mail.backends.smtp.EmailBackend"}},  # all else: its defaults
        LOGGING_CONFIG=None,
        USE_TZ=True,
        DEFAULT_AUTO_FIELD="django.db.models.BigAutoField",
        SECRET_KEY="bench",
    )
    django.setup()


def queue(count: int) -> None:
    from post_office import mail
    from post_office.models import EmailTemplate

    from bench.w3a_letter import django as letter

    subject, html, text = letter()
    template = EmailTemplate.objects.create(name="cart", subject=subject, html_content=html, content=text)
    for first in range(0, count, 500):
        mail.send_many(
            [
                {
                    "sender": "shop@fernweh.example",
                    "recipients": [f"peer-{n}@shopper.example"],
                    "template": template,
                    "context": context(n),
                    "render_on_delivery": True,
                    "headers": {"List-Unsubscribe": f"<https://rekindle.example/u/{n:046d}>"},
                }
                for n in range(first, min(first + 500, count))
            ]
        )


def context(n: int) -> dict[str, object]:
    rows = [
        {
            "title": f"Piece {n}-{at} & <more>",
            "quantity": at + 1,
            "price": f"€{n % 90 + 10}.{at}0",
            "link": f"https://rekindle.example/c/{n:046d}/{at}",
            "image": f"https://fernweh.example/p{at}.jpg",
        }
        for at in range(3)
    ]
    return {
        "name": f"Ada{n}",
        "shop": "Fernweh",
        "count": 6,
        "rows": rows,
        "total": f"€{n % 900 + 100}.00",
        "recover": f"https://rekindle.example/r/{n:046d}",
        "stop": f"https://rekindle.example/u/{n:046d}",
        "address": "Fernweh, Hauptstr. 1, 10115 Berlin",
    }


def main() -> None:
    configure()
    if sys.argv[1] == "migrate":
        from django.core.management import call_command

        call_command("migrate", verbosity=0)
    elif sys.argv[1] == "queue":
        queue(int(sys.argv[2]))
    else:
        from post_office.mail import send_queued_mail_until_done

        print("ready", flush=True)
        sys.stdin.readline()
        send_queued_mail_until_done(processes=2)
        print("done", flush=True)
        sys.stdin.readline()


if __name__ == "__main__":
    main()
