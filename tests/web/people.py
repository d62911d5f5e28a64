"""How does a test get somebody who can sign in?"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

PASSWORD: Final = "correct horse battery staple"


def make_person(account: str, roles: Mapping[int, str]) -> int:
    """A person with this account name and a role per shop id; returns their id."""
    from django.contrib.auth import get_user_model
    from django.contrib.auth.hashers import make_password

    from rekindle.store.models import Membership

    person = get_user_model().objects.create(username=account, email=account, password=make_password(PASSWORD))
    for shop_id, role in roles.items():
        Membership.objects.create(person=person, shop_id=shop_id, role=role)
    return int(person.pk)
