"""Which format the content is, whatever its name says, and what its header promises."""

import re
from collections.abc import Callable

from pictor_contract.errors import EmptyPicture, UnknownFormat
from pictor_contract.formats.bmp import read_bmp
from pictor_contract.formats.gif import read_gif
from pictor_contract.formats.header import Header
from pictor_contract.formats.jpeg import read_jpeg
from pictor_contract.formats.png import read_png
from pictor_contract.formats.tiff import read_tiff
from pictor_contract.formats.webp import read_webp
from pictor_contract.limits import DecodeLimits

_FORMATS: tuple[tuple[re.Pattern[bytes], Callable[[bytes, DecodeLimits], Header]], ...] = (
    (re.compile(rb"\xff\xd8\xff"), read_jpeg),
    (re.compile(rb"\x89PNG\r\n\x1a\n"), read_png),
    (re.compile(rb"RIFF....WEBP", re.DOTALL), read_webp),
    (re.compile(rb"GIF8[79]a"), read_gif),
    (re.compile(rb"II[*+]\0|MM\0[*+]"), read_tiff),
    # Two letters alone are no signature: the header's own length follows the file's.
    (re.compile(rb"BM.{12}[\x0c\x28\x34\x38\x40\x6c\x7c]\0\0\0", re.DOTALL), read_bmp),
)

# What people send by mistake, so that the refusal can name it.
_OTHERS = (
    (re.compile(rb"(?:\xef\xbb\xbf)?\s*<(?:!doctype html|html)", re.IGNORECASE), "an HTML page"),
    (re.compile(rb"(?:\xef\xbb\xbf)?\s*<(?:\?xml|svg|!doctype svg)", re.IGNORECASE), "SVG or other XML"),
    (re.compile(rb"....ftypavi[fs]", re.DOTALL), "AVIF"),
    (re.compile(rb"....ftyp(?:hei|hev|mif|msf)", re.DOTALL), "HEIC"),
    (re.compile(rb"....ftyp", re.DOTALL), "a video"),
    (re.compile(rb"\xff\x0a|\0\0\0\x0cJXL "), "JPEG XL"),
    (re.compile(rb"%PDF"), "PDF"),
    (re.compile(rb"PK\x03\x04"), "a ZIP archive"),
)
_START = 256  # bytes looked at for them


def read_header(data: bytes, limits: DecodeLimits) -> Header:
    """Recognise the format and check every limit; no pixel is read.

    Raises:
        PictureRefused: empty, unknown, too large, or broken already in its header.
        struct.error, IndexError: the header ends early; the caller translates it.
    """
    if not data:
        raise EmptyPicture("The picture is empty: 0 bytes were received. Send the file's content.")
    limits.check_bytes(len(data))
    for signature, read in _FORMATS:
        if signature.match(data):
            return read(data, limits)
    raise UnknownFormat(
        f"The content is none of JPEG, PNG, WEBP, BMP, GIF and TIFF; received {_name(data[:_START])}. "
        "Send the picture in one of these formats."
    )


def _name(start: bytes) -> str:
    for signature, name in _OTHERS:
        if signature.match(start):
            return name
    return f"bytes that start with {start[:8].hex(' ')}"
