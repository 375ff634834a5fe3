"""Pictures as clients send them, before anyone has looked inside."""

import binascii
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from pictor_contract import PictureTooLarge
from pictor_gateway.errors import InvalidBase64, TooManyPictures, UrlFetchFailed, UrlRefused

_TO_STANDARD = bytes.maketrans(b"-_", b"+/")


@dataclass(frozen=True, slots=True)
class Base64Picture:
    """A picture as base64 text: standard or URL-safe alphabet, padded or not, a data URI or bare."""

    text: str

    def to_bytes(self) -> bytes:
        """Return the picture's bytes. Slow for a large picture: not for the event loop.

        Raises:
            InvalidBase64: a character, length or padding that no encoder writes.
        """
        payload = self.text
        if payload.startswith("data:"):
            head, comma, payload = payload.partition(",")
            if not comma or not head.endswith(";base64"):
                raise InvalidBase64("A data URI must look like data:image/png;base64,iVBORw0...")
        try:
            letters = payload.encode("ascii").translate(_TO_STANDARD, b" \t\r\n")
            padding = b"=" * (-len(letters) % 4)
            return binascii.a2b_base64(letters + padding, strict_mode=True)
        except (UnicodeEncodeError, binascii.Error) as error:
            raise InvalidBase64(f"The text is not base64 ({error}).") from error


EncodedPicture = bytes | Base64Picture


RAW = "raw"
"""What stands for the format of a picture that came as pixels."""


@dataclass(frozen=True, slots=True)
class RawPixels:
    """One picture as pixels already, as tensors bring it; shape and dtype are not yet checked."""

    pixels: NDArray[np.generic]


@dataclass(frozen=True, slots=True)
class LinkedPicture:
    """A picture that is somewhere else. `where` it was named in the request, for messages."""

    url: str
    where: str


@dataclass(frozen=True, slots=True)
class MissingPicture:
    """A picture that was to be fetched and could not be; its error stands in its place."""

    error: UrlRefused | UrlFetchFailed | PictureTooLarge


SentPicture = EncodedPicture | RawPixels | MissingPicture
"""A picture in any form in which a request may bring it."""


def check_number(pictures: int, most: int) -> None:
    """Refuse a request with more pictures than allowed.

    Raises:
        TooManyPictures: it has.
    """
    if pictures > most:
        raise TooManyPictures(f"The request has {pictures} pictures; at most {most} are allowed.")
