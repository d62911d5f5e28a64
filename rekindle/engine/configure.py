"""How is a shop set up by the people who run it? Settings, pause, write key; each change is logged with who made it.

Called by the dashboard and the command line, which check the person's role first.
"""

from __future__ import annotations

import logging
import secrets
from collections.abc import Mapping

from rekindle.engine.context import Context
from rekindle.engine.look_again import look_again, wait_for_person
from rekindle.store.database import Connection
from rekindle.store.shop_changes import pause_or_resume, replace_secret_key, replace_write_key, update_shop
from rekindle.store.shops import SERVER_KEY_PREFIX, hash_of_secret_key
from rekindle.terms.send import Channel
from rekindle.terms.shop import ShopSettings

log = logging.getLogger(__name__)

_SECRET_BYTES = 32
_KEY_BYTES = 18  # 144 bits: the key is public on the shop's pages, but must not be guessed


def change_shop(connection: Connection, shop_id: int, changes: Mapping[str, object], *, by: int) -> None:
    """Write settings that were already checked. Raises KeyError for one that may not be changed.

    ``by``: id of the person. Workers see the change within seconds.
    """
    update_shop(connection, shop_id, changes)
    log.info("shop_changed", extra={"facts": {"shop": shop_id, "by": by, "changed": ",".join(sorted(changes))}})


def pause_sending(connection: Connection, shop_id: int, *, by: int) -> bool:
    """No message of this shop goes out from now on, also none already claimed. False when it was paused already."""
    return _pause_or_resume(connection, shop_id, paused=True, by=by)


def resume_sending(connection: Connection, context: Context, shop: ShopSettings, *, by: int) -> bool:
    """Go on within seconds; what has become stale meanwhile is skipped by `may_send`. False when it was not paused."""
    changed = _pause_or_resume(connection, shop.id, paused=False, by=by)
    if changed:
        look_again(connection, context, shop, list(Channel), wait_for_person(context.clock.now()))
    return changed


def renew_write_key(connection: Connection, shop_id: int, *, by: int) -> str:
    """Make a new write key; events with the old one are refused at once."""
    key = fresh_write_key()
    replace_write_key(connection, shop_id, key)
    log.info("write_key_renewed", extra={"facts": {"shop": shop_id, "by": by}})
    return key


def renew_secret_key(connection: Connection, context: Context, shop_id: int, *, by: int) -> str:
    """Make the key of the shop's own servers, or another one; returned this once, only its hash is kept.

    What comes with it is believed where the public write key is not: that an address was confirmed, that a consent was
    given in writing. The key before it stops working at once.
    """
    key = SERVER_KEY_PREFIX + secrets.token_urlsafe(_SECRET_BYTES)
    replace_secret_key(connection, shop_id, hash_of_secret_key(key), context.clock.now())
    log.info("secret_key_renewed", extra={"facts": {"shop": shop_id, "by": by}})
    return key


def fresh_write_key() -> str:
    return secrets.token_urlsafe(_KEY_BYTES)


def _pause_or_resume(connection: Connection, shop_id: int, *, paused: bool, by: int) -> bool:
    changed = pause_or_resume(connection, shop_id, paused=paused)
    if changed:
        log.info("sending_paused" if paused else "sending_resumed", extra={"facts": {"shop": shop_id, "by": by}})
    return changed
