from __future__ import annotations

import os
import threading
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gatekit.errors import VaultError
from gatekit.platform.vault import KEY_BYTES, Vault, load_master_key, token_hash

KEY = bytes(range(32))
TEXT = st.text(st.characters(exclude_categories=["Cs"]))


def test_a_token_is_hashed_as_everybody_hashes_it() -> None:
    assert token_hash("abc") == "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"
    assert token_hash("\ud800") != token_hash("?"), "a stranger's nonsense is hashed, not a crash"


@given(TEXT, TEXT)
def test_what_is_sealed_opens_again(plain: str, purpose: str) -> None:
    vault = Vault(KEY)
    sealed = vault.seal(plain, purpose)
    assert vault.open(sealed, purpose) == plain
    assert vault.seal(plain, purpose) != sealed
    assert Vault(KEY).open(sealed, purpose) == plain


@given(TEXT, TEXT)
def test_a_text_sealed_with_a_token_opens_with_it(plain: str, secret: str) -> None:
    vault = Vault(KEY)
    sealed = vault.seal_with(secret, plain, "grace")
    assert vault.open_with(secret, sealed, "grace") == plain
    with pytest.raises(VaultError):
        vault.open_with(secret + "x", sealed, "grace")


def test_another_purpose_key_token_or_kind_does_not_open() -> None:
    vault = Vault(KEY)
    sealed = vault.seal("text", "signing key")
    attempts: tuple[Callable[[], str], ...] = (
        lambda: vault.open(sealed, "provider leg"),
        lambda: Vault(bytes(32)).open(sealed, "signing key"),
        lambda: vault.open_with("", sealed, "signing key"),
        lambda: vault.open(vault.seal_with("", "text", "signing key"), "signing key"),
        lambda: Vault(bytes(32)).open_with("t", vault.seal_with("t", "text", "p"), "p"),
        lambda: vault.open_with("t", vault.seal_with("t\0", "text", "p"), "p"),
    )
    for attempt in attempts:
        with pytest.raises(VaultError, match=r"master\.key"):
            attempt()


def test_every_changed_character_is_noticed() -> None:
    vault = Vault(KEY)
    sealed = vault.seal("text", "p")
    for place in range(len(sealed)):
        # By two steps, so that the padding bits of the last character are not all that differs.
        other = "A" if sealed[place] not in "ABCD" else "z"
        with pytest.raises(VaultError):
            vault.open(sealed[:place] + other + sealed[place + 1 :], "p")
        with pytest.raises(VaultError):
            vault.open(sealed[:place], "p")


@pytest.mark.parametrize(
    "nonsense", ["", "v1.", "v1.!!!", "v2.AAAA", "v1.AAAA", "v1.é", "text", "v1." + "A" * 400]
)
def test_nonsense_does_not_open(nonsense: str) -> None:
    with pytest.raises(VaultError):
        Vault(KEY).open(nonsense, "p")


def test_macs_differ_by_message_purpose_and_key() -> None:
    vault = Vault(KEY)
    macs = {vault.mac("a", "p"), vault.mac("b", "p"), vault.mac("a", "q"), Vault(bytes(32)).mac("a", "p")}
    assert len(macs) == 4
    assert vault.mac("a", "p") == Vault(KEY).mac("a", "p")
    assert len(vault.mac("a", "p")) == 43


def test_no_secret_in_the_error() -> None:
    vault = Vault(KEY)
    with pytest.raises(VaultError) as error:
        vault.open(vault.seal("hunter2", "p") + "x", "p")
    assert "hunter2" not in str(error.value)


@pytest.mark.parametrize("size", [0, 16, 31, 33])
def test_a_master_key_of_another_size_is_refused(size: int) -> None:
    with pytest.raises(VaultError, match="32 bytes"):
        Vault(bytes(size))


# -- the file ----------------------------------------------------------------------------------------------


def test_the_key_is_made_once_and_for_its_owner_only(tmp_path: Path) -> None:
    data = tmp_path / "data"
    key = load_master_key(data)
    assert len(key) == KEY_BYTES
    assert (data / "master.key").stat().st_mode & 0o777 == 0o600
    assert data.stat().st_mode & 0o777 == 0o700
    assert load_master_key(data) == key
    assert [file.name for file in data.iterdir()] == ["master.key"], "nothing half-made is left"


def test_many_at_once_get_one_key(tmp_path: Path) -> None:
    keys: list[bytes] = []
    start = threading.Barrier(8)

    def load() -> None:
        start.wait()
        keys.append(load_master_key(tmp_path))

    threads = [threading.Thread(target=load) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(keys) == 8
    assert len(set(keys)) == 1


@pytest.mark.parametrize("mode", [0o640, 0o604, 0o644, 0o660])
def test_a_key_that_others_may_read_is_refused(tmp_path: Path, mode: int) -> None:
    load_master_key(tmp_path)
    (tmp_path / "master.key").chmod(mode)
    with pytest.raises(VaultError, match=r"chmod 600 .*master\.key"):
        load_master_key(tmp_path)


@pytest.mark.parametrize("content", [b"", b"short", os.urandom(33)])
def test_a_key_of_the_wrong_length_is_never_replaced(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "master.key"
    path.write_bytes(content)
    path.chmod(0o600)
    with pytest.raises(VaultError, match="backup"):
        load_master_key(tmp_path)
    assert path.read_bytes() == content


def test_a_folder_in_its_place(tmp_path: Path) -> None:
    (tmp_path / "master.key").mkdir()
    with pytest.raises(VaultError, match=r"master\.key"):
        load_master_key(tmp_path)
