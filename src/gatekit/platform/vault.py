"""Hashing and sealing of what must not lie readable in the database.

Two kinds of secret, two treatments. What a client *presents* (tokens, codes, keys) has 256 bits of entropy
and is stored as a plain SHA-256 hash: nothing to guess, and a look-up by hash is a look-up by index. What
Gatekit must *read back* (signing keys, provider legs, the successor of a refresh token) is sealed with
AES-256-GCM under a key that HKDF (RFC 5869) derives from the master key for one purpose only; the purpose
is authenticated, too, so that a sealed text cannot be moved from one column to another.
"""

from __future__ import annotations

import binascii
import hashlib
import hmac
import os
from pathlib import Path

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from gatekit.errors import VaultError

MASTER_KEY_FILE = "master.key"
KEY_BYTES = 32
_VERSION = "v1."
_STANDARD = bytes.maketrans(b"-_", b"+/")
"""From the URL-safe alphabet to the usual one (RFC 4648 §5, §4)."""
_URL_SAFE = bytes.maketrans(b"+/", b"-_")
_NONCE_BYTES = 12
"""NIST SP 800-38D §8.2.2: 96 random bits, good for 2^32 messages under one key."""


def token_hash(token: str) -> str:
    """SHA-256 of a token, in hex: how tokens, codes and keys are stored and looked up."""
    return hashlib.sha256(_bytes(token)).hexdigest()


class Vault:
    """Seals texts under keys derived from one master key (32 bytes)."""

    def __init__(self, master_key: bytes) -> None:
        """Raise ``VaultError`` unless the key has 32 bytes."""
        if len(master_key) != KEY_BYTES:
            raise VaultError(f"the master key must have {KEY_BYTES} bytes, this one has {len(master_key)}")
        self._master = master_key
        self._ciphers: dict[str, AESGCM] = {}

    def seal(self, plain: str, purpose: str) -> str:
        """Encrypt and authenticate; only ``open`` with the same purpose and master key reads it back."""
        return _seal(self._cipher(purpose), plain, purpose)

    def open(self, sealed: str, purpose: str) -> str:
        """Raise ``VaultError`` if it was sealed for something else, with another key, or was changed."""
        return _open(self._cipher(purpose), sealed, purpose)

    def seal_with(self, secret: str, plain: str, purpose: str) -> str:
        """Like ``seal``, and nobody can open it who does not know ``secret`` (a token), not even with the
        master key."""
        return _seal(AESGCM(self._key("secret", purpose, secret)), plain, purpose)

    def open_with(self, secret: str, sealed: str, purpose: str) -> str:
        """Raise ``VaultError`` if ``secret`` is not the one it was sealed with."""
        return _open(AESGCM(self._key("secret", purpose, secret)), sealed, purpose)

    def mac(self, message: str, purpose: str) -> str:
        """HMAC-SHA-256 of ``message`` under a key for ``purpose``, in base64url without padding."""
        return _encode(hmac.digest(self._key("mac", purpose), _bytes(message), "sha256"))

    def _cipher(self, purpose: str) -> AESGCM:
        cipher = self._ciphers.get(purpose)
        if cipher is None:
            cipher = self._ciphers[purpose] = AESGCM(self._key("seal", purpose))
        return cipher

    def _key(self, use: str, purpose: str, secret: str = "") -> bytes:
        # RFC 5869 with one block of output. A token's secret takes the place of the salt: both must be known.
        # Hashed first: HMAC pads short keys with zeros, and "a" must not be the same secret as "a\0".
        salt = hashlib.sha256(_bytes(secret)).digest()
        extracted = hmac.digest(salt, self._master, "sha256")
        return hmac.digest(extracted, f"gatekit/{use}/{purpose}".encode() + b"\x01", "sha256")


def _seal(cipher: AESGCM, plain: str, purpose: str) -> str:
    nonce = os.urandom(_NONCE_BYTES)
    return _VERSION + _encode(nonce + cipher.encrypt(nonce, plain.encode(), purpose.encode()))


def _open(cipher: AESGCM, sealed: str, purpose: str) -> str:
    try:
        if not sealed.startswith(_VERSION):
            raise ValueError("unknown version")
        text = sealed[len(_VERSION) :].encode("ascii").translate(_STANDARD)
        data = binascii.a2b_base64(text + b"=" * (-len(text) % 4), strict_mode=True)
        return cipher.decrypt(data[:_NONCE_BYTES], data[_NONCE_BYTES:], purpose.encode()).decode()
    except (InvalidTag, ValueError, binascii.Error) as error:
        raise VaultError(
            f"a sealed value ({purpose}) does not open: it was changed, or {MASTER_KEY_FILE} is not the key "
            "it was sealed with; put the right key back"
        ) from error


def _bytes(text: str) -> bytes:
    """For hashing: whatever a stranger sent, it must hash to something and not crash."""
    return text.encode("utf-8", "surrogatepass")


def _encode(data: bytes) -> str:
    return binascii.b2a_base64(data, newline=False).translate(_URL_SAFE).rstrip(b"=").decode()


# -- the master key ----------------------------------------------------------------------------------------


def load_master_key(data_dir: Path) -> bytes:
    """The key in ``master.key``; made once, when it is not there yet. Readable by its owner only.

    Raise ``VaultError`` if others may read it, if it is not 32 bytes, or if it cannot be read or made.
    """
    path = data_dir / MASTER_KEY_FILE
    try:
        if not path.exists():
            _create(path)
        with path.open("rb") as file:
            mode = os.fstat(file.fileno()).st_mode & 0o777
            key = file.read(KEY_BYTES + 1)
    except OSError as error:
        raise VaultError(f"{path}: {error.strerror or error}") from error
    if mode & 0o077:
        raise VaultError(f"{path} may be read by others (mode {mode:04o}): run chmod 600 {path}")
    if len(key) != KEY_BYTES:
        raise VaultError(f"{path} must hold exactly {KEY_BYTES} bytes: restore it from a backup")
    return key


def _create(path: Path) -> None:
    """All or nothing: a link of a finished file, so that two starting at once end up with one key."""
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    half = path.with_name(f".{path.name}.{os.getpid()}.{os.urandom(4).hex()}")
    descriptor = os.open(half, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    try:
        with os.fdopen(descriptor, "wb") as file:
            file.write(os.urandom(KEY_BYTES))
            file.flush()
            os.fsync(file.fileno())
        os.link(half, path)
        _sync_directory(path.parent)
    except FileExistsError:
        pass  # somebody else was faster; theirs is the key
    finally:
        half.unlink()


def _sync_directory(path: Path) -> None:
    descriptor = os.open(path, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
