"""How is received mail shown? The inbox's pages and its JSON."""

from __future__ import annotations

import http.client
import json
from collections.abc import Iterable
from email.utils import parseaddr
from pathlib import Path
from urllib.parse import urlsplit

import minijinja

from rekindle.simulate.inbox.mailbox import Mailbox
from rekindle.simulate.inbox.received import ReceivedMail
from rekindle.simulate.wsgi import Environ, RefusedError, Request, Response, StartResponse, read_request, redirect

HERE = Path(__file__).parent
LONGEST_WAIT_S = 25.0
VIEWS = ("html", "text", "headers")
LOOPBACK = ("127.0.0.1", "localhost", "::1")

PAGE_POLICY = (
    "default-src 'self'; img-src 'self' data:; object-src 'none'; base-uri 'none'; form-action 'self'; "
    "frame-ancestors 'none'"
)
#: The mail's own HTML: pictures and inline styles, nothing that runs, sends or frames; links open elsewhere.
MAIL_POLICY = (
    "sandbox allow-popups allow-popups-to-escape-sandbox; default-src 'none'; img-src http: https: data:; "
    "style-src 'unsafe-inline'; form-action 'none'; base-uri 'none'; frame-ancestors 'self'"
)


class InboxPages:
    """The WSGI callable."""

    def __init__(self, mailbox: Mailbox) -> None:
        self._mailbox = mailbox
        sources = {path.name: path.read_text(encoding="utf-8") for path in (HERE / "templates").glob("*.html")}
        self._environment = minijinja.Environment(templates=sources)
        self._static = {
            "inbox.css": ("text/css", (HERE / "static/inbox.css").read_bytes()),
            "inbox.js": ("text/javascript", (HERE / "static/inbox.js").read_bytes()),
        }

    def __call__(self, environ: Environ, start: StartResponse) -> Iterable[bytes]:
        try:
            request = read_request(environ)
            if request.method == "POST" and request.origin not in (None, request.base):
                raise RefusedError(403, "this was sent from another site")
            response = self._answer(request)
        except RefusedError as refusal:
            response = Response(str(refusal).encode(), refusal.status, "text/plain; charset=utf-8")
        named = {name for name, _ in response.headers}
        extra = [("Cache-Control", "no-store"), ("X-Content-Type-Options", "nosniff")]
        if "Content-Security-Policy" not in named:
            extra.append(("Content-Security-Policy", PAGE_POLICY))
        return response.send(start, extra=extra)

    def _answer(self, request: Request) -> Response:
        parts = request.path.strip("/").split("/")
        reading = request.method in ("GET", "HEAD")
        match parts:
            case [""] if reading:
                return self._page(None, "html", request)
            case ["static", name] if reading and name in self._static:
                kind, body = self._static[name]
                return Response(body, content_type=kind)
            case ["api", "messages"] if reading:
                return self._list(request)
            case ["api", "messages", number] if reading:
                return _json(_whole(self._find(number)))
            case ["messages", number] if reading:
                return self._page(self._find(number), request.query.get("view", "html"), request)
            case ["messages", number, "body"] if reading:
                return _mail_html(self._find(number))
            case ["messages", number, "raw"] if reading:
                return Response(self._find(number).raw, content_type="text/plain; charset=utf-8")
            case ["messages", number, "unsubscribe"] if request.method == "POST":
                return self._unsubscribe(self._find(number))
            case ["clear"] if request.method == "POST":
                self._mailbox.clear()
                return redirect("/")
        raise RefusedError(404, "there is nothing at this address")

    def _find(self, number: str) -> ReceivedMail:
        mail = self._mailbox.find(int(number)) if number.isascii() and number.isdigit() else None
        if mail is None:
            raise RefusedError(404, "this mail is not here, or not any more")
        return mail

    def _page(self, chosen: ReceivedMail | None, view: str, request: Request) -> Response:
        if chosen and (view not in VIEWS or (view == "html" and not chosen.html)):
            view = "text"
        mail = self._mailbox.messages[::-1]
        page = self._environment.render_template(
            "inbox.html",
            mail=[_line(each) for each in mail],
            newest=mail[0].number if mail else 0,
            chosen=_whole(chosen) | {"attachments": list(chosen.attachments)} if chosen else None,
            one_click=bool(chosen and chosen.one_click_url),
            view=view,
            left=request.query.get("left", ""),
        )
        return Response(page.encode())

    def _list(self, request: Request) -> Response:
        """Mail ``after=NUMBER`` and ``to=ADDRESS``; with ``wait=SECONDS`` as soon as there is some."""
        after, wait = request.query.get("after", "0"), request.query.get("wait", "0")
        if not (after + wait).isdigit() or not after.isascii() or len(after) > 12 or len(wait) > 4:
            raise RefusedError(400, "after and wait are whole numbers")
        mail = self._mailbox.wait_after(int(after), min(float(wait), LONGEST_WAIT_S))
        to = request.query.get("to", "").lower()
        chosen = [each for each in mail if not to or to in (address.lower() for address in each.recipients)]
        return _json({"messages": [_line(each) for each in chosen]})

    def _unsubscribe(self, mail: ReceivedMail) -> Response:
        """What the button of a mail program does: one POST, no cookies (RFC 8058 section 3.2)."""
        status = post_one_click(mail.one_click_url)
        return redirect(f"/messages/{mail.number}?left={'yes' if 200 <= status < 300 else 'no'}")


def post_one_click(url: str) -> int:
    """The status of the answer, 0 if there was none. Only to this machine: a demo inbox calls nobody else."""
    parts = urlsplit(url)
    if parts.scheme != "http" or parts.hostname not in LOOPBACK:
        raise RefusedError(403, "the demo inbox unsubscribes only on this machine")
    connection = http.client.HTTPConnection(str(parts.hostname), parts.port, timeout=5)
    path = f"{parts.path or '/'}{'?' + parts.query if parts.query else ''}"
    headers = {"Content-Type": "application/x-www-form-urlencoded"}
    try:
        connection.request("POST", path, "List-Unsubscribe=One-Click", headers)
        return connection.getresponse().status
    except (OSError, http.client.HTTPException):
        return 0
    finally:
        connection.close()


def _mail_html(mail: ReceivedMail) -> Response:
    base = '<base target="_blank">'
    head = mail.html.lower().find("<head>")
    html = mail.html[: head + 6] + base + mail.html[head + 6 :] if head >= 0 else base + mail.html
    headers = [("Content-Security-Policy", MAIL_POLICY), ("Referrer-Policy", "no-referrer")]
    return Response(html.encode("utf-8", "replace"), headers=headers)


def _json(value: object) -> Response:
    return Response(json.dumps(value).encode(), content_type="application/json")


def _line(mail: ReceivedMail) -> dict[str, object]:
    return {
        "id": mail.number,
        "received_at": mail.received_at.isoformat(),
        "from": mail.from_,
        "from_name": parseaddr(mail.from_)[0] or mail.from_,
        "to": mail.to,
        "recipients": list(mail.recipients),
        "subject": mail.subject,
        "preview": mail.preview,
    }


def _whole(mail: ReceivedMail) -> dict[str, object]:
    return _line(mail) | {
        "sender": mail.sender,
        "headers": [list(header) for header in mail.headers],
        "html": mail.html,
        "text": mail.text,
        "links": list(mail.links),
        "one_click_url": mail.one_click_url,
    }
