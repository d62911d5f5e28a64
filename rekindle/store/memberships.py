"""Who can sign in, and as what? Writes to accounts and memberships."""

from __future__ import annotations

from datetime import datetime
from typing import NamedTuple

from rekindle.store.database import Connection
from rekindle.store.statements import sql
from rekindle.terms.role import Role


class PersonRow(NamedTuple):
    id: int
    is_active: bool


def person_by_account(connection: Connection, account: str) -> PersonRow | None:
    row = connection.execute(sql("person_by_account"), {"account": account}).fetchone()
    return PersonRow(*row) if row else None


def insert_person(connection: Connection, *, account: str, email: str, password_hash: str, at: datetime) -> int:
    values = {"account": account, "email": email, "password": password_hash, "at": at}
    row = connection.execute(sql("insert_person"), values).fetchone()
    assert row is not None
    return int(row[0])


def set_password_hash(connection: Connection, person_id: int, password_hash: str) -> None:
    connection.execute(sql("set_password_of_person"), {"person_id": person_id, "password": password_hash})


def lock_people(connection: Connection, shop_id: int) -> None:
    """Until the transaction ends nobody else changes this shop's people."""
    connection.execute(sql("lock_shop_for_people"), {"shop_id": shop_id})


def put_membership(connection: Connection, *, person_id: int, shop_id: int, role: Role) -> None:
    values = {"person_id": person_id, "shop_id": shop_id, "role": role.value}
    connection.execute(sql("put_membership"), values)


def delete_membership(connection: Connection, *, person_id: int, shop_id: int) -> bool:
    """Whether there was one."""
    row = connection.execute(sql("delete_membership"), {"person_id": person_id, "shop_id": shop_id}).fetchone()
    return row is not None
