"""Whether the real gateway answers as the challenger did; asked over HTTP, with the files themselves.

Whatever may differ between a training and a service is then part of the question: decoding, batching, the
contract, the engine, the answer's way into JSON. A gateway that cannot be asked says nothing about the model:
then there is no verdict at all, and the next night asks again.
"""

import os
import shutil
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory, TemporaryFile
from typing import IO, Any, Final

import httpx
import numpy as np
from numpy.typing import NDArray

from pictor_contract import ImageContract
from pictor_contract.signature import TOLERANCE
from pictor_training.data.contents import LIMITS
from pictor_training.errors import TrainingError
from pictor_training.loopback import gateway
from pictor_training.retraining.gate.config import GateConfig
from pictor_training.retraining.gate.pictures import HeldOut
from pictor_training.retraining.gate.words import skipped
from pictor_training.verdict import Check

NAME: Final = "gateway"
STORE_PREFIX: Final = ".gate-"
"""Of the temporary store in the run's folder; a killed gate leaves one behind."""

_PER_CALL: Final = 16  # what a gateway takes by default
_ANSWER_WITHIN_S: Final = 60.0
_LOG_SHOWN: Final = 400
_FORM_BYTES: Final = 100_000  # of a multipart form around its pictures


class NotServed(Exception):
    """The gateway does not serve the model, or does not take what training took."""


@dataclass(frozen=True, slots=True)
class Question:
    """A held-out picture: its number, its file, and how the challenger scored it."""

    place: int
    content: bytes
    scores: NDArray[np.float64]


def gateway_check(
    run: Path,
    artifact: Path,
    contract: ImageContract,
    questions: Sequence[Question],
    config: GateConfig,
) -> tuple[Check, dict[str, Any]]:
    """Serve `artifact` from a temporary store in `run` and compare every score of every question.

    Raises:
        TrainingError: the gateway could not be asked, which is the machine's fault and not the model's.
    """
    limit = f"scores within {TOLERANCE:.0e}"
    if not config.gateway:
        return skipped(NAME, "Not asked: gate.gateway is false."), {}
    if not questions:
        raise _unasked("none of the chosen held-out files can be read any more.")
    try:
        with _store(run, artifact, contract.name) as store, TemporaryFile() as log:
            answered = _ask(store, log, contract, questions, config.gateway_ready_s)
    except NotServed as error:
        return Check(NAME, "reject", "no answer", limit, str(error)), {}
    apart = np.abs(answered - np.stack([one.scores for one in questions])).max(axis=1)
    figures = {"pictures": len(questions), "largest_difference": float(apart.max()), "tolerance": TOLERANCE}
    measured = f"{len(questions)} pictures, at most {apart.max():.1g} apart"
    if apart.max() <= TOLERANCE:
        return Check(NAME, "passed", measured, limit, ""), figures
    reason = (
        f"The gateway answers {int((apart > TOLERANCE).sum())} of {len(questions)} held-out pictures with "
        f"other scores than the model itself, by up to {apart.max():.2g}: what was judged is not what would "
        "be served."
    )
    return Check(NAME, "reject", measured, limit, reason), figures


def choose_questions(held_out: HeldOut, scores: NDArray[np.float64], most: int) -> list[Question]:
    """Choose up to `most` held-out pictures, evenly over the classes, whose files are still there."""
    ordered = np.lexsort((np.arange(len(held_out)), held_out.present.argmax(axis=1)))
    evenly = np.linspace(0, len(ordered) - 1, min(most, len(ordered))).round().astype(int)
    questions = []
    for place in ordered[evenly].tolist():
        content = held_out.read(place)
        if content is not None:
            questions.append(Question(place, content, scores[place]))
    return questions


def _unasked(why: str) -> TrainingError:
    return TrainingError(
        f"The gate has no verdict, because the gateway could not be asked: {why} Run the command again: it "
        "asks again without training. Or set gate.gateway: false."
    )


@contextmanager
def _store(run: Path, artifact: Path, name: str) -> Iterator[Path]:
    """Make a store with the artifact as its one version; the files are linked where that is possible."""
    for left_behind in run.glob(f"{STORE_PREFIX}*"):
        shutil.rmtree(left_behind, ignore_errors=True)
    with ExitStack() as temporary:
        try:
            made = TemporaryDirectory(prefix=STORE_PREFIX, dir=run, ignore_cleanup_errors=True)
            folder = Path(temporary.enter_context(made))
            shutil.copytree(artifact, folder / name / "1", copy_function=_link)
        except (OSError, shutil.Error) as error:
            raise _unasked(f"{run} cannot be written ({error}).") from error
        yield folder


def _link(source: str, target: str) -> None:
    try:
        os.link(source, target)
    except OSError:  # a file system without links
        shutil.copyfile(source, target)


def _ask(
    store: Path, log: IO[bytes], contract: ImageContract, questions: Sequence[Question], ready_s: float
) -> NDArray[np.float64]:
    flags = ["--models", str(store), "--port", "0", "--log-level", "warning"]
    flags += ["--max-body-bytes", str(LIMITS.max_bytes + _FORM_BYTES)]
    flags += ["--request-timeout-s", str(_ANSWER_WITHIN_S), "--max-pictures-per-request", str(_PER_CALL)]
    ours = {key: value for key, value in os.environ.items() if not key.upper().startswith("PICTOR_")}
    try:
        with (
            gateway(flags, ready_within_s=ready_s, environment=ours, log=log) as running,
            httpx.Client(base_url=running.url, timeout=2 * _ANSWER_WITHIN_S, trust_env=False) as http,
        ):
            _require_ready(http)
            results = [result for call in _calls(questions) for result in _send(http, call)]
            return np.stack([_scores(result, contract) for result in results])
    except TrainingError as error:
        raise _unasked(f"{error} {_end_of(log)}") from error
    except httpx.HTTPError as error:
        raise _unasked(f"it did not answer ({type(error).__name__}: {error}). {_end_of(log)}") from error


def _end_of(log: IO[bytes]) -> str:
    log.seek(0)
    said = log.read().decode("utf-8", "replace").strip()
    return f"It said: {said[-_LOG_SHOWN:]}" if said else ""


def _require_ready(http: httpx.Client) -> None:
    answer = http.get("/readyz")
    if answer.status_code != httpx.codes.OK:
        try:
            told = answer.json()
            reasons = " ".join([*told["refused_versions"], *told["reasons"]])
        except (ValueError, LookupError, TypeError) as error:  # whoever answers so says nothing of the model
            raise TrainingError(
                f"asked for readiness, it answered {answer.status_code} without a reason: {answer.text:.300}"
            ) from error
        raise NotServed(f"The gateway does not serve this version. {reasons}")


def _calls(questions: Sequence[Question]) -> Iterator[list[Question]]:
    """Yield one picture alone, then several to a call, as many as a gateway takes."""
    yield [questions[0]]
    call: list[Question] = []
    size = 0
    for one in questions[1:]:
        if call and (len(call) == _PER_CALL or size + len(one.content) > LIMITS.max_bytes):
            yield call
            call, size = [], 0
        call.append(one)
        size += len(one.content)
    if call:
        yield call


def _send(http: httpx.Client, call: Sequence[Question]) -> list[dict[str, Any]]:
    if len(call) == 1:
        binary = {"Content-Type": "application/octet-stream"}
        answer = http.post("/v1/classify", params=_ALL, content=call[0].content, headers=binary)
    else:
        form = [("files", (f"{one.place}", one.content)) for one in call]
        answer = http.post("/v1/classify", params=_ALL, files=form)
    if answer.status_code != httpx.codes.OK:
        said = f"it answered {answer.status_code} to {len(call)} held-out pictures: {answer.text:.300}"
        raise TrainingError(said) if answer.is_server_error else NotServed(f"Asked for scores, {said}")
    try:
        document = answer.json()
        return [document] if len(call) == 1 else list(document["results"])
    except (ValueError, LookupError, TypeError) as error:
        raise TrainingError(f"its answer is not a gateway's: {answer.text:.300}") from error


_ALL: Final = {"top_k": "1000000"}  # more than there are labels gives all


def _scores(result: dict[str, Any], contract: ImageContract) -> NDArray[np.float64]:
    if "error" in result:
        raise NotServed(f"The gateway refuses a held-out picture that training could read: {result['error']}")
    told = {one["label"]: float(one["score"]) for one in result["predictions"]}
    if set(told) != set(contract.labels):
        raise NotServed(
            f"The gateway answers with {len(told)} labels; the contract has {len(contract.labels)} others."
        )
    return np.array([told[label] for label in contract.labels])
