"""Which shops may a person enter, and who may enter a shop?"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from psycopg.rows import class_row

from rekindle.store.database import Connection
from rekindle.store.statements import sql
from rekindle.terms.role import Role


@dataclass(frozen=True, slots=True, kw_only=True)
class ShopAccess:
    """One shop a person may enter, and as what."""

    shop_id: int
    slug: str
    name: str
    role: Role

    def __post_init__(self) -> None:
        object.__setattr__(self, "role", Role(self.role))


@dataclass(frozen=True, slots=True, kw_only=True)
class PersonOfShop:
    """One person who may enter a shop; ``account`` is the name they sign in with."""

    person_id: int
    account: str
    email: str
    role: Role
    last_sign_in_at: datetime | None

    def __post_init__(self) -> None:
        object.__setattr__(self, "role", Role(self.role))


def shops_of_person(connection: Connection, person_id: int) -> list[ShopAccess]:
    with connection.cursor(row_factory=class_row(ShopAccess)) as cursor:
        return cursor.execute(sql("shops_of_person"), {"person_id": person_id}).fetchall()


def people_of_shop(connection: Connection, shop_id: int) -> list[PersonOfShop]:
    with connection.cursor(row_factory=class_row(PersonOfShop)) as cursor:
        return cursor.execute(sql("people_of_shop"), {"shop_id": shop_id}).fetchall()


def any_person(connection: Connection) -> bool:
    """Whether anybody can sign in; False on a fresh installation."""
    row = connection.execute(sql("any_person")).fetchone()
    return bool(row and row[0])
