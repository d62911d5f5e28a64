"""Who may enter a shop's dashboard? People are added, change role and leave; a shop never loses its last owner.

Called by the dashboard (by an owner) and by the command line.
"""

from __future__ import annotations

import logging
import secrets
from dataclasses import dataclass, field

from django.contrib.auth.hashers import make_password
from django.contrib.auth.password_validation import validate_password
from django.core.exceptions import ValidationError

from rekindle.engine.context import Context
from rekindle.lib.addresses import AddressError, normalise_email
from rekindle.store.dashboard.access import people_of_shop
from rekindle.store.database import Connection
from rekindle.store.memberships import (
    delete_membership,
    insert_person,
    lock_people,
    person_by_account,
    put_membership,
    set_password_hash,
)
from rekindle.terms.role import Role

log = logging.getLogger(__name__)

MAX_ACCOUNT_CHARS = 150


class MembershipError(Exception):
    """This cannot be done; the text says why, to a person."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Added:
    """``password`` is set when the account was made now: show it once, it is stored as a hash only."""

    person_id: int
    account: str
    password: str | None = field(default=None, repr=False)


def make_account(connection: Connection, context: Context, *, account: str, password: str) -> int:
    """Make an account. Raises MembershipError when the name is taken or not usable, or the password too weak."""
    name = _account_name(account)
    if person_by_account(connection, name) is not None:
        raise MembershipError(f"There is already an account {name}.")
    _check_password(password)
    return insert_person(
        connection,
        account=name,
        email=_email_of(name),
        password_hash=make_password(password),
        at=context.clock.now(),
    )


def set_password(connection: Connection, *, account: str, password: str) -> None:
    """Give an account another password; its sessions end. Raises MembershipError."""
    name = _account_name(account)
    person = person_by_account(connection, name)
    if person is None:
        raise MembershipError(f"There is no account {name}.")
    _check_password(password)
    set_password_hash(connection, person.id, make_password(password))
    log.info("password_set", extra={"facts": {"person": person.id}})


def add_to_shop(
    connection: Connection,
    context: Context,
    *,
    shop_id: int,
    account: str,
    role: Role,
    by: int | None,
    password: str | None = None,
) -> Added:
    """Give somebody a role in a shop. An account that does not exist is made, with this or a made-up password.

    ``by``: id of the person who does it; None for the command line. Raises MembershipError.
    """
    name, chosen = _account_name(account), password or secrets.token_urlsafe(15)
    with connection.transaction():
        lock_people(connection, shop_id)
        known = person_by_account(connection, name)
        if known is None:
            person_id = make_account(connection, context, account=name, password=chosen)
        else:
            person_id = known.id
            _keep_an_owner(connection, shop_id, person_id, role)
        put_membership(connection, person_id=person_id, shop_id=shop_id, role=role)
    log.info("person_added", extra={"facts": {"shop": shop_id, "person": person_id, "role": role.value, "by": by}})
    return Added(person_id=person_id, account=name, password=None if known else chosen)


def change_role(connection: Connection, *, shop_id: int, person_id: int, role: Role, by: int) -> None:
    """Raises MembershipError for a stranger and for the last owner."""
    with connection.transaction():
        lock_people(connection, shop_id)
        if person_id not in {person.person_id for person in people_of_shop(connection, shop_id)}:
            raise MembershipError("This person has no access to the shop.")
        _keep_an_owner(connection, shop_id, person_id, role)
        put_membership(connection, person_id=person_id, shop_id=shop_id, role=role)
    log.info("role_changed", extra={"facts": {"shop": shop_id, "person": person_id, "role": role.value, "by": by}})


def remove_from_shop(connection: Connection, *, shop_id: int, person_id: int, by: int) -> None:
    """Take somebody's access; the account stays. Raises MembershipError for a stranger and for the last owner."""
    with connection.transaction():
        lock_people(connection, shop_id)
        _keep_an_owner(connection, shop_id, person_id, None)
        if not delete_membership(connection, person_id=person_id, shop_id=shop_id):
            raise MembershipError("This person has no access to the shop.")
    log.info("person_removed", extra={"facts": {"shop": shop_id, "person": person_id, "by": by}})


def _keep_an_owner(connection: Connection, shop_id: int, person_id: int, role: Role | None) -> None:
    if role is Role.OWNER:
        return
    owners = [person.person_id for person in people_of_shop(connection, shop_id) if person.role is Role.OWNER]
    if owners == [person_id]:
        raise MembershipError("A shop needs at least one owner: make somebody else an owner first.")


def _account_name(account: str) -> str:
    name = account.strip()
    if not name or len(name) > MAX_ACCOUNT_CHARS or not name.isprintable() or " " in name:
        raise MembershipError(
            f"An account name is 1 to {MAX_ACCOUNT_CHARS} characters without spaces, best an e-mail address."
        )
    return name


def _check_password(password: str) -> None:
    try:
        validate_password(password)
    except ValidationError as error:
        raise MembershipError(" ".join(error.messages)) from None


def _email_of(account: str) -> str:
    try:
        return normalise_email(account)
    except AddressError:
        return ""
