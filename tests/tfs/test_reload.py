"""What the stand-in makes of a configuration, in the real server's order and with its codes."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import grpc
import pytest

from tfs.configured import StartFailed
from tfs.stand_in import StandIn

Start = Callable[..., StandIn]
Ask = Callable[..., Any]
Wait = Callable[[Callable[[], bool]], None]


def entry(base: Path, *versions: int, name: str = "colours", **labels: int) -> str:
    """Return one model's part of a configuration; without versions its policy is the newest."""
    policy = f"specific {{ {' '.join(f'versions: {one}' for one in versions)} }}" if versions else "latest {}"
    named = " ".join(f'version_labels {{ key: "{key}" value: {value} }}' for key, value in labels.items())
    return (
        f'config {{ name: "{name}" base_path: "{base / name}" model_platform: "tensorflow" '
        f"model_version_policy {{ {policy} }} {named} }}"
    )


def config(*entries: str) -> str:
    """Return a whole configuration."""
    return f"model_config_list {{ {' '.join(entries)} }}"


def states(client: Any, name: str = "colours") -> dict[int, int]:
    """Return the state of each version: 30 is AVAILABLE, 50 END."""
    return {one.version: one.state for one in client.status(name).model_version_status}


@pytest.fixture
def base(stored_colours: Callable[..., Any], tmp_path: Path) -> Path:
    """Make a store with three versions."""
    stored_colours(3)
    return tmp_path / "store"


def test_a_reload_returns_when_a_model_new_to_the_server_answers(
    base: Path, tfs: Start, ask: Ask, request_for: Any
) -> None:
    """With a version that it did not have of a model it has, it returns at once: that one may be loading."""
    server = tfs(versions=(), load_s=0.05)
    client = ask(server.address)
    client.reload(config(entry(base, 2)))
    assert 2 == client.predict(request_for()).model_spec.version.value
    client.reload(config(entry(base, 2, 3)))

    assert {2: 30} == {number: state for number, state in states(client).items() if state == 30}


def test_versions_come_before_others_go(base: Path, tfs: Start, ask: Ask, wait_until: Wait) -> None:
    """And what is left out is unloaded, a whole model too."""
    server = tfs(versions=())
    client = ask(server.address)
    client.reload(config(entry(base, 1)))
    client.reload(config(entry(base, 3)))
    wait_until(lambda: {1: 50, 3: 30} == states(client))
    client.reload("model_config_list {}")
    wait_until(lambda: {1: 50, 3: 50} == states(client))


def test_labels_name_available_versions_only(
    base: Path, tfs: Start, ask: Ask, request_for: Any, wait_until: Wait
) -> None:
    """So they move by a second reload; the first one is refused and changes nothing."""
    server = tfs(versions=())
    client = ask(server.address)
    client.reload(config(entry(base, 1)))
    client.reload(config(entry(base, 1, stable=1)))
    with pytest.raises(grpc.RpcError) as refused:
        client.reload(config(entry(base, 1, 2, stable=2)))
    assert grpc.StatusCode.FAILED_PRECONDITION == refused.value.code()
    assert "label to version 2 of model colours" in refused.value.details()
    client.reload(config(entry(base, 1, 2, stable=1)))
    wait_until(lambda: {1: 30, 2: 30} == states(client))
    client.reload(config(entry(base, 1, 2, stable=2)))

    assert 2 == client.predict(request_for(label="stable")).model_spec.version.value


def test_a_flag_allows_new_labels_anywhere_and_old_ones_not(base: Path, tfs: Start, ask: Ask) -> None:
    """Moving an existing label needs the version in any case."""
    client = ask(tfs(versions=(), labels_anywhere=True).address)
    client.reload(config(entry(base, 1, stable=1)))
    with pytest.raises(grpc.RpcError) as refused:
        client.reload(config(entry(base, 1, 2, stable=2)))

    assert grpc.StatusCode.FAILED_PRECONDITION == refused.value.code()


def test_a_failed_model_leaves_the_configuration_applied(
    base: Path, tfs: Start, ask: Ask, wait_until: Wait
) -> None:
    """The code is UNKNOWN. Repaired, the version is not tried again; one of another number is."""
    (base / "colours" / "3" / "saved_model.pb").write_text("{cut")
    client = ask(tfs(versions=()).address)
    with pytest.raises(grpc.RpcError) as refused:
        client.reload(config(entry(base, 3)))
    assert grpc.StatusCode.UNKNOWN == refused.value.code()
    assert refused.value.details().startswith("1 model(s) did not become available: {")
    assert (3, 50, 15) == failed(client)
    (base / "colours" / "3" / "saved_model.pb").write_text('{"colours": 30}')
    client.reload(config(entry(base, 2, 3)))
    wait_until(lambda: {2: 30, 3: 50} == states(client))


def failed(client: Any) -> tuple[int, int, int]:
    """Return number, state and error of the newest version."""
    newest = client.status("colours").model_version_status[0]
    return newest.version, newest.state, newest.status.error_code


def test_a_missing_base_path_blocks_every_reload_until_it_is_there(
    base: Path, tfs: Start, ask: Ask, request_for: Any, tmp_path: Path
) -> None:
    """The client's deadline frees nobody; what is served goes on."""
    client = ask(tfs(versions=()).address)
    client.reload(config(entry(base, 1)))
    away = tmp_path / "away"
    for configuration in (config(entry(base, 1), entry(away, name="lost")), config(entry(base, 1))):
        with pytest.raises(grpc.RpcError) as refused:
            client.reload(configuration, timeout=0.1)
        assert grpc.StatusCode.DEADLINE_EXCEEDED == refused.value.code()
        assert 1 == client.predict(request_for()).model_spec.version.value
    base.rename(tmp_path / "gone")
    (tmp_path / "gone" / "colours").rename(tmp_path / "gone" / "lost")
    (tmp_path / "gone").rename(away)
    client.reload("model_config_list {}")


@pytest.mark.parametrize(
    "wrong",
    [
        'config { name: "a" base_path: "models/a" model_platform: "tensorflow" }',
        'config { name: "a" base_path: "/a" }',
        'config { name: "a" base_path: "/a" model_platform: "tensorflow" } ' * 2,
    ],
)
def test_a_bad_configuration_is_refused_whole(wrong: str, base: Path, tfs: Start, ask: Ask) -> None:
    """A relative path, no platform, a model twice."""
    client = ask(tfs(versions=()).address)
    client.reload(config(entry(base, 1)))
    with pytest.raises(grpc.RpcError) as refused:
        client.reload(config(wrong))

    assert grpc.StatusCode.INVALID_ARGUMENT == refused.value.code()
    assert {1: 30} == states(client)


def test_a_polled_file_is_read_again_and_garbage_is_passed_over(
    base: Path, tfs: Start, ask: Ask, wait_until: Wait, tmp_path: Path
) -> None:
    """It is applied at every poll: what a call changed meanwhile is taken back."""
    file = tmp_path / "models.config"
    file.write_text(config(entry(base, 1)))
    server = tfs(versions=(), config_file=file, config_poll_s=0.02)
    client = ask(server.address)
    file.write_text("model_config_list {")
    wait_until(lambda: len(server.ignored) > 1)
    assert {1: 30} == states(client)
    file.write_text(config(entry(base, 2)))
    wait_until(lambda: {1: 50, 2: 30} == states(client))
    client.reload(config(entry(base, 3)))
    wait_until(lambda: {1: 50, 2: 30, 3: 50} == states(client))


def test_a_restarted_server_begins_with_its_file(base: Path, tfs: Start, ask: Ask, tmp_path: Path) -> None:
    """And knows nothing of what calls told it."""
    file = tmp_path / "models.config"
    file.write_text(config(entry(base, 1)))
    server = tfs(versions=(), config_file=file)
    ask(server.address).reload(config(entry(base, 2)))
    server.stop()
    server.start()

    assert {1: 30} == states(ask(server.address))


def test_labels_in_the_file_at_the_start_need_the_flag(base: Path, tfs: Start, tmp_path: Path) -> None:
    """Without it the server does not come up."""
    file = tmp_path / "models.config"
    file.write_text(config(entry(base, 1, stable=1)))
    with pytest.raises(StartFailed, match="FAILED_PRECONDITION"):
        tfs(versions=(), config_file=file)
    server = tfs(versions=(), config_file=file, labels_anywhere=True)

    assert {"stable": 1} == server.library.labels("colours")
