"""What the command says at its end, and its exit code."""

from dataclasses import dataclass
from pathlib import Path
from typing import Final

from pictor_training.retraining.collecting.picture import Collection
from pictor_training.retraining.question import Answer
from pictor_training.retraining.word import VERDICT_FILE, Word
from pictor_training.run_folder import REPORT_FILE

DONE: Final = 0
HELD: Final = 3
"""Exit codes of what is no error: promoted or nothing to do, and kept back by the gate."""


@dataclass(frozen=True, slots=True)
class Outcome:
    """How a night ended without an error."""

    exit_code: int
    lines: tuple[str, ...]


def judged_outcome(run: Path, word: Word) -> Outcome:
    """Return the outcome of a run that came to a verdict."""
    verdict = word.verdict
    if word.version is not None:
        what = f"{word.name} version {word.version}" + (f" is {word.label}" if word.label else "")
    else:
        what = f"{word.name} " + (
            f"stays at version {word.champion}" if word.champion else "has no version yet"
        )
    files = f"report     {run / REPORT_FILE} ({VERDICT_FILE} beside it)"
    lines = (f"{verdict.decision:10} {what}", *(f"           {reason}" for reason in verdict.reasons), files)
    return Outcome(DONE if verdict.decision == "PROMOTE" else HELD, lines)


def quiet_outcome(answer: Answer, collection: Collection) -> Outcome:
    """Return the outcome of a night without anything to learn from."""
    became = "was held back" if answer.version is None else f"became version {answer.version}"
    lines = [f"Nothing new to learn from since run {answer.run}, which {became}."]
    if collection.quarantined:
        lines.append(f"{len(collection.quarantined)} pictures are in quarantine.")
    return Outcome(DONE, tuple(lines))
