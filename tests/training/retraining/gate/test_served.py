"""The gateway that the gate asks is a real one; no answer is told from a wrong one."""

import os
from collections.abc import Callable
from contextlib import nullcontext
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread
from types import SimpleNamespace

import pytest

from colours import COLOURS
from painted import CHALLENGER, World, answers, check_of
from pictor_contract.artifact import write_manifest
from pictor_training.errors import TrainingError
from pictor_training.retraining.gate import installed, served
from pictor_training.retraining.gate.served import STORE_PREFIX

Paint = Callable[..., World]
TRUTH = [COLOURS[number % 3] for number in range(24)]
READY_S = 60.0


@pytest.fixture(autouse=True)
def _own_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    """Take away what the shell may have set."""
    for name in [name for name in os.environ if name.upper().startswith("PICTOR_")]:
        monkeypatch.delenv(name)


@pytest.fixture
def here(world: Paint) -> World:
    """Make a first model with held-out pictures."""
    return world(TRUTH, {CHALLENGER: answers(TRUTH, [5])})


def test_a_real_gateway_answers_held_out_files_as_judged(
    here: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    """One alone, then as many to a call as it takes; settings of the shell mean other gateways."""
    monkeypatch.setenv("PICTOR_MODELS", "/nowhere")
    monkeypatch.setenv("PICTOR_MAX_PICTURES_PER_REQUEST", "1")
    verdict = here.asked(gateway=True, gateway_pictures=20)
    assert ("PROMOTE", 20) == (verdict.decision, verdict.figures["gateway"]["pictures"])
    assert 1e-6 >= verdict.figures["gateway"]["largest_difference"]
    assert [] == list(here.exported.run.glob(f"{STORE_PREFIX}*"))


def test_other_answers_are_rejected(here: World) -> None:
    """The files are not the pictures that were judged, as if the gateway decoded them in another way."""
    asked = served.choose_questions
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(
            "pictor_training.retraining.gate.ask.choose_questions",
            lambda held, scores, most: asked(held, scores[::-1], most),
        )
        verdict = here.asked(gateway=True, gateway_pictures=2)
    assert ("REJECT", "reject") == (verdict.decision, check_of(verdict, "gateway").outcome)
    assert "what was judged is not what would be served" in verdict.reasons[0]


def test_a_version_that_the_gateway_refuses_is_rejected(here: World) -> None:
    """Its reason is told: here that no engine can load it."""
    contract = here.exported.contract
    (here.exported.artifact / "assets.extra" / "model.onnx").write_bytes(b"no model")
    write_manifest(here.exported.artifact)
    questions = [served.Question(0, here.file(0).read_bytes(), here.exported.judgement.scores[0])]
    check, _ = served.gateway_check(
        here.exported.run, here.exported.artifact, contract, questions, _config(gateway_ready_s=READY_S)
    )
    assert "reject" == check.outcome
    assert "cannot be loaded" in check.reason


def _config(**values: object) -> served.GateConfig:
    return served.GateConfig.model_validate(values)


def test_without_the_serving_extra_no_gateway_can_be_asked(monkeypatch: pytest.MonkeyPatch) -> None:
    """The message says what to install or to set; who asks for no gateway needs none."""
    monkeypatch.setattr(installed, "find_spec", lambda name: None)
    with pytest.raises(TrainingError, match=r"pictor\[serving,training\], or set gate\.gateway"):
        installed.require_gateway(_config())
    installed.require_gateway(_config(gateway=False))


def test_a_gateway_that_does_not_start_is_no_verdict(here: World, monkeypatch: pytest.MonkeyPatch) -> None:
    """It is the machine's fault; what it said stands in the message."""
    monkeypatch.setattr("pictor_training.loopback._COMMAND", "import sys; sys.exit('no room')")
    with pytest.raises(TrainingError, match=r"exit code 1 .* no room.* Run the command again"):
        here.asked(gateway=True)


class _Busy(BaseHTTPRequestHandler):
    """What a proxy says that stands before the gateway, or takes its port."""

    content = b""

    def do_GET(self) -> None:
        """Answer 503."""
        self.send_response(503)
        self.end_headers()
        self.wfile.write(self.content)

    def log_message(self, *_: object) -> None:
        """Say nothing."""


@pytest.mark.parametrize("content", [b"<html>busy</html>", b"{}", b"[]"])
def test_a_refusal_without_a_reason_is_no_verdict(
    here: World, monkeypatch: pytest.MonkeyPatch, content: bytes
) -> None:
    """It says nothing about the model; what was answered stands in the message."""
    with ThreadingHTTPServer(("127.0.0.1", 0), type("Said", (_Busy,), {"content": content})) as server:
        thread = Thread(target=server.serve_forever, args=(0.01,))
        thread.start()
        url = f"http://127.0.0.1:{server.server_port}"
        monkeypatch.setattr(served, "gateway", lambda *_, **__: nullcontext(SimpleNamespace(url=url)))
        with pytest.raises(TrainingError, match=r"answered 503 without a reason.*Run the command again"):
            here.asked(gateway=True)
        server.shutdown()
        thread.join()


def test_files_that_are_gone_are_no_verdict(here: World) -> None:
    """Nobody can say what a gateway would answer."""
    for row in range(len(TRUTH)):
        here.file(row).unlink()
    with pytest.raises(TrainingError, match="can be read any more"):
        here.asked(gateway=True)


def test_what_a_killed_gate_left_behind_is_swept(here: World) -> None:
    """Its temporary store would otherwise stay in the run for good."""
    (here.exported.run / f"{STORE_PREFIX}killed" / "colours" / "1").mkdir(parents=True)
    here.asked(gateway=True, gateway_pictures=1)
    assert [] == list(here.exported.run.glob(f"{STORE_PREFIX}*"))
