"""What has gone since the champion was trained: a class, or too many pictures at once."""

from collections import Counter
from collections.abc import Mapping, Sequence
from collections.abc import Set as AbstractSet

from pictor_training.data.manifest import SEPARATOR
from pictor_training.errors import DataError
from pictor_training.retraining.collecting.picture import Picture
from pictor_training.retraining.config import CollectConfig


def check_losses(
    before: Mapping[str, str],
    served: AbstractSet[str],
    pictures: Sequence[Picture],
    forgotten: AbstractSet[str],
    config: CollectConfig,
) -> None:
    """Refuse to learn from what is left where something must have gone wrong.

    `before` are the champion's pictures, content to label, as far as they are known; `served` are the labels
    that it tells. What was forgotten on request is no loss, nor are classes that are meant to go.

    Raises:
        DataError: a class has vanished, or more of all pictures or of a class than is allowed.
    """
    wanted = {
        content: label
        for content, label in before.items()
        if content not in forgotten and label not in config.removed_labels
    }
    present = {picture.content for picture in pictures}
    held = {label for picture in pictures for label in picture.labels}
    told = {label for labels in set(before.values()) for label in labels.split(SEPARATOR) if label} | served
    if gone := sorted(told - held - set(config.removed_labels)):
        raise DataError(
            f"The class {gone[0]!r} has vanished: the champion tells it, the sources have no picture of it. "
            "Bring it back, or say that it is meant to go: collect.removed_labels."
        )
    counts = Counter(wanted.values())
    lost = Counter(label for content, label in wanted.items() if content not in present)
    _check_share("all classes", lost.total(), counts.total(), ("max_loss", config.max_loss))
    for label, count in counts.items():
        if count >= config.min_group:
            _check_share(
                f"the class {label!r}", lost[label], count, ("max_class_loss", config.max_class_loss)
            )


def _check_share(what: str, lost: int, count: int, limit: tuple[str, float]) -> None:
    key, allowed = limit
    if count and lost / count > allowed:
        raise DataError(
            f"{lost} of the {count} pictures of {what} that the champion knows are gone ({lost / count:.0%}, "
            f"and collect.{key} allows {allowed:.0%}). Is a source not mounted? If they are meant to go, say "
            f"so until a model without them is promoted: collect.{key}={min(1.0, lost / count + 0.005):.2f}"
        )
