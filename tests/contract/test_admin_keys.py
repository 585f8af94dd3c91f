"""Admin keys, and answers that may be asked for again."""

from __future__ import annotations

from typing import Any

import pytest

from gatekit.errors import NotFound
from gatekit.model.admin_keys import AdminKey, ApiReply
from gatekit.store.ports import Store
from tests.contract.samples import LATER, NOW, user


def admin_key(ident: str = "adm_1", **fields: Any) -> AdminKey:
    given: dict[str, Any] = {
        "id": ident,
        "token_hash": f"hash of {ident}",
        "user_id": "usr_alice",
        "name": "terraform",
        "scopes": ("people:read", "groups:write"),
        "addresses": ("192.0.2.0/24",),
        "hint": "abcd",
        "created_at": NOW,
        "expires_at": NOW + 86_400,
    }
    return AdminKey(**(given | fields))


def reply(name: str = "one", **fields: Any) -> ApiReply:
    given: dict[str, Any] = {
        "key_id": "adm_1",
        "name_hash": name,
        "request_hash": "of the request",
        "expires_at": LATER,
    }
    return ApiReply(**(given | fields))


@pytest.fixture
async def alice(store: Store) -> None:
    await store.users.add(user())


async def test_an_admin_key_comes_back_as_stored(store: Store, alice: None) -> None:
    key = admin_key()
    await store.admin_keys.add(key)
    assert await store.admin_keys.get("adm_1") == await store.admin_keys.by_hash("hash of adm_1") == key
    assert await store.admin_keys.list() == await store.admin_keys.list("usr_alice") == [key]
    assert await store.admin_keys.list("usr_x") == []
    assert await store.admin_keys.get("x") is None
    assert await store.admin_keys.by_hash("x") is None
    with pytest.raises(NotFound):
        await store.admin_keys.add(admin_key("adm_2", user_id="usr_x"))


async def test_an_admin_key_is_revoked_once_and_told(store: Store, alice: None) -> None:
    await store.admin_keys.add(admin_key())
    await store.admin_keys.used("adm_1", NOW + 3)
    start, _ = await store.changes.since(0)
    assert await store.admin_keys.revoke("adm_1", LATER) is True
    assert await store.admin_keys.revoke("adm_1", LATER) is False
    assert await store.admin_keys.get("adm_1") == admin_key(last_used_at=NOW + 3, revoked_at=LATER)
    assert (await store.changes.since(start))[1] == ["key:adm_1"]


async def test_admin_keys_go_with_their_owner(store: Store, alice: None) -> None:
    await store.admin_keys.add(admin_key())
    await store.api_replies.begin(reply(), NOW)
    await store.users.delete("usr_alice")
    assert await store.admin_keys.list() == []
    assert await store.admin_keys.by_hash("hash of adm_1") is None


async def test_one_caller_carries_a_request_out(store: Store, alice: None) -> None:
    await store.admin_keys.add(admin_key())
    assert await store.api_replies.begin(reply(), NOW) is None
    assert await store.api_replies.begin(reply(request_hash="another"), NOW) == reply()
    await store.api_replies.finish("adm_1", "one", "sealed")
    assert await store.api_replies.begin(reply(), NOW) == reply(sealed="sealed")


async def test_what_has_expired_is_nobodys_answer(store: Store, alice: None) -> None:
    await store.admin_keys.add(admin_key())
    await store.api_replies.begin(reply(), NOW)
    await store.api_replies.finish("adm_1", "one", "sealed")
    later = reply(expires_at=LATER + 60)
    assert await store.api_replies.begin(later, LATER) is None
    assert await store.api_replies.begin(later, LATER) == later, "the old answer is gone"


async def test_what_changed_nothing_may_be_tried_again(store: Store, alice: None) -> None:
    await store.admin_keys.add(admin_key())
    await store.api_replies.begin(reply(), NOW)
    await store.api_replies.abandon("adm_1", "one")
    assert await store.api_replies.begin(reply(), NOW) is None
    await store.api_replies.finish("adm_1", "one", "sealed")
    await store.api_replies.abandon("adm_1", "one")
    assert await store.api_replies.begin(reply(), NOW) == reply(sealed="sealed"), "an answer stays"
    await store.api_replies.purge(LATER)
    assert await store.api_replies.begin(reply(), NOW) is None
