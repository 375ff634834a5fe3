"""Bodies with a Content-Encoding, where the protocol's clients send them: inflated within the limits."""

import asyncio
import gzip
import zlib
from collections.abc import AsyncIterator, Iterator
from itertools import pairwise

import httpx
import orjson
import pytest

from pictor_gateway.request.content_coding import Inflation

PREDICT = "/v1/models/colours:predict"
BODY = orjson.dumps({"instances": [[[[200, 30, 30]] * 8] * 8]})
BOMB = gzip.compress(bytes(50_000_000))


def send(http: httpx.Client, body: bytes | Iterator[bytes], coding: str = "gzip") -> httpx.Response:
    """Ask TensorFlow Serving's address with a body that says it is compressed."""
    return http.post(PREDICT, content=body, headers={"Content-Encoding": coding})


@pytest.mark.parametrize("coding", ["gzip", "GZIP", "x-gzip", "deflate"])
def test_a_compressed_request_is_answered_like_any(http: httpx.Client, coding: str) -> None:
    """Whether it comes at once or byte by byte."""
    packed = zlib.compress(BODY) if coding == "deflate" else gzip.compress(BODY, mtime=0)
    plain = http.post(PREDICT, content=BODY)
    assert 200 == plain.status_code
    assert plain.json() == send(http, packed, coding).json()
    assert plain.json() == send(http, (packed[i : i + 1] for i in range(len(packed))), coding).json()


def test_a_bomb_is_refused(http: httpx.Client) -> None:
    """The limit of a body holds for what comes out of it; what went in was within it."""
    assert len(BOMB) < 200_000
    answer = send(http, BOMB)
    assert (413, "close") == (answer.status_code, answer.headers["Connection"])
    assert {"error": "A body may have at most 200000 bytes."} == answer.json()


@pytest.mark.parametrize(
    ("packed", "coding", "says"),
    [
        (gzip.compress(BODY, mtime=0)[:-1], "gzip", "ends before its Content-Encoding gzip does"),
        (gzip.compress(BODY, mtime=0)[:30], "gzip", "ends before"),
        (b"", "gzip", "ends before"),
        (BODY, "gzip", "is not what its Content-Encoding gzip says"),
        (zlib.compress(BODY), "gzip", "is not what"),
        (gzip.compress(BODY, mtime=0), "deflate", "is not what its Content-Encoding deflate says"),
        (gzip.compress(BODY, mtime=0)[:-8] + bytes(8), "gzip", "is not what"),
        (gzip.compress(BODY, mtime=0) + b"more", "gzip", "More bytes follow"),
        (gzip.compress(BODY, mtime=0) + bytes(100_000), "gzip", "More bytes follow"),
        (gzip.compress(BODY, mtime=0), "gzip, identity", "Content-Encoding is 'gzip, identity'"),
    ],
)
def test_what_is_not_compressed_as_it_says_is_refused(
    http: httpx.Client, monkeypatch: pytest.MonkeyPatch, packed: bytes, coding: str, says: str
) -> None:
    """Cut short, of another coding, spoilt, or with something behind it: at once, and in words."""
    if len(packed) < 10_000:  # complete with its head: the answer does not wait for more
        monkeypatch.setattr("pictor_gateway.responses.LINGER_S", 3600.0)
    answer = send(http, packed, coding)
    assert (400, True) == (answer.status_code, says in answer.json()["error"]), answer.text


def test_what_comes_out_comes_in_small_pieces() -> None:
    """The event loop gets its turn between any two, however much one part of a body stands for."""

    async def pieces_with_turns() -> list[tuple[int, int]]:
        turns = 0

        async def count_turns() -> None:
            nonlocal turns
            while True:
                turns += 1
                await asyncio.sleep(0)

        other = asyncio.create_task(count_turns())
        pieces: AsyncIterator[bytes] = Inflation("gzip").pieces(BOMB)
        found = [(len(piece), turns) async for piece in pieces]
        other.cancel()
        return found

    found = asyncio.run(pieces_with_turns())
    assert 50_000_000 == sum(size for size, _ in found)
    assert max(size for size, _ in found) <= 256 * 1024
    assert all(after > before for (_, before), (_, after) in pairwise(found))
