"""Several processes behind one port: they count together, replace one another, and end together."""

import os
import signal
import socket
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from threading import Event
from typing import Any

import httpx
import psutil
import pytest
from prometheus_client import parser

from gateway.web import refuses
from pictor_gateway import Settings
from pictor_gateway.process import workers
from pictor_gateway.process.listening import listen

Serve = Callable[..., Any]
MakePicture = Callable[..., bytes]
Eventually = Callable[[Callable[[], bool]], None]


def _workers(server: Any) -> set[int]:
    return {child.pid for child in psutil.Process(server.process.pid).children()}


def _number(address: str, name: str, **labels: str) -> float:
    """Return a number as the next worker tells it; each question comes by a connection of its own."""
    families = parser.text_string_to_metric_families(httpx.get(f"{address}/metrics").text)
    return sum(
        sample.value
        for family in families
        for sample in family.samples
        if sample.name == name and labels.items() <= sample.labels.items()
    )


def _ask(address: str, body: bytes) -> int:
    return httpx.post(f"{address}/v1/classify", content=body, timeout=30).status_code


def test_the_numbers_are_those_of_all(serve: Serve, picture: MakePicture) -> None:
    """Whichever worker is asked: requests, histograms and gauges are summed, models are counted once."""
    server = serve("--workers", "2")
    address = server.address()
    assert 2 == len(_workers(server))
    loaded = {one.path for one in psutil.Process(server.process.pid).memory_maps()}
    assert not [path for path in loaded if "onnxruntime" in path or "grpc" in path]  # the workers' business
    body = picture()
    with ThreadPoolExecutor(8) as clients:
        assert [200] * 40 == list(clients.map(lambda _: _ask(address, body), range(40)))
    for _ in range(3):
        answered = _number(address, "pictor_requests_total", dialect="pictor", outcome="ok")
        pictures = _number(address, "pictor_pictures_total", result="decoded")
        timed = _number(address, "pictor_request_duration_seconds_count", dialect="pictor")
        assert (40, 40, 40) == (answered, pictures, timed)
        assert 1 == _number(address, "pictor_model_info")
        assert 0 == _number(address, "pictor_inflight_requests")
    text = httpx.get(f"{address}/metrics").text
    assert "python_info" in text
    assert "process_" not in text  # one process's memory would be taken for that of all


def test_a_killed_worker_comes_back_and_its_count_stays(
    serve: Serve, picture: MakePicture, eventually: Eventually
) -> None:
    """The others go on answering meanwhile; what it held at the moment is gone with it."""
    server = serve("--workers", "2", "--drain-s", "0")
    address = server.address()
    body = picture()
    before = _workers(server)
    over = Event()
    answered: list[int] = []

    def ask() -> None:
        while not over.is_set():
            try:
                answered.append(_ask(address, body))
            except httpx.TransportError:  # the connection that the killed worker held
                answered.append(0)

    with ThreadPoolExecutor(2) as clients:
        asking = [clients.submit(ask) for _ in range(2)]
        eventually(lambda: len(answered) > 20)
        os.kill(min(before), signal.SIGKILL)
        eventually(lambda: len(_workers(server) - before) == 1)
        successor = (_workers(server) - before).pop()
        eventually(lambda: _is_up(server, successor))
        over.set()
        for one in asking:
            one.result()
    assert {200, 0} >= set(answered)
    assert answered.count(0) <= 2
    counted = _number(address, "pictor_requests_total", dialect="pictor", outcome="ok")
    assert 0 <= counted - answered.count(200) <= 2  # answered, but killed before the answer was sent
    assert any(line["msg"] == "worker ended" and line["exit_code"] == -9 for line in server.log())
    server.process.send_signal(signal.SIGTERM)
    assert 0 == server.process.wait(30)


def _is_up(server: Any, pid: int) -> bool:
    started = [line for line in server.log() if line["msg"] == "version available"]
    return len(started) >= 3 and psutil.pid_exists(pid)


def test_ctrl_c_ends_them_all_with_0(serve: Serve) -> None:
    """And leaves neither a process nor a folder behind."""
    server = serve("--workers", "2")
    server.address()
    workers = _workers(server)
    folders = {Path(psutil.Process(pid).environ()["PROMETHEUS_MULTIPROC_DIR"]) for pid in workers}
    assert [True] == [one.is_dir() for one in folders]
    server.process.send_signal(signal.SIGINT)
    assert 0 == server.process.wait(30)
    assert not [pid for pid in workers if psutil.pid_exists(pid)]
    assert [False] == [one.exists() for one in folders]
    assert not [line for line in server.log() if line["level"] == "error"]


def test_sigterm_drains_every_worker(serve: Serve, picture: MakePicture, eventually: Eventually) -> None:
    """None is ready from then on, what was begun is finished, new connections are refused at the end."""
    server = serve("--workers", "2", "--drain-s", "2", "--metrics-port", "0")
    line = server.announcement()
    address = line.partition("listening on ")[2].partition(",")[0]
    probes = line.rpartition(" ")[2].strip()
    body = picture()
    with socket.create_connection(("127.0.0.1", int(address.rpartition(":")[2]))) as slow:
        head = f"POST /v1/classify HTTP/1.1\r\nHost: here\r\nContent-Length: {len(body)}\r\n\r\n"
        slow.sendall(head.encode() + body[:10])
        eventually(lambda: _number(probes, "pictor_inflight_requests") == 1)
        server.process.send_signal(signal.SIGTERM)
        eventually(lambda: 2 == sum(line["msg"] == "draining" for line in server.log()))
        assert [503] * 4 == [httpx.get(f"{probes}/readyz").status_code for _ in range(4)]
        assert 200 == _ask(address, body)
        eventually(lambda: refuses(address))
        slow.sendall(body[10:])
        assert b"HTTP/1.1 200" in slow.recv(65536)
    assert 0 == server.process.wait(30)


def test_a_taken_port_is_told_at_once(serve: Serve) -> None:
    """Before any worker is started."""
    with socket.create_server(("127.0.0.1", 0)) as taken:
        server = serve("--workers", "2", "--port", str(taken.getsockname()[1]))
        assert 1 == server.process.wait(30)
    (line,) = server.log_file.read_text(encoding="utf-8").splitlines()
    assert "Cannot listen on 127.0.0.1" in line


@pytest.fixture
def settings() -> Settings:
    """Ask for two workers, at a port that the system chooses."""
    return Settings.load({"workers": 2, "port": 0}, {})


def _supervise(settings: Settings, monkeypatch: pytest.MonkeyPatch, script: str) -> None:
    """Supervise workers that do what `script` says."""
    script = f"import os, signal, sys, time\nsys.stdin.readline()\n{script}"
    monkeypatch.setattr(workers, "_COMMAND", ("-c", script))
    monkeypatch.setattr(workers, "_FIRST_PAUSE_S", 0.01)
    workers.supervise(settings, listen(settings), os.environ)


def test_workers_that_never_come_up_end_it_with_an_error(
    settings: Settings, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """After a few tries each, with a pause between them, instead of trying for ever."""
    with pytest.raises(workers.WorkersFailed, match="the log says why"):
        _supervise(settings, monkeypatch, "sys.exit(7)")
    assert 3 <= caplog.messages.count("worker ended") <= 6
    ends = [vars(record)["fields"] for record in caplog.records if record.message == "worker ended"]
    assert {7} <= {end["exit_code"] for end in ends}


def test_a_worker_that_hangs_is_killed_and_replaced(
    settings: Settings,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
    capsys: pytest.CaptureFixture[str],
    tmp_path: Path,
) -> None:
    """One that gives no sign of life would keep its part of the connections waiting for ever."""
    monkeypatch.setattr(workers, "_SILENCE_S", 0.3)
    script = f"""
print("pictor: listening on http://here", flush=True)
if len(os.listdir({str(tmp_path)!r})) >= 2:  # a successor of one of the two ends the test
    os.kill(os.getppid(), signal.SIGTERM)
open(os.path.join({str(tmp_path)!r}, str(os.getpid())), "w").close()
time.sleep(60)
"""
    _supervise(settings, monkeypatch, script)
    assert "worker hangs" in caplog.messages
    assert "pictor: listening on http://here\n" == capsys.readouterr().out


def test_the_pause_before_a_successor_grows(monkeypatch: pytest.MonkeyPatch) -> None:
    """Unless the worker that died had long been at work."""
    pauses = [0.0]
    for _ in range(8):
        pauses.append(workers._pause_after(pauses[-1], lived_s=1.0))
    assert [0.5, 1, 2, 4, 8, 16, 30, 30] == pauses[1:]
    assert 0.0 == workers._pause_after(30.0, lived_s=100.0)


def test_each_worker_watches_the_keys_and_the_process_above_it(
    serve: Serve, tmp_path: Path, eventually: Eventually
) -> None:
    """A change of the file reaches all of them; when the process above is killed, they end by themselves."""
    keys = tmp_path / "keys.txt"
    keys.write_text(f"shop:{'0' * 64}", encoding="utf-8")
    server = serve("--workers", "2", "--drain-s", "0", "--api-keys-file", str(keys))
    address = server.address()
    assert 401 == httpx.get(f"{address}/v1/models").status_code
    keys.write_text(f"shop:{'1' * 64}\n", encoding="utf-8")
    eventually(lambda: 2 == sum(line["msg"] == "api keys read" for line in server.log()))
    workers = [psutil.Process(pid) for pid in _workers(server)]
    server.process.kill()
    eventually(lambda: not any(worker.is_running() for worker in workers))


def test_a_line_without_an_end_harms_nobody(
    settings: Settings, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """It is passed over; the supervisor goes on."""
    script = """
print("x" * 3_000_000, flush=True)  # returns once nearly all of it was read
os.kill(os.getppid(), signal.SIGTERM)
time.sleep(60)
"""
    _supervise(settings, monkeypatch, script)
    assert "x" * 2_000_000 not in capsys.readouterr().out
