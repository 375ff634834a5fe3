"""Read a multipart form that is already in memory: no temporary files, as a parser for streams would make."""

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from python_multipart.exceptions import FormParserError
from python_multipart.multipart import MultipartParser, parse_options_header

from pictor_gateway.errors import MalformedRequest
from pictor_gateway.request.encoded import check_number

if TYPE_CHECKING:
    from python_multipart.multipart import MultipartCallbacks  # not there at run time


@dataclass(slots=True)
class _Collector:
    """Receives the parser's callbacks, which give positions in the body."""

    parts: list[tuple[str, bytes]] = field(default_factory=list)
    complete: bool = False
    _header: bytes = b""
    _value: bytes = b""
    _name: str = ""
    _chunks: list[bytes] = field(default_factory=list)

    def on_part_begin(self) -> None:
        self._name, self._chunks = "", []

    def on_header_begin(self) -> None:
        self._header = self._value = b""

    def on_header_field(self, data: bytes, start: int, end: int) -> None:
        self._header += data[start:end]

    def on_header_value(self, data: bytes, start: int, end: int) -> None:
        self._value += data[start:end]

    def on_header_end(self) -> None:
        if self._header.lower() == b"content-disposition":
            _, options = parse_options_header(self._value)
            self._name = options.get(b"name", b"").decode("utf-8", "replace")

    def on_part_data(self, data: bytes, start: int, end: int) -> None:
        self._chunks.append(data[start:end])

    def on_part_end(self) -> None:
        self.parts.append((self._name, b"".join(self._chunks)))

    def on_end(self) -> None:
        self.complete = True


def read_multipart(content_type: str, body: bytes, most_parts: int) -> list[tuple[str, bytes]]:
    """Return each part's field name and content, in order.

    Raises:
        MalformedRequest: no boundary, broken parts, or the closing boundary is missing.
        TooManyPictures: more than `most_parts`, told before any is read: a million empty ones take seconds.
    """
    _, options = parse_options_header(content_type)
    boundary = options.get(b"boundary")
    if not boundary:
        raise MalformedRequest(
            "The Content-Type multipart/form-data has no boundary; let the client library set it."
        )
    check_number(body.count(b"--" + boundary) - 1, most_parts)
    collector = _Collector()
    callbacks: MultipartCallbacks = {
        "on_part_begin": collector.on_part_begin,
        "on_header_begin": collector.on_header_begin,
        "on_header_field": collector.on_header_field,
        "on_header_value": collector.on_header_value,
        "on_header_end": collector.on_header_end,
        "on_part_data": collector.on_part_data,
        "on_part_end": collector.on_part_end,
        "on_end": collector.on_end,
    }
    try:
        parser = MultipartParser(boundary, callbacks)
        parser.write(body)
        parser.finalize()
    except FormParserError as error:
        raise MalformedRequest(f"The multipart body cannot be read ({error}).") from error
    if not collector.complete:
        raise MalformedRequest("The multipart body ends before its closing boundary.")
    return collector.parts
