"""Every error becomes an RFC 9457 problem here, and nowhere else."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from http import HTTPStatus
from typing import Any
from urllib.parse import quote

from fastapi.exceptions import RequestValidationError
from starlette.exceptions import HTTPException

from pictor_contract import (
    BrokenPicture,
    EmptyPicture,
    PictureRefused,
    PictureTooLarge,
    UnknownFormat,
    UnsupportedPicture,
)
from pictor_gateway.errors import GatewayError, InvalidParameter

MEDIA_TYPE = "application/problem+json"

_REFUSALS: dict[type[PictureRefused], tuple[int, str]] = {
    EmptyPicture: (400, "The picture is empty"),
    PictureTooLarge: (413, "The picture is too large"),
    UnknownFormat: (415, "The picture's format is not supported"),
    UnsupportedPicture: (422, "This variant of the format is not supported"),
    BrokenPicture: (422, "The picture is truncated or corrupt"),
}


@dataclass(frozen=True, slots=True)
class Problem:
    """What a caller may know about an error; `retryable`: the same request may succeed later.

    `cuts_body`: the rest of the body is not waited for, so the connection ends with the answer.
    """

    status: int
    code: str
    title: str
    detail: str
    retryable: bool = False
    headers: Mapping[str, str] = field(default_factory=dict)
    cuts_body: bool = False

    def body(self, request_id: str | None = None) -> dict[str, Any]:
        """Return the JSON object; `instance` names the request for which there is one."""
        members: dict[str, Any] = {
            "type": f"urn:pictor:problem:{self.code}",
            "title": self.title,
            "status": self.status,
            "detail": self.detail,
            "code": self.code,
            "retryable": self.retryable,
        }
        if request_id is not None:
            members["instance"] = f"urn:pictor:request:{quote(request_id, safe='')}"
        return members


def problem_of(error: Exception) -> Problem:
    """Return what may be shown of `error`; of an unexpected one nothing but that it happened."""
    if isinstance(error, GatewayError):
        return _from_gateway(error)
    if isinstance(error, PictureRefused):
        status, title = _REFUSALS[type(error)]
        return Problem(status, error.code, title, str(error))
    if isinstance(error, RequestValidationError):
        return _from_gateway(InvalidParameter(_parameters_text(error)))
    if isinstance(error, HTTPException):
        return _from_starlette(error)
    return _from_gateway(GatewayError("The error is logged under this request's id."))


def _from_gateway(error: GatewayError) -> Problem:
    return Problem(
        status=error.status,
        code=error.code,
        title=error.title,
        detail=str(error),
        retryable=error.retryable,
        headers=error.headers(),
        cuts_body=error.cuts_body,
    )


def _from_starlette(error: HTTPException) -> Problem:
    codes = {404: "not_found", 405: "method_not_allowed"}
    title = HTTPStatus(error.status_code).phrase
    details = {
        404: "Nothing is served at this address; /docs lists what is.",
        405: "This address does not take this method; the Allow header says which it takes.",
    }
    return Problem(
        status=error.status_code,
        code=codes.get(error.status_code, "http_error"),
        title=title,
        detail=details.get(error.status_code, title),
        headers=error.headers or {},
    )


def _parameters_text(error: RequestValidationError) -> str:
    faults = []
    for fault in error.errors():
        name = ".".join(str(step) for step in fault["loc"][1:]) or str(fault["loc"][0])
        received = fault.get("input")
        shown = f"; received {str(received)[:100]!r}" if isinstance(received, str | int | float) else ""
        if fault["type"] == "extra_forbidden":
            faults.append(f"{name} is not a parameter of this address; /docs lists those that are")
        else:
            faults.append(f"{name}: {fault['msg']}{shown}")
    return "; ".join(faults) + "."
