"""What a picture or a contract can be refused for.

::

    ContractError
    ├── InvalidContract          the contract itself: unreadable, unknown version, impossible value
    ├── ArtifactError            a version's folder: a file is missing, extra or not what the manifest says
    └── PictureRefused           one picture; `code` is stable, the message may be shown to its sender
        ├── EmptyPicture         no bytes at all
        ├── PictureTooLarge      a limit: bytes, pixels, frames or scans
        ├── UnknownFormat        the content is none of the allowed formats, whatever its name says
        ├── UnsupportedPicture   a known format in a variant that has no honest 8-bit meaning
        └── BrokenPicture        truncated or corrupt
"""

from typing import ClassVar


class ContractError(Exception):
    """Root of all that this package raises on purpose."""


class InvalidContract(ContractError, ValueError):
    """The contract cannot be read, or says something that cannot be honoured."""


class ArtifactError(ContractError):
    """A version's folder is not what its manifest says."""


class PictureRefused(ContractError, ValueError):
    """One picture was refused; the message names no path and no internals."""

    code: ClassVar[str] = "picture_refused"


class EmptyPicture(PictureRefused):
    """There were no bytes to decode."""

    code = "picture_empty"


class PictureTooLarge(PictureRefused):
    """A limit on bytes, pixels, frames or scans was exceeded; no pixel was read."""

    code = "picture_too_large"


class UnknownFormat(PictureRefused):
    """The content is none of the allowed formats."""

    code = "picture_format_unknown"


class UnsupportedPicture(PictureRefused):
    """The format is allowed, but this variant has no honest 8-bit meaning."""

    code = "picture_unsupported"


class BrokenPicture(PictureRefused):
    """The picture is truncated or corrupt."""

    code = "picture_broken"
