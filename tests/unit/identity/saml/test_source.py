"""Metadata that is fetched: kept, asked again, and the last good one stays."""

from __future__ import annotations

from pathlib import Path

import pytest

from gatekit.errors import OutboundRefused, ProviderFailed, SamlRefused
from gatekit.identity.saml.source import RETRY, Fetched, Written, expiring
from gatekit.store.sql.store import open_store
from tests.support.clock import ManualClock
from tests.support.saml import NOW, Signing, keys, metadata, moment, sign

URL = "https://idp.example.com/metadata"


class Memory:
    """What the store remembers."""

    def __init__(self) -> None:
        self.kept: dict[str, str] = {}

    async def get(self, key: str) -> str | None:
        return self.kept.get(key)

    async def put(self, key: str, value: str) -> None:
        self.kept[key] = value

    async def put_if_absent(self, key: str, value: str) -> str:
        return self.kept.setdefault(key, value)


class There:
    """A provider's address that can be made to fail."""

    def __init__(self, *documents: bytes | None) -> None:
        self.documents = list(documents)
        self.asked = 0

    async def get(self, url: str) -> bytes:
        assert url == URL
        self.asked += 1
        document = self.documents.pop(0) if len(self.documents) > 1 else self.documents[0]
        if document is None:
            raise OutboundRefused("idp.example.com: answered 503")
        return document


ONE, TWO = metadata([keys("idp")]), metadata([keys("next")])


def source(there: There, memory: Memory | None = None, clock: ManualClock | None = None) -> Fetched:
    return Fetched("corp", URL, there.get, memory or Memory(), clock or ManualClock(NOW))


async def test_it_is_asked_once_and_again_when_it_is_time() -> None:
    there, clock = There(ONE, TWO), ManualClock(NOW)
    corp = source(there, clock=clock)
    for _ in range(3):
        assert (await corp.current()).keys == (keys("idp").certificate.public_key(),)
    await corp.tend()
    assert there.asked == 1
    clock.at += 6 * 3600
    await corp.tend()
    assert (await corp.current()).keys == (keys("next").certificate.public_key(),)
    assert there.asked == 2


@pytest.mark.parametrize("bad", [None, b"<html/>", metadata([]), b"\xff"])
async def test_the_last_good_one_stays(bad: bytes | None) -> None:
    """S8: A provider that is down, or says nonsense, changes nothing."""
    there, clock = There(ONE, bad), ManualClock(NOW)
    corp = source(there, clock=clock)
    await corp.current()
    clock.at += 6 * 3600
    await corp.tend()
    assert there.asked == 2
    assert (await corp.current()).keys


async def test_it_survives_a_restart() -> None:
    memory = Memory()
    await source(There(ONE), memory).current()
    again = There(None)
    assert (await source(again, memory).current()).keys
    assert again.asked == 0


async def test_what_was_kept_of_another_address_is_not_used() -> None:
    memory = Memory()
    await source(There(ONE), memory).current()

    async def gone(url: str) -> bytes:
        raise OutboundRefused(url)

    moved = Fetched("corp", "https://other.example/m", gone, memory, ManualClock(NOW))
    with pytest.raises(ProviderFailed):
        await moved.current()


async def test_what_lies_in_the_store_is_read_as_strictly(tmp_path: Path) -> None:
    store = await open_store(tmp_path / "gatekit.db")
    try:
        await store.settings.put("saml-metadata:corp", "not ours")
        there = There(ONE)
        corp = Fetched("corp", URL, there.get, store.settings, ManualClock(NOW))
        assert (await corp.current()).keys
        assert there.asked == 1
    finally:
        await store.close()


async def test_it_ends_when_it_says_so() -> None:
    """S8: validUntil counts for what is kept as well."""
    there = There(metadata([keys("idp")], extra=f' validUntil="{moment(60)}"'), None)
    clock = ManualClock(NOW)
    corp = source(there, clock=clock)
    await corp.current()
    clock.at += 61
    with pytest.raises(ProviderFailed, match="nothing in force"):
        await corp.current()


async def test_an_unknown_key_asks_at_most_once_a_minute() -> None:
    """S8: A forger's key makes us ask, and not more often than that."""
    there, clock = There(ONE, ONE, TWO), ManualClock(NOW)
    corp = source(there, clock=clock)
    await corp.current()
    assert not await corp.renew()
    assert there.asked == 1
    clock.at += RETRY
    assert not await corp.renew()
    assert not await corp.renew()
    assert there.asked == 2
    clock.at += RETRY
    assert await corp.renew()


async def test_nothing_was_ever_there() -> None:
    there = There(None)
    corp = source(there)
    for _ in range(2):
        with pytest.raises(ProviderFailed):
            await corp.current()
    await corp.tend()
    assert there.asked == 1, "not asked again at once"


async def test_a_pinned_signer() -> None:
    """S8: With a pinned certificate, what anybody else publishes is not used."""
    from lxml import etree

    pinned = keys("federation").pem.decode()
    with pytest.raises(SamlRefused):
        await Written("corp", ONE.decode(), ManualClock(NOW), signer=pinned).current()
    root = etree.fromstring(ONE)
    sign(root, Signing(pair=keys("federation")))
    signed = Written("corp", etree.tostring(root).decode(), ManualClock(NOW), signer=pinned)
    assert (await signed.current()).keys
    await signed.tend()
    assert not await signed.renew()


async def test_what_ends_soon() -> None:
    provider = await Written("corp", ONE.decode(), ManualClock(NOW)).current()
    assert expiring(provider, NOW) == []
    end = max(provider.expiries())
    assert "expires in 9 days" in expiring(provider, end - 10 * 86_400 + 1)[0]
    assert "has expired" in expiring(provider, end + 1)[0]
    short = metadata([keys("idp")], extra=f' validUntil="{moment(7200)}"')
    short_lived = await Written("corp", short.decode(), ManualClock(NOW)).current()
    assert expiring(short_lived, NOW) == ["it ends in 2 hours (validUntil)"]


async def test_notices_ask_nobody() -> None:
    there, clock = There(ONE), ManualClock(NOW)
    corp, written = source(there, clock=clock), Written("corp", ONE.decode(), clock)
    assert corp.notices() == []
    assert there.asked == 0
    end = max((await corp.current()).expiries())
    assert corp.notices() == written.notices() == []
    clock.at = end - 10 * 86_400 + 1
    assert "expires in 9 days" in corp.notices()[0]
    assert corp.notices() == written.notices()
    assert there.asked == 1
    assert "cannot be used" in Written("corp", "<nothing/>", clock).notices()[0]
