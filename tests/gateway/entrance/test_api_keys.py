"""API keys before the gateway runs: the command that makes them, and files that are refused at the start."""

from collections.abc import Callable
from math import inf
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner
from prometheus_client import CollectorRegistry

from pictor_gateway import Settings, create_app
from pictor_gateway.backends.embedded import EmbeddedBackend
from pictor_gateway.cli import serve as serve_command
from pictor_gateway.entrance.api_key_cli import api_key
from pictor_gateway.entrance.api_keys import KEY_PREFIX, InvalidKeys, line_for
from pictor_gateway.entrance.rate_limit import Bucket, Rate

MakeGateway = Callable[..., Any]

KEY, OTHER = KEY_PREFIX + "k" * 43, KEY_PREFIX + "o" * 43


@pytest.fixture
def keys(tmp_path: Path) -> Path:
    """Make a file with one key, `KEY`, of the client "shop"."""
    file = tmp_path / "keys.txt"
    file.write_text(f"# who may ask\n\n{line_for('shop', KEY)}\n", encoding="utf-8")
    return file


def bearer(key: str) -> dict[str, str]:
    """Return the header that shows `key`."""
    return {"Authorization": f"Bearer {key}"}


GOOD = line_for("shop", KEY)
DIGEST = GOOD.partition(":")[2]


@pytest.mark.parametrize(
    ("text", "said"),
    [
        (f"\n{KEY}", "Line 2 of"),
        (f"shop:{KEY}", "64 hexadecimal digits, not the key itself"),
        (f"shop:{DIGEST}0", "64 hexadecimal digits"),
        (f"sh op:{DIGEST}", "the name must be"),
        (f":{DIGEST}", "the name must be"),
        (f"läden:{DIGEST}", "the name must be"),
        (f"{GOOD}:1:2:3", "expected name:sha256"),
        (f"{GOOD}:fast", "the rate must be a number"),
        (f"{GOOD}:1:1.5", "the burst a whole one"),
        (f"{GOOD}:0", "the rate must be at least 0.001"),
        (f"{GOOD}:-1", "the rate must be at least 0.001"),
        (f"{GOOD}:nan", "the rate must be at least 0.001"),
        (f"{GOOD}:{inf}", "the rate must be at least 0.001"),
        (f"{GOOD}:1:0", "the burst between 1 and"),
        (f"{GOOD}\nother:{DIGEST}", "Line 2 of"),
        (f"{GOOD}:1\n{line_for('shop', OTHER)}:2", "an earlier line gives the same name another rate"),
    ],
)
def test_a_faulty_file_refuses_to_start(keys: Path, text: str, said: str) -> None:
    """As a usage error that names the line and the fault, but not what stands there."""
    keys.write_text(text, encoding="utf-8")
    done = CliRunner().invoke(serve_command, ["--port", "0", "--api-keys-file", str(keys)])
    assert 2 == done.exit_code
    assert said in " ".join(done.stderr.split())
    assert KEY not in done.stderr
    assert DIGEST not in done.stderr


@pytest.mark.parametrize(
    ("flags", "said"),
    [
        (["--api-keys-file", "no/such/file"], "no/such/file cannot be read (No such file or directory)"),
        (["--api-keys-file", "/dev/zero"], "is no file of API keys"),
        (["--api-keys", "shop"], "Key 1 of --api-keys: expected name:sha256"),
        (["--api-keys", ","], "There is no API key"),
        (["--rate-limit", "5"], "--rate-limit holds for API keys"),
        (["--rate-limit", "0"], "--rate-limit"),
        (["--workers", "2", "--api-keys", "shop"], "Key 1 of --api-keys"),
    ],
)
def test_keys_that_cannot_be_had_refuse_to_start(flags: list[str], said: str) -> None:
    """Before a port is announced."""
    done = CliRunner().invoke(serve_command, ["--port", "0", *flags])
    assert 2 == done.exit_code
    assert said in " ".join(done.stderr.split())


def test_whoever_builds_the_gateway_in_code_gets_the_same_refusal(tmp_path: Path) -> None:
    """As an exception."""
    settings = Settings.load({"api_keys": "?"}, {})
    with pytest.raises(InvalidKeys, match="Key 1"):
        create_app(settings, EmbeddedBackend(tmp_path, 1, 1, 1.0), CollectorRegistry())


def test_a_bucket_fills_with_time_up_to_its_burst() -> None:
    """A refused request takes nothing, so whoever waits as told gets through."""
    bucket = Bucket(Rate(2.0, 3), now=0.0)
    assert [2, 1, 0] == [bucket.take(0.0).remaining for _ in range(3)]
    refused = bucket.take(0.1)
    assert (0, 1) == (refused.remaining, refused.retry_after_s)
    assert bucket.take(0.5).retry_after_s is None
    assert 2 == bucket.take(1000.0).remaining
    assert 1 == bucket.take(999.0).remaining  # a clock that goes back gives nothing


def test_the_command_prints_a_key_once_and_the_line_that_stands_for_it(
    make_gateway: MakeGateway,
) -> None:
    """The key alone on standard output; what the gateway needs on standard error."""
    done = CliRunner().invoke(api_key, ["shop", "--rate-limit", "2.5", "--rate-limit-burst", "1000000"])
    (key,) = done.stdout.splitlines()
    (line,) = [line for line in done.stderr.splitlines() if line.startswith("shop:")]
    assert (0, True) == (done.exit_code, key.startswith(KEY_PREFIX))
    assert key not in done.stderr
    http = make_gateway(api_keys=line).http
    assert "1000000" == http.get("/v1/models", headers=bearer(key)).headers["RateLimit-Limit"]
    assert key != CliRunner().invoke(api_key, ["shop"]).stdout.strip()


def test_the_command_adds_to_a_file(make_gateway: MakeGateway, tmp_path: Path) -> None:
    """Which it makes for its owner alone; a last line without an end is not spoilt."""
    file = tmp_path / "keys.txt"
    made = [CliRunner().invoke(api_key, ["one", "--file", str(file)])]
    assert 0o600 == file.stat().st_mode & 0o777
    file.write_text(file.read_text(encoding="utf-8").rstrip("\n"), encoding="utf-8")
    made.append(CliRunner().invoke(api_key, ["two", "--file", str(file)]))
    http = make_gateway(api_keys_file=file).http
    statuses = [http.get("/v1/models", headers=bearer(one.stdout.strip())).status_code for one in made]
    assert [200, 200] == statuses
    assert ["one", "two"] == [line.partition(":")[0] for line in file.read_text("utf-8").splitlines()]


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["a b"], "the name must be"),
        (["shop", "--rate-limit", "0"], "the rate must be"),
        (["shop", "--rate-limit-burst", "3"], "needs --rate-limit"),
        (["shop", "--file", "no/such/folder/keys"], "No such file"),
        (["shop", "--rate-limit", "9", "--file", "keys.txt"], "another rate"),
        (["two", "--file", "broken.txt"], "Line 1 of broken.txt"),
    ],
)
def test_the_command_refuses_what_the_gateway_would(
    monkeypatch: pytest.MonkeyPatch, keys: Path, arguments: list[str], said: str
) -> None:
    """Before it prints a key, and without touching the file."""
    monkeypatch.chdir(keys.parent)
    Path("broken.txt").write_text("?", encoding="utf-8")
    before = keys.read_bytes()
    done = CliRunner().invoke(api_key, arguments)
    assert done.exit_code in (1, 2)
    assert said in " ".join(done.stderr.split())
    assert "" == done.stdout
    assert (before, b"?") == (keys.read_bytes(), Path("broken.txt").read_bytes())
