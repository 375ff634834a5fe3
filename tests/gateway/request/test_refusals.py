"""Every refusal is a problem as in RFC 9457, with a stable code and a message that helps."""

import asyncio
import base64
import json
import socket
from collections.abc import Callable, Iterator
from contextlib import closing
from http.client import HTTPConnection
from typing import Any

import httpx
import pytest

from pictor_gateway.errors import GatewayError

MakePicture = Callable[..., bytes]
MakeGateway = Callable[..., Any]
FORM = "multipart/form-data; boundary=b"
PNG = {"Content-Type": "image/png"}


def _is_problem(response: httpx.Response, status: int, code: str) -> None:
    problem = response.json()
    assert (status, code) == (response.status_code, problem["code"]), problem
    assert "application/problem+json" == response.headers["Content-Type"]
    assert {"type", "title", "status", "detail", "code", "retryable", "instance"} == set(problem)
    assert status == problem["status"]
    assert problem["detail"]


@pytest.mark.parametrize(
    ("content_type", "body", "status", "code"),
    [
        ("application/json", b"{", 400, "request_malformed"),
        ("application/json", b"[]", 400, "request_malformed"),
        ("application/json", b"null", 400, "request_malformed"),
        ("application/json", b'{"image": "abc"}', 400, "request_malformed"),
        ("application/json", b'{"image": {"b64": 7}}', 400, "request_malformed"),
        ("application/json", b'{"image": {"b64": "", "extra": 1}}', 400, "request_malformed"),
        ("application/json", b'{"images": []}', 400, "request_malformed"),
        ("application/json", b'{"images": [null]}', 400, "request_malformed"),
        ("application/json", b'{"image": {"b64": "AA"}, "top_k": 3}', 400, "request_malformed"),
        ("application/json", b"\xff\xfe\xfd", 400, "request_malformed"),
        ("application/json", b'{"image": {"b64": "AA"}, "image": {"b64": "AA"}}', 400, "request_malformed"),
        ("application/json", b'{"image": {"b64": "\\ud800"}}', 400, "request_malformed"),
        ("application/json", b'{"image": {"b64": "\xff"}}', 400, "request_malformed"),
        ("application/json", b"[" * 9_000, 400, "request_malformed"),
        ("application/json", b"[" * 100_000, 400, "request_malformed"),
        ("application/json", b'{"image": {"b64": "%%%"}}', 400, "base64_invalid"),
        ("application/json", b'{"image": {"b64": "AAAAA"}}', 400, "base64_invalid"),
        ("application/json", '{"image": {"b64": "é"}}'.encode(), 400, "base64_invalid"),
        ("application/json", b'{"image": {"b64": "data:image/png,AAAA"}}', 400, "base64_invalid"),
        ("application/json", b'{"image": {"b64": ""}}', 400, "picture_empty"),
        ("application/json", b'{"image": {"url": "http://localhost/"}}', 422, "url_not_enabled"),
        ("multipart/form-data", b"--b--", 400, "request_malformed"),
        (FORM, b"", 400, "request_malformed"),
        (FORM, b"nonsense", 400, "request_malformed"),
        (FORM, b"--b--\r\n", 400, "request_malformed"),
        (FORM, b'--b\r\nContent-Disposition: form-data; name="file"\r\n\r\nab', 400, "request_malformed"),
        (
            FORM,
            b'--b\r\nContent-Disposition: form-data; name="flie"\r\n\r\nab\r\n--b--\r\n',
            400,
            "request_malformed",
        ),
        (FORM, b"--b\r\nX: y\r\n\r\nab\r\n--b--\r\n", 400, "request_malformed"),
        ("text/plain", b"hello", 415, "media_type_unsupported"),
        ("application/x-www-form-urlencoded", b"hello", 415, "media_type_unsupported"),
        ("image/png", b"", 400, "picture_empty"),
        ("image/png", b"hello", 415, "picture_format_unknown"),
    ],
)
def test_a_body_that_cannot_be_read_is_refused(
    http: httpx.Client, content_type: str, body: bytes, status: int, code: str
) -> None:
    """Nonsense of any kind is the client's mistake, told by its code; never a 500."""
    response = http.post("/v1/classify", content=body, headers={"Content-Type": content_type})
    _is_problem(response, status, code)


def test_a_truncated_picture_is_refused(http: httpx.Client, picture: MakePicture) -> None:
    """Half a picture is not half an answer."""
    whole = picture(size=(300, 300), form="JPEG")
    _is_problem(
        http.post("/v1/classify", content=whole[: len(whole) // 2], headers=PNG), 422, "picture_broken"
    )


def test_too_many_pixels_are_refused(make_gateway: MakeGateway, picture: MakePicture) -> None:
    """The picture's header is enough to refuse by, and the connection serves on."""
    response = make_gateway(max_pixels=100).http.post("/v1/classify", content=picture(), headers=PNG)
    _is_problem(response, 413, "picture_too_large")
    assert "Connection" not in response.headers


@pytest.mark.parametrize(
    ("query", "status", "code"),
    [
        ("top_k=0", 422, "parameter_invalid"),
        ("top_k=many", 422, "parameter_invalid"),
        ("topk=3", 422, "parameter_invalid"),
        ("threshold=1.1", 422, "parameter_invalid"),
        ("threshold=nan", 422, "parameter_invalid"),
        ("version=-1", 422, "parameter_invalid"),
        ("version=9", 404, "version_not_found"),
        ("model=unknown", 404, "model_not_found"),
        ("model=..%2F..%2Fetc", 404, "model_not_found"),
    ],
)
def test_a_wrong_parameter_is_refused(
    http: httpx.Client, picture: MakePicture, query: str, status: int, code: str
) -> None:
    """Also a misspelt one, which would otherwise be silently ignored."""
    _is_problem(http.post(f"/v1/classify?{query}", content=picture(), headers=PNG), status, code)


def test_the_message_names_the_parameter_and_what_was_received(http: httpx.Client) -> None:
    """A developer sees at once what to correct."""
    detail = http.post("/v1/classify?top_k=many").json()["detail"]
    assert "top_k" in detail
    assert "'many'" in detail
    misspelt = http.post("/v1/classify?topk=3").json()["detail"]
    assert "topk is not a parameter of this address" in misspelt


def test_the_model_must_be_named_where_there_are_several(
    make_gateway: MakeGateway, publish: Callable[..., object], picture: MakePicture
) -> None:
    """Guessing would be wrong half the time; with a default it is no guess."""
    publish("others", 1)
    _is_problem(make_gateway().http.post("/v1/classify", content=picture()), 422, "model_required")
    chosen = make_gateway(default_model="others").http.post("/v1/classify", content=picture())
    assert "others" == chosen.headers["X-Model-Name"]


def test_unknown_addresses_and_methods_are_problems_too(http: httpx.Client) -> None:
    """Starlette's own refusals come in the same form, with their headers."""
    _is_problem(http.get("/v1/nothing"), 404, "not_found")
    response = http.get("/v1/classify")
    _is_problem(response, 405, "method_not_allowed")
    assert "POST" == response.headers["Allow"]


def test_a_compressed_body_is_refused(http: httpx.Client, picture: MakePicture) -> None:
    """Pictures are compressed already; a bomb would hide its size."""
    response = http.post("/v1/classify", content=picture(), headers={"Content-Encoding": "gzip"})
    _is_problem(response, 415, "media_type_unsupported")


@pytest.mark.parametrize("part", [b"[],", b"{},", b"0,", b'"",'])
def test_a_flood_of_json_is_refused_unread(make_gateway: MakeGateway, part: bytes) -> None:
    """The parser would hold the event loop up for longer than any probe waits."""
    body = b'{"image": [' + part * (9_000_000 // len(part)) + b"0]}"
    response = make_gateway().http.post(
        "/v1/classify", content=body, headers={"Content-Type": "application/json"}
    )
    _is_problem(response, 400, "request_malformed")
    assert "more parts than 16 pictures need" in response.json()["detail"]


def test_too_many_pictures_are_refused(http: httpx.Client, picture: MakePicture) -> None:
    """One request must not take all workers for itself."""
    files = [("files", picture()) for _ in range(4)]
    _is_problem(http.post("/v1/classify", files=files), 413, "too_many_pictures")


def test_a_form_of_very_many_parts_is_refused_unread(http: httpx.Client) -> None:
    """Reading a million empty parts would take a decoding thread for seconds."""
    body = b"--X\r\n\r\n\r\n" * 15_000 + b"--X--\r\n"
    response = http.post(
        "/v1/classify", content=body, headers={"Content-Type": "multipart/form-data; boundary=X"}
    )
    _is_problem(response, 413, "too_many_pictures")


def test_an_announced_large_body_is_refused_at_once(http: httpx.Client) -> None:
    """The Content-Length is believed when it says too much; the connection is closed after the answer."""
    response = http.post("/v1/classify", content=b"x" * 300_000, headers=PNG)
    _is_problem(response, 413, "body_too_large")
    assert "close" == response.headers["Connection"]


@pytest.mark.parametrize(
    ("address", "status", "code"),
    [
        ("/v1/nothing", 404, "not_found"),
        ("/v1/classify", 415, "media_type_unsupported"),
        ("/v1/classify?topk=3", 422, "parameter_invalid"),
    ],
)
def test_a_refusal_reaches_a_client_that_is_still_sending(
    http: httpx.Client, address: str, status: int, code: str
) -> None:
    """A close with unread bytes would reset the connection, and the client would lose the answer."""
    headers = {"Content-Type": "text/plain", "Connection": "close"}
    with closing(HTTPConnection(http.base_url.host, http.base_url.port)) as connection:
        connection.request("POST", address, bytes(9_000_000), headers)  # httpx would hide the reset
        response = connection.getresponse()
        assert (status, code) == (response.status, json.load(response)["code"])


@pytest.mark.parametrize(
    "start", [b"GET /livez?", b"GET /livez HTTP/1.1\r\nHost: here\r\nX: "], ids=["address", "header"]
)
def test_headers_without_an_end_are_cut_off(http: httpx.Client, start: bytes) -> None:
    """Their bytes are held in memory, so there must not be many of them."""
    with socket.create_connection((http.base_url.host, http.base_url.port or 0)) as connection:
        connection.sendall(start)
        with pytest.raises(ConnectionError):
            connection.sendall(b"x" * 50_000_000)


def test_a_chunked_body_is_counted_as_it_arrives(http: httpx.Client) -> None:
    """Without a Content-Length the limit holds all the same, long before the body's end."""
    sent = 0

    def endless() -> Iterator[bytes]:
        nonlocal sent
        while sent < 50_000_000:
            sent += 10_000
            yield b"x" * 10_000

    response = http.post("/v1/classify", content=endless(), headers=PNG)
    _is_problem(response, 413, "body_too_large")


async def _until_closed(gateway: Any, sent: bytes) -> bytes:
    """Send what is no whole request, and return all that comes until the gateway closes."""
    reader, writer = await asyncio.open_connection(gateway.http.base_url.host, gateway.http.base_url.port)
    writer.write(sent)
    answer = await reader.read()
    writer.close()
    return answer


def test_a_body_that_trickles_is_refused(make_gateway: MakeGateway) -> None:
    """A client that sends half a body and then nothing is told so, and loses its connection."""
    gateway = make_gateway(receive_timeout_s=0.05)

    half = b"POST /v1/classify HTTP/1.1\r\nHost: here\r\nContent-Length: 100\r\n\r\nhalf"
    answer = asyncio.run(_until_closed(gateway, half))
    assert answer.startswith(b"HTTP/1.1 408")
    assert "body_timeout" == json.loads(answer.partition(b"\r\n\r\n")[2])["code"]


def test_headers_that_trickle_lose_their_connection(make_gateway: MakeGateway) -> None:
    """A connection that never completes its headers is closed; there is no request to answer."""
    gateway = make_gateway(receive_timeout_s=0.05)

    assert b"" == asyncio.run(_until_closed(gateway, b"POST /v1/classify HTTP/1.1\r\nHost: he"))


def test_every_code_of_the_tree_is_its_own() -> None:
    """A code is what programs branch on: two errors with one code could not be told apart."""

    def below(kind: type[GatewayError]) -> list[type[GatewayError]]:
        return [kind, *(deeper for child in kind.__subclasses__() for deeper in below(child))]

    codes = [kind.code for kind in below(GatewayError) if "code" in vars(kind)]  # or it is its parent's
    assert sorted(set(codes)) == sorted(codes)


def test_the_url_safe_alphabet_is_no_excuse_for_nonsense(http: httpx.Client, picture: MakePicture) -> None:
    """Padding inside, or letters after it, is refused."""
    text = base64.b64encode(picture()).decode()
    response = http.post("/v1/classify", json={"image": {"b64": text[:8] + "=" + text[8:]}})
    _is_problem(response, 400, "base64_invalid")
