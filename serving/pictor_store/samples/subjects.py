"""Whose pictures they are, as a salted hash: it tells no name, and a name finds its pictures."""

import hmac
from contextlib import suppress
from secrets import token_hex

from pictor_store.errors import SamplesError
from pictor_store.places import Place
from pictor_store.samples.layout import SALT, is_digest

_SALT_BYTES = 32
_KEY_DIGITS = 32


def subject_bytes(subject: str) -> bytes:
    """Return the bytes that a name's key is made of: as a client sends it in a header."""
    return subject.strip().encode("utf-8", "surrogateescape")


class SubjectKeys:
    """Makes the keys with the place's salt; whoever needs one first makes the salt."""

    def __init__(self, place: Place) -> None:
        self._place = place
        self._salt = b""

    def key_of(self, subject: bytes) -> str:
        """Return the key of a name.

        Raises:
            OSError: the place cannot be read or written.
            SamplesError: the salt is damaged.
        """
        if not self._salt:
            self._salt = self._read_salt()
        return hmac.digest(self._salt, subject, "sha256").hex()[:_KEY_DIGITS]

    def found_by(self, subject: bytes) -> str | None:
        """Do the same; None if there is no salt, so that no picture can have a key.

        Raises:
            OSError, SamplesError: as `key_of`.
        """
        return self.key_of(subject) if self._salt or self._place.exists(SALT) else None

    def _read_salt(self) -> bytes:
        if not self._place.exists(SALT):
            with suppress(FileExistsError):  # another process was faster
                self._place.create(SALT, token_hex(_SALT_BYTES).encode())
        text = self._place.read(SALT).decode("ascii", "replace")
        if not is_digest(text):  # it has as many digits
            raise SamplesError(f"{SALT} in {self._place.where} is damaged: put back the one that was there.")
        return bytes.fromhex(text)
