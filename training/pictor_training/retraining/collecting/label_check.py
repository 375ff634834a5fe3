"""Whether new labels can be right: the champion is asked, and groups that it contradicts are left out.

New pictures of one class from one source are one group. Were the champion as good on them as on its held-out
pictures of that class, less a slack for pictures of a new kind, then the chance that it agrees with so few of
their labels is a binomial tail, computed exactly. Below `significance` the group is quarantined as a whole:
a folder that was mislabelled is mislabelled throughout. Small groups are used, and judged once enough came.

A later champion is asked again about what is in quarantine.
"""

from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from pictor_training.retraining.collecting.known import Known
from pictor_training.retraining.collecting.picture import Distrusted, Key, Picture
from pictor_training.retraining.config import CollectConfig

Answers = Callable[[Sequence[Picture]], Sequence[tuple[str, ...] | None]]
"""What the champion says that each picture shows; None where it cannot be decoded."""

_ALL: Final = "*"


@dataclass(frozen=True, slots=True)
class Judge:
    """The champion, as far as labels are concerned.

    `recalls` are (right, held out) by label; without them `accuracy` stands for each. `trusted` are the
    pictures that it was trained on or tested with, by their label.
    """

    version: int
    labels: frozenset[str]
    multilabel: bool
    recalls: Mapping[str, tuple[int, int]]
    accuracy: float | None
    trusted: Mapping[str, str]
    answers: Answers

    def expected(self, label: str) -> float | None:
        """Return the share of pictures of `label` that it answers right, as far as its test can tell.

        The mean that a uniform prior leaves: five of five right are no proof that all will be.
        """
        if label in self.recalls:
            right, count = self.recalls[label]
            return (right + 1) / (count + 2)
        return self.accuracy


def check_labels(
    pictures: Sequence[Picture], known: Mapping[Key, Known], judge: Judge, config: CollectConfig
) -> tuple[dict[Key, Known], list[Distrusted]]:
    """Judge what is new, waits or is in quarantine; return how it stands, and which groups are distrusted."""
    standing: dict[Key, Known] = {}
    groups: dict[str, list[Picture]] = defaultdict(list)
    fresh = max((_number(one.group) for one in known.values()), default=0) + 1
    for picture in pictures:
        before = known.get(picture.key)
        if before is not None and before.standing == "quarantined":
            if before.judge != judge.version:
                groups[before.group].append(picture)
        elif before is None or before.standing == "waiting":
            if judge.trusted.get(picture.content) == picture.label or not _can_judge(picture, judge):
                standing[picture.key] = Known("trusted", "", judge.version)
            else:
                groups[f"{fresh}:{_label(picture, judge)}:{picture.source}"].append(picture)
    answers = _answers(groups.values(), judge)
    distrusted = []
    for group, members in groups.items():
        verdict, reason = _judge(group, members, answers, judge, config, known)
        standing |= {picture.key: verdict for picture in members}
        if reason is not None:
            distrusted.append(reason)
    return standing, distrusted


def accepted(pictures: Iterable[Picture], accept: Sequence[str]) -> dict[Key, Known]:
    """Return the pictures whose labels the configuration vouches for."""
    vouched = set(accept)
    return {
        picture.key: Known("trusted") for picture in pictures if _ALL in vouched or picture.content in vouched
    }


def lower_tail(successes: int, trials: int, share: float) -> float:
    """Return the chance of at most so many successes: the binomial distribution's lower tail."""
    from scipy.special import bdtr  # noqa: PLC0415 - slow to load, and on most nights there is nothing to judge

    return float(bdtr(successes, trials, share))


def _can_judge(picture: Picture, judge: Judge) -> bool:
    return set(picture.labels) <= judge.labels and judge.expected(_label(picture, judge)) is not None


def _label(picture: Picture, judge: Judge) -> str:
    return _ALL if judge.multilabel else picture.label


def _number(group: str) -> int:
    number = group.partition(":")[0]
    return int(number) if number.isdecimal() else 0


def _answers(groups: Iterable[Sequence[Picture]], judge: Judge) -> dict[str, tuple[str, ...] | None]:
    asked = list({picture.content: picture for group in groups for picture in group}.values())
    if not asked:
        return {}
    return {picture.content: said for picture, said in zip(asked, judge.answers(asked), strict=True)}


def _judge(
    group: str,
    members: Sequence[Picture],
    answers: Mapping[str, tuple[str, ...] | None],
    judge: Judge,
    config: CollectConfig,
    known: Mapping[Key, Known],
) -> tuple[Known, Distrusted | None]:
    said = [answers[picture.content] for picture in members]
    agreed = sum(picture.labels == answer for picture, answer in zip(members, said, strict=True))
    label = _label(members[0], judge)
    expected = judge.expected(label) or 0.0
    least = max(0.0, expected - config.slack)
    chance = lower_tail(agreed, len(members), least)
    in_quarantine = any(
        known.get(picture.key, Known("waiting")).standing == "quarantined" for picture in members
    )
    if len(members) < config.min_group and not in_quarantine:
        return Known("waiting"), None
    if agreed < least * len(members) and (in_quarantine or chance < config.significance):
        reason = Distrusted(
            group=group,
            label=_common_label(members),
            source=members[0].source,
            agreed=agreed,
            count=len(members),
            expected=expected,
            chance=chance,
            again=in_quarantine,
        )
        return Known("quarantined", group, judge.version), reason
    return Known("trusted", group, judge.version), None


def _common_label(members: Sequence[Picture]) -> str:
    return Counter(picture.label for picture in members).most_common(1)[0][0]
