"""BMP: one header, then rows."""

from struct import unpack_from

from pictor_contract.errors import UnsupportedPicture
from pictor_contract.formats.header import Header
from pictor_contract.limits import DecodeLimits

_OLD_HEADER_BYTES = 12
_PLAIN = (0, 3)  # rows of pixels, without or with masks that say where each colour's bits lie


def read_bmp(data: bytes, limits: DecodeLimits) -> Header:
    """Read the size; a negative height means rows from the top."""
    if unpack_from("<I", data, 14)[0] == _OLD_HEADER_BYTES:
        width, height = unpack_from("<HH", data, 18)
        compression = 0
    else:
        width, height, compression = unpack_from("<Ii4xI", data, 18)
    limits.check_pixels(width, abs(height))
    if compression not in _PLAIN:  # Pillow unpacks run lengths in Python: seconds for a few kilobytes
        raise UnsupportedPicture("The BMP is compressed. Save it uncompressed, or as PNG.")
    return Header("BMP", width, abs(height), data)
