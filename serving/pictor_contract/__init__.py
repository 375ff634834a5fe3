"""The contract between training and serving: how a picture becomes pixels, and what the answer means."""

from pictor_contract.contract import GoldenExample, Head, ImageContract, PictureInput, is_model_name
from pictor_contract.decode import DecodedPicture, DecodeLimits, decode, decode_picture
from pictor_contract.errors import (
    ArtifactError,
    BrokenPicture,
    ContractError,
    EmptyPicture,
    InvalidContract,
    PictureRefused,
    PictureTooLarge,
    UnknownFormat,
    UnsupportedPicture,
)
from pictor_contract.statistics import DataStatistics

__all__ = [
    "ArtifactError",
    "BrokenPicture",
    "ContractError",
    "DataStatistics",
    "DecodeLimits",
    "DecodedPicture",
    "EmptyPicture",
    "GoldenExample",
    "Head",
    "ImageContract",
    "InvalidContract",
    "PictureInput",
    "PictureRefused",
    "PictureTooLarge",
    "UnknownFormat",
    "UnsupportedPicture",
    "decode",
    "decode_picture",
    "is_model_name",
]
