"""API keys and the rate of each: who is let in, who is not, and how keys change while the gateway runs."""

import json
import logging
import os
import shutil
import socket
from collections.abc import Callable
from pathlib import Path
from typing import Any

import httpx
import pytest

from gateway.entrance.keyring import KEY, OTHER, bearer, replace
from pictor_gateway import Settings
from pictor_gateway.entrance.api_keys import line_for
from pictor_gateway.routes import ROUTES
from pictor_gateway.telemetry.logs import JsonLines

MakeGateway = Callable[..., Any]
MakePicture = Callable[..., bytes]
Eventually = Callable[[Callable[[], bool]], None]


@pytest.mark.parametrize(
    "headers",
    [
        bearer(KEY),
        {"Authorization": f"bearer   {KEY}"},
        {"X-API-Key": KEY},
        {"X-API-Key": KEY, "Authorization": "Basic dTpw"},
    ],
)
def test_a_known_key_is_let_in(
    make_gateway: MakeGateway, keys: Path, picture: MakePicture, headers: dict[str, str]
) -> None:
    """In either header."""
    http = make_gateway(api_keys_file=keys).http
    assert 200 == http.post("/v1/classify", content=picture(), headers=headers).status_code


@pytest.mark.parametrize(
    "headers",
    [
        {},
        bearer(OTHER),
        {"Authorization": "Bearer"},
        {"Authorization": KEY},
        {"Authorization": f"Basic {KEY}"},
        {"X-API-Key": OTHER},
        {"X-API-Key": OTHER, "Authorization": f"Bearer {KEY}"},
        {b"X-API-Key": b"\xff\xfe"},
    ],
)
def test_no_key_or_an_unknown_one_is_refused(
    make_gateway: MakeGateway, keys: Path, picture: MakePicture, headers: dict[Any, Any]
) -> None:
    """With 401, the scheme to use, and nothing of what was sent."""
    http = make_gateway(api_keys_file=keys).http
    refused = http.post("/v1/classify", content=picture(), headers=headers)
    assert (401, "unauthorized") == (refused.status_code, refused.json()["code"])
    assert 'Bearer realm="pictor"' == refused.headers["WWW-Authenticate"]
    assert OTHER not in refused.text
    assert KEY not in refused.text


def test_a_digest_is_no_key(make_gateway: MakeGateway, keys: Path) -> None:
    """Whoever sees the file cannot ask with what stands in it."""
    http = make_gateway(api_keys_file=keys).http
    digest = line_for("shop", KEY).partition(":")[2]
    assert 401 == http.get("/v1/models", headers=bearer(digest)).status_code


def test_the_key_comes_before_everything_else(make_gateway: MakeGateway, keys: Path) -> None:
    """A stranger learns neither which parameters nor which models there are, and no body is waited for."""
    http = make_gateway(api_keys_file=keys).http
    for path in ("/v1/classify?no_such=1", "/v1/classify?model=none", "/v1/models", "/v2/models/none"):
        method = "POST" if "classify" in path else "GET"
        assert 401 == http.request(method, path, headers={"Content-Type": "text/x"}).status_code
    with socket.create_connection((http.base_url.host, http.base_url.port or 0), timeout=10) as client:
        client.sendall(b"POST /v1/classify HTTP/1.1\r\nHost: here\r\nContent-Length: 1000000000\r\n\r\nx")
        assert client.recv(65536).startswith(b"HTTP/1.1 401 ")


def test_every_address_but_probes_and_documentation_needs_a_key(
    make_gateway: MakeGateway, keys: Path
) -> None:
    """HEAD as well as GET."""
    http = make_gateway(api_keys_file=keys).http
    for route in ROUTES:
        path = route.path.replace("{", "").replace("}", "")
        methods = [route.method] + (["HEAD"] if route.method == "GET" else [])
        for answer in (http.request(method, path) for method in methods):
            assert (answer.status_code == 401) == route.needs_key, path
    for path in ("/livez", "/readyz", "/startupz", "/healthz", "/metrics", "/docs", "/openapi.json"):
        assert 200 == http.get(path).status_code


def test_the_documentation_asks_for_a_key_where_one_is_needed(make_gateway: MakeGateway, keys: Path) -> None:
    """In either header; the second look shows the same."""
    http = make_gateway(api_keys_file=keys).http
    first, described = (http.get("/openapi.json").json() for _ in range(2))
    assert first == described
    assert {"bearer", "api_key"} == set(described["components"]["securitySchemes"])
    needing = {
        path for path, one in described["paths"].items() for each in one.values() if "security" in each
    }
    assert {route.path for route in ROUTES if route.needs_key} & set(described["paths"]) == needing


def test_without_keys_everybody_is_let_in(make_gateway: MakeGateway) -> None:
    """A key that is sent all the same does no harm, and none is asked for."""
    http = make_gateway().http
    assert 200 == http.get("/v1/models", headers=bearer(OTHER)).status_code
    assert "securitySchemes" not in http.get("/openapi.json").text


def test_keys_may_come_as_text(make_gateway: MakeGateway) -> None:
    """Separated by commas or line ends, as an environment variable holds them; beside a file as well."""
    text = f"{line_for('shop', KEY)}, {line_for('shop', OTHER)}\n"
    http = make_gateway(api_keys=text).http
    assert [200, 200] == [http.get("/v1/models", headers=bearer(key)).status_code for key in (KEY, OTHER)]
    assert text not in Settings.load({"api_keys": text}, {}).model_dump_json()


@pytest.mark.parametrize("swap", ["rename", "link", "rewrite"])
def test_keys_are_exchanged_while_it_runs(
    make_gateway: MakeGateway, keys: Path, tmp_path: Path, eventually: Eventually, swap: str
) -> None:
    """By a rename, by a link that is swapped as Kubernetes does, or in place."""
    served = keys
    if swap == "link":
        for name, key in (("one", KEY), ("two", OTHER)):
            (tmp_path / name).mkdir()
            (tmp_path / name / "keys").write_text(line_for("shop", key), encoding="utf-8")
        (tmp_path / "data").symlink_to("one")
        served = tmp_path / "data" / "keys"
    http = make_gateway(api_keys_file=served).http
    assert [200, 401] == [http.get("/v1/models", headers=bearer(key)).status_code for key in (KEY, OTHER)]
    if swap == "rename":
        replace(keys, line_for("shop", OTHER))
    elif swap == "rewrite":
        keys.write_text(line_for("shop", OTHER), encoding="utf-8")
    else:
        (tmp_path / "data.new").symlink_to("two")
        (tmp_path / "data.new").rename(tmp_path / "data")
    eventually(lambda: http.get("/v1/models", headers=bearer(OTHER)).status_code == 200)
    assert 401 == http.get("/v1/models", headers=bearer(KEY)).status_code


class MountedSecret:
    """A Secret's folder as the kubelet keeps it: its file is a link through `..data`, which alone changes."""

    def __init__(self, folder: Path, text: str) -> None:
        self.file = folder / "keys.txt"
        self._folder = folder
        self._writes = 0
        folder.mkdir()
        self.update(text)
        self.file.symlink_to("..data/keys.txt")

    def update(self, text: str) -> None:
        """Write a new folder, swap the link by one rename, remove the old folder."""
        before, self._writes = self._folder / f"..{self._writes}", self._writes + 1
        now = self._folder / f"..{self._writes}"
        now.mkdir()
        (now / "keys.txt").write_text(text, encoding="utf-8")
        (self._folder / "..data_tmp").symlink_to(now.name)
        (self._folder / "..data_tmp").rename(self._folder / "..data")
        shutil.rmtree(before, ignore_errors=True)


def test_a_mounted_secret_opens_and_closes_it(
    make_gateway: MakeGateway, tmp_path: Path, eventually: Eventually, caplog: pytest.LogCaptureFixture
) -> None:
    """A file without a key lets nobody in, and is no reason not to run; keys come and go with no restart."""
    secret = MountedSecret(tmp_path / "keys", "# name:sha256, one a line\n")
    http = make_gateway(api_keys_file=secret.file).http

    def statuses() -> list[int]:
        return [http.get("/v1/models", headers=headers).status_code for headers in ({}, bearer(KEY))]

    assert [401, 401] == statuses()
    assert 200 == http.get("/readyz").status_code
    eventually(lambda: 1 == caplog.messages.count("no api key, every request is refused"))
    secret.update(f"# shop's\n{line_for('shop', KEY)}\n")
    eventually(lambda: statuses() == [401, 200])
    secret.update("# all keys are withdrawn\n")
    eventually(lambda: statuses() == [401, 401])
    eventually(lambda: 2 == caplog.messages.count("no api key, every request is refused"))


@pytest.mark.parametrize("fault", ["malformed", "gone"])
def test_a_faulty_file_changes_nothing(
    make_gateway: MakeGateway,
    keys: Path,
    eventually: Eventually,
    caplog: pytest.LogCaptureFixture,
    fault: str,
) -> None:
    """The former keys hold on, the fault is logged once, and the next good file is taken over."""
    http = make_gateway(api_keys_file=keys).http
    if fault == "gone":
        keys.unlink()
    else:
        replace(keys, f"{line_for('shop', OTHER)}\n{KEY}\n")
    eventually(lambda: "api keys not read, the former ones hold on" in caplog.messages)
    assert [200, 401] == [http.get("/v1/models", headers=bearer(key)).status_code for key in (KEY, OTHER)]
    replace(keys, line_for("shop", OTHER))
    eventually(lambda: http.get("/v1/models", headers=bearer(OTHER)).status_code == 200)
    assert 1 == caplog.messages.count("api keys not read, the former ones hold on")
    formatted = "".join(JsonLines().format(record) for record in caplog.records)
    assert KEY not in formatted
    assert OTHER not in formatted


def test_the_log_names_the_client_and_never_the_key(
    make_gateway: MakeGateway, keys: Path, caplog: pytest.LogCaptureFixture, eventually: Eventually
) -> None:
    """Nor its digest; a refused request has no name."""
    http = make_gateway(api_keys_file=keys).http
    with caplog.at_level(logging.DEBUG):
        http.get("/v1/models", headers=bearer(KEY))
        http.get("/v1/models", headers={"X-API-Key": OTHER})
        eventually(lambda: 2 == sum(record.name == "pictor.access" for record in caplog.records))
    lines = [JsonLines().format(record) for record in caplog.records]
    asked = [json.loads(line) for line in lines if '"pictor.access"' in line]
    assert [("shop", 200), ("", 401)] == [(line.get("key", ""), line["status"]) for line in asked]
    digests = [line_for("x", key).partition(":")[2] for key in (KEY, OTHER)]
    assert not [word for word in (KEY, OTHER, *digests) for line in lines if word in line]


def test_no_key_is_in_the_log_of_a_real_process(
    serve: Callable[..., Any], keys: Path, eventually: Eventually
) -> None:
    """Rotation, refusals and requests leave names only."""
    server = serve("--api-keys-file", str(keys), "--log-level", "debug")
    address = server.address()
    assert 200 == httpx.get(f"{address}/v1/models", headers=bearer(KEY)).status_code
    os.truncate(keys, 40)
    eventually(lambda: any("api keys not read" in str(line["msg"]) for line in server.log()))
    replace(keys, line_for("shop", OTHER))
    eventually(lambda: httpx.get(f"{address}/v1/models", headers=bearer(OTHER)).status_code == 200)
    assert 401 == httpx.get(f"{address}/v1/models", headers=bearer(KEY)).status_code
    log = server.log_file.read_text(encoding="utf-8")
    assert {"shop", ""} == {line["key"] for line in server.log() if line["msg"] == "request"}
    digests = [line_for("x", key).partition(":")[2] for key in (KEY, OTHER)]
    assert not [word for word in (KEY, OTHER, *digests) if word in log]
