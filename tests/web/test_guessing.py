"""Can somebody guess a link, or make one out of others? Tokens of every wrong kind against every page (S-03, S-04).

`REKINDLE_GUESSES` sets how many are tried against the look-up functions; `make prove` tries a million over two spreads.
"""

from __future__ import annotations

import base64
import os
import random
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import timedelta
from itertools import islice
from uuid import UUID

import msgspec
import pytest

from rekindle.engine.clicks import LINK_LIFE, Asked, open_cart_link, open_cart_links, open_optout_link
from rekindle.engine.context import Context
from rekindle.engine.double_opt_in import open_confirm_link
from rekindle.lib.clock import MovableClock
from rekindle.lib.tokens import Purpose, make_short_token, make_token, take_apart
from rekindle.store.database import Connection
from rekindle.terms.shop import ShopSettings
from rekindle.web.http import Answer, Handler, Request
from rekindle.web.public import door
from rekindle.web.public.confirm import confirm_consent
from rekindle.web.public.follow import product, recover
from rekindle.web.public.preferences import preferences
from rekindle.web.public.restore import restore
from rekindle.web.public.unsubscribe import unsubscribe
from rekindle.web.rate import RateLimit
from tests.engine.scene import Placed, put_cart, put_shopper
from tests.factories import make_shop

from .sent import Sent, put_send, use
from .test_confirm import made

GUESSES = int(os.environ.get("REKINDLE_GUESSES", "2000"))
BROWSER = "Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0"
PAGES: dict[str, tuple[Handler, str, str]] = {
    "recovery": (recover, "/r/", ""),
    "product": (product, "/c/", "/0"),
    "cart": (restore, "/v1/carts/", ""),
    "unsubscribe": (unsubscribe, "/u/", ""),
    "preferences": (preferences, "/p/", ""),
    "confirm": (confirm_consent, "/k/", ""),
}
Guess = Callable[[random.Random], str]


@dataclass
class Target:
    """Somebody whose links a stranger would like to have."""

    name: str
    shop: ShopSettings
    shopper: Placed
    cart: Placed
    sent: Sent
    seed: bytes


@dataclass
class World:
    connection: Connection
    context: Context
    clock: MovableClock
    targets: list[Target]  #: Ada and Bob of one shop, Eve of another
    old: Target  #: a message whose links are past their time
    question: str  #: the token of a message that asks an address to confirm

    @property
    def good(self) -> set[str]:
        links = {token for one in self.targets for token in (one.sent.link, one.sent.optout)}
        return links | {self.question, self.old.sent.optout}


def put_target(connection: Connection, context: Context, shop: ShopSettings, name: str) -> Target:
    seed = name.encode().ljust(16, b".")
    shopper = put_shopper(connection, context, shop, email=f"{name}@canary.example", first_name=f"Canary-{name}")
    cart = put_cart(
        connection, context, shop, shopper, key=f"cart-{name}", recover_url=f"https://fernweh.example/checkout/{name}"
    )
    sent = put_send(
        connection, shop, shopper=(shopper.bucket, shopper.id), cart=(cart.bucket, cart.id), at=context.clock.now(),
        seed=seed, links=[f"https://fernweh.example/{name}"],
    )  # fmt: skip
    return Target(name, shop, shopper, cart, sent, seed)


@pytest.fixture
def world(
    connection: Connection, context: Context, clock: MovableClock, spread: int, monkeypatch: pytest.MonkeyPatch
) -> World:
    use(monkeypatch, connection, context)
    without = RateLimit(0)
    monkeypatch.setattr(door, "_wrong", lambda: without)
    shop, other = make_shop(connection, spread=spread), make_shop(connection, spread=spread)
    old = put_target(connection, context, shop, "old")
    clock.advance(LINK_LIFE + timedelta(hours=1))
    targets = [
        put_target(connection, context, where, name) for where, name in ((shop, "ada"), (shop, "bob"), (other, "eve"))
    ]
    question = made(connection, context, spread, "email").path.removeprefix("/k/")
    return World(connection, context, clock, targets, old, question)


def visit(page: str, token: str, *, method: str = "GET", remote: str = "203.0.113.9", query: str = "") -> Answer:
    handler, before, after = PAGES[page]
    named = {"user-agent": BROWSER, "cookie": "sessionid=stolen", "x-forwarded-email": "bob@canary.example"}
    path = f"{before}{token}{after}"
    return handler(
        Request(method=method, path=path, remote=remote, query=query, header=lambda name: named.get(name, ""))
    )


def spelled(raw: bytes) -> str:
    return base64.urlsafe_b64encode(raw).rstrip(b"=").decode()


def raw_of(token: str) -> bytes:
    return base64.urlsafe_b64decode(token + "=" * (-len(token) % 4))


def flipped(token: str, bit: int) -> str:
    raw = bytearray(raw_of(token))
    raw[bit // 8] ^= 1 << bit % 8
    return spelled(bytes(raw))


def wrong_tokens(world: World) -> dict[str, Guess]:
    """Ways to guess, each drawing one token more."""
    good = sorted(world.good)

    def any_target(draw: random.Random) -> Target:
        return draw.choice(world.targets)

    def shifted(draw: random.Random) -> str:
        raw = raw_of(draw.choice(good))
        number = (int.from_bytes(raw, "big") + draw.choice([-1, 1]) * draw.choice([1, 2, 1 << 128])) % (1 << 272)
        return spelled(number.to_bytes(34, "big"))

    def swapped(draw: random.Random) -> str:
        one, other = draw.sample(world.targets, 2)
        return make_token(one.sent.bucket, one.sent.id, other.seed, draw.choice([Purpose.LINK, Purpose.OPTOUT]))

    return {
        "random": lambda draw: make_token(
            draw.randrange(1024), UUID(int=draw.getrandbits(128)), draw.randbytes(16), Purpose.LINK
        ),
        "known message": lambda draw: make_token(
            (one := any_target(draw)).sent.bucket, one.sent.id, draw.randbytes(16), draw.choice(list(Purpose))
        ),
        "+-1": shifted,
        "one bit": lambda draw: flipped(draw.choice(good), draw.randrange(272)),
        "truncated": lambda draw: (token := draw.choice(good))[: draw.randrange(len(token))],
        "lengthened": lambda draw: draw.choice(good) + spelled(draw.randbytes(draw.randint(1, 12))),
        "another's secret": swapped,
        "short": lambda draw: make_short_token(draw.randrange(1024), draw.randbytes(16)),
        "short of a letter": lambda draw: make_short_token((one := any_target(draw)).sent.bucket, one.seed),
        "old recovery link": lambda _draw: world.old.sent.link,
        "text": lambda draw: "".join(chr(draw.randrange(1, 0x2FF)) for _ in range(draw.choice([0, 24, 46, 500]))),
    }


def drawn(world: World, number: int) -> Iterator[tuple[str, str]]:
    """Kind and token; what is by chance a good link is not drawn."""
    draw, ways, good = random.Random(3), list(wrong_tokens(world).items()), world.good
    made_up = ((kind, way(draw)) for _ in iter(int, 1) for kind, way in ways)
    return islice((one for one in made_up if one[1] not in good), number)


def test_no_guess_opens_anything(world: World, capsys: pytest.CaptureFixture[str]) -> None:
    """S-03 against the functions that read and look up, and the click desk's look at many together."""
    now, tried, hits = world.clock.now(), Counter[str](), Counter[str]()
    by_bucket: dict[int, list[Asked]] = {}
    doors: tuple[Callable[[str], object], ...] = (
        lambda token: open_cart_link(world.connection, token, now=now),
        lambda token: open_optout_link(world.connection, token),
        lambda token: open_confirm_link(world.connection, token, now=now),
    )
    for number, (kind, token) in enumerate(drawn(world, GUESSES)):
        tried[kind] += 1
        hits["one"] += doors[number % len(doors)](token) is not None  # each kind comes to each in turn
        parts = take_apart(token)
        if parts is not None:
            waiting = by_bucket.setdefault(parts[0], [])
            waiting.append(Asked(*parts, False))
            if len(waiting) >= 500:
                hits["many"] += opened(world, parts[0], by_bucket.pop(parts[0]))
    for bucket, waiting in by_bucket.items():
        hits["many"] += opened(world, bucket, waiting)
    # a link opens what it is for and nothing else
    for one in world.targets:
        hits["other purpose"] += open_cart_link(world.connection, one.sent.optout, now=now) is not None
        hits["other purpose"] += open_optout_link(world.connection, one.sent.link) is not None
        for token in (one.sent.link, one.sent.optout):
            hits["other purpose"] += open_confirm_link(world.connection, token, now=now) is not None
        assert open_cart_link(world.connection, one.sent.link, now=now) is not None
    hits["other purpose"] += open_cart_link(world.connection, world.question, now=now) is not None
    hits["other purpose"] += open_optout_link(world.connection, world.question) is not None
    assert open_confirm_link(world.connection, world.question, now=now) is not None
    with capsys.disabled():
        print(f"\nS-03: {tried.total():,} guesses of {len(tried)} kinds, {hits.total()} hits")
    assert hits.total() == 0, hits


def opened(world: World, bucket: int, asked: list[Asked]) -> int:
    return sum(one is not None for one in open_cart_links(world.connection, bucket, asked, now=world.clock.now()))


@pytest.mark.parametrize("page", PAGES)
def test_every_wrong_token_gets_the_same_reply_and_then_the_brake(
    world: World, page: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    unknown = visit(page, "A" * 46)
    assert unknown.status == 404
    for kind, token in drawn(world, 110):
        assert visit(page, token) == unknown, kind
        if page in ("unsubscribe", "preferences", "confirm"):
            assert visit(page, token, method="POST") == unknown, kind
    stopped = RateLimit(door.WRONG_PER_S, lambda: 0.0)
    monkeypatch.setattr(door, "_wrong", lambda: stopped)
    statuses = [visit(page, token).status for _, token in drawn(world, 150)]
    assert statuses == [404] * 100 + [429] * 50
    good = world.question if page == "confirm" else world.targets[0].sent.link
    good = world.targets[0].sent.optout if page in ("unsubscribe", "preferences") else good
    assert visit(page, good).status == 429, "a good one, too: no guesser learns from it"
    assert visit(page, good, remote="198.51.100.7").status in (200, 302)


def test_no_page_shows_who_somebody_is_before_they_press_a_button(world: World) -> None:
    shown = {page: visit(page, world.targets[0].sent.link) for page in ("recovery", "product", "cart")}
    shown |= {page: visit(page, world.targets[0].sent.optout) for page in ("unsubscribe", "preferences")}
    shown["confirm"] = visit("confirm", world.question)
    hashes = world.connection.execute("SELECT encode(address_hash, 'hex') FROM contact_points").fetchall()
    secrets = [f"canary-{one.name}" for one in world.targets] + ["canary.example", "ada@example.com"]
    secrets += [str(one.shopper.id) for one in world.targets] + [told for (told,) in hashes]
    for page, answer in shown.items():
        assert answer.status in (200, 302)
        text = (answer.body.decode() + repr(sorted(answer.headers.items()))).lower()
        assert [secret for secret in secrets if secret in text] == [], page


def test_a_recovery_link_opens_its_own_cart_at_most_and_signs_nobody_in(
    world: World, capsys: pytest.CaptureFixture[str]
) -> None:
    """S-04: no signature, an empty key, every single bit, another's secret or address, old spellings."""
    ada, bob, _ = world.targets
    ids = ada.sent.bucket.to_bytes(2, "big") + ada.sent.id.bytes
    forged = [
        spelled(ids), spelled(ids + bytes(16)), spelled(ids + b"\xff" * 16), ada.sent.id.hex, str(ada.sent.id), str(ada.cart.id),
        "cart-ada", "ada@canary.example", spelled(b"ada@canary.example"), ada.sent.link + ".", f"{ada.sent.link}&email=bob",
        make_token(ada.sent.bucket, ada.sent.id, b"", Purpose.LINK),
        make_token(ada.sent.bucket, ada.sent.id, bytes(16), Purpose.LINK),
        make_token(ada.sent.bucket, ada.sent.id, bob.seed, Purpose.LINK),
        make_token(bob.sent.bucket, bob.sent.id, ada.seed, Purpose.LINK),
        make_token(ada.sent.bucket, ada.cart.id, ada.seed, Purpose.LINK),
        spelled(ids + raw_of(bob.sent.link)[18:]), make_short_token(ada.sent.bucket, ada.seed), *("", "/", "null", "0"),
    ]  # fmt: skip
    forged += [flipped(ada.sent.link, bit) for bit in range(272)]
    for token in forged:
        for page in ("recovery", "product", "cart"):
            answer = visit(page, token)
            assert answer.status == 404, (page, token)
            assert "Location" not in answer.headers
            assert not is_signed_in(answer)
    for query in ("", "email=bob@canary.example", "cart=cart-bob&shopper=2", "login=1&next=/admin"):
        answer = visit("recovery", ada.sent.link, query=query)
        assert answer.headers["Location"].startswith("https://fernweh.example/checkout/ada?rekindle_cart=")
        told = visit("cart", ada.sent.link, query=query)
        assert msgspec.json.decode(told.body)["cart_key"] == "cart-ada"
        assert not is_signed_in(answer)
        assert not is_signed_in(told)
    with capsys.disabled():
        print(f"\nS-04: {len(forged)} forged links, 0 logins, 0 other carts")


@pytest.mark.parametrize("state", ["recovered", "converted"])
def test_a_link_replayed_after_the_purchase_opens_no_cart(world: World, state: str) -> None:
    ada = world.targets[0]
    world.connection.execute(
        "UPDATE carts SET state = %s WHERE bucket = %s AND id = %s", [state, ada.cart.bucket, ada.cart.id]
    )
    for _ in range(5):
        assert visit("recovery", ada.sent.link).headers["Location"] == "https://fernweh.example"
        assert visit("cart", ada.sent.link).status == 404
        world.clock.advance(timedelta(days=1))
    assert msgspec.json.decode(visit("cart", world.targets[1].sent.link).body)["cart_key"] == "cart-bob"


def is_signed_in(answer: Answer) -> bool:
    """Whether an answer gives the browser anything to be somebody with."""
    named = {name.lower() for name in answer.headers} | {name.lower() for name, _ in answer.lines or ()}
    return bool(named & {"set-cookie", "authorization", "www-authenticate", "clear-site-data"})
