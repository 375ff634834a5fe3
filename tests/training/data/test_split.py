"""The division follows from the contents alone, and holds still when pictures are added."""

from collections import Counter
from hashlib import sha256

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pictor_training.data.example import SIDES, Side
from pictor_training.data.split import Division, Pool, RowLeak, divide

Member = tuple[str, str, Side | None]
"""A picture's name (its content), its labels joined by "|", and the owner's side."""


def _pool_of(members: list[Member], groups: list[set[str]], labels: list[str]) -> tuple[Pool, list[str]]:
    """Build what `prepare` builds: rows in the order of their hashes, groups named by their first row."""
    members = sorted(members, key=lambda member: sha256(member[0].encode()).hexdigest())
    names = [name for name, _, _ in members]
    row = {name: number for number, name in enumerate(names)}
    first = np.arange(len(names))
    for group in groups:
        rows = [row[name] for name in group if name in row]
        first[rows] = min(rows, default=0)
    targets = np.array(
        [[label in one.split("|") for label in labels] for _, one, _ in members], dtype=np.bool_
    )
    pool = Pool(
        contents=tuple(sha256(name.encode()).hexdigest() for name in names),
        groups=first,
        targets=targets.reshape(len(names), len(labels)),
        used=np.ones(len(names), dtype=np.bool_),
        given=tuple(side for _, _, side in members),
    )
    return pool, names


def _sides_of(
    members: list[Member], groups: list[set[str]] | None = None
) -> tuple[dict[str, Side | None], Division]:
    labels = sorted({label for _, one, _ in members for label in one.split("|")})
    pool, names = _pool_of(members, groups or [], labels)
    division = divide(pool, 0.15, 0.15)
    return dict(zip(names, division.sides, strict=True)), division


def _members_of(count: int, label: str = "a", start: int = 0) -> list[Member]:
    return [(f"{label}{number}", label, None) for number in range(start, start + count)]


def test_every_class_is_divided_in_the_wanted_shares() -> None:
    """Up to chance: within four standard deviations of 15 %, for each class."""
    members = _members_of(1000, "a") + _members_of(400, "b")
    sides, division = _sides_of(members)
    for label, count in (("a", 1000), ("b", 400)):
        found = Counter(side for name, side in sides.items() if name.startswith(label))
        for side in ("val", "test"):
            assert 0.15 * count == pytest.approx(found[side], abs=4 * (0.15 * 0.85 * count) ** 0.5)
    assert division.filled == ()


def test_added_pictures_move_no_old_one() -> None:
    """One by one, from 200 pictures to 300: large classes are never filled, so nothing moves."""
    members = _members_of(100, "a") + _members_of(100, "b")
    before, division = _sides_of(members)
    assert division.filled == ()
    for number in range(100):
        members.append((f"new{number}", "ab"[number % 2], None))
        after, _ = _sides_of(members)
        assert before == {name: after[name] for name in before}


def test_a_new_copy_lets_its_group_sink_at_most() -> None:
    """Whatever the copy's hash, a picture that was trained on is never held out afterwards."""
    members = _members_of(200)
    before, _ = _sides_of(members)
    moved = 0
    for number in range(200):
        after, _ = _sides_of([*members, (f"copy{number}", "a", None)], [{f"a{number}", f"copy{number}"}])
        changed = {name for name in before if before[name] != after[name]}
        assert changed <= {f"a{number}"}
        for name in changed:
            assert SIDES.index(after[name] or "train") < SIDES.index(before[name] or "train")
        moved += len(changed)
    assert moved > 0


@pytest.mark.parametrize(
    ("count", "expected"),
    [
        (1, [{"train": 1}]),
        (2, [{"train": 1, "test": 1}, {"train": 1, "val": 1}]),
        (3, [{"train": 1, "val": 1, "test": 1}]),
    ],
)
def test_small_classes_are_filled_by_hand(count: int, expected: list[dict[str, int]]) -> None:
    """One picture on each side, as far as they go, whatever chance had given; training never goes without."""
    for start in range(0, 60, count):
        sides, _ = _sides_of(_members_of(count, start=start))
        assert dict(Counter(sides.values())) in expected


@given(st.integers(3, 40), st.integers(0, 10_000))
def test_no_class_of_three_lacks_a_side(count: int, start: int) -> None:
    """And a held-out side has at least half of its share."""
    sides, _ = _sides_of(_members_of(count, start=start))
    found = Counter(sides.values())
    assert found["train"] >= 1
    assert min(found["val"], found["test"]) >= max(1, int(0.15 * count / 2))


@given(
    st.lists(
        st.tuples(st.integers(0, 60), st.sampled_from(["a", "b", "a|b", "c"])),
        min_size=1,
        unique_by=lambda m: m[0],
    ),
    st.lists(st.sets(st.integers(0, 60), min_size=2, max_size=5), max_size=6),
)
def test_groups_stay_together_and_every_label_keeps_a_training_picture(
    drawn: list[tuple[int, str]], joined: list[set[int]]
) -> None:
    """For any labels and any groups."""
    apart = [
        group for number, group in enumerate(joined) if not any(group & other for other in joined[:number])
    ]
    groups = [{f"p{number}" for number in group} for group in apart]
    sides, _ = _sides_of([(f"p{number}", labels, None) for number, labels in drawn], groups)
    for group in groups:
        assert len({sides[name] for name in group if name in sides}) <= 1
    for label in {label for _, labels in drawn for label in labels.split("|")}:
        assert "train" in {sides[f"p{number}"] for number, labels in drawn if label in labels.split("|")}


def test_given_sides_are_kept() -> None:
    """The owner's word counts, however uneven."""
    members: list[Member] = [("a", "x", "train"), ("b", "x", "val"), ("c", "x", "test"), ("d", "x", "test")]
    sides, division = _sides_of(members)
    assert (sides, division.leaks) == ({"a": "train", "b": "val", "c": "test", "d": "test"}, ())


@pytest.mark.parametrize(("present", "missing"), [("test", "val"), ("val", "test")])
def test_a_missing_side_is_split_off_train(present: Side, missing: Side) -> None:
    """The given held-out side is neither enlarged nor used twice."""
    given_side: list[Member] = [(f"h{number}", "a", present) for number in range(20)]
    train: list[Member] = [(f"t{number}", "a", "train") for number in range(200)]
    sides, _ = _sides_of(given_side + train)
    assert {present} == {sides[f"h{number}"] for number in range(20)}
    found = Counter(sides[f"t{number}"] for number in range(200))
    assert {"train", missing} == set(found)
    assert pytest.approx(found[missing], abs=20) == 30


def test_a_copy_of_a_held_out_picture_is_dropped() -> None:
    """The strictest side keeps its picture; others of the group leak, those on the same side stay."""
    members: list[Member] = [("a", "x", "train"), ("b", "x", "val"), ("c", "x", "test"), ("d", "x", "test")]
    members += [("e", "x", "train"), ("f", "x", "val")]
    labels = ["x"]
    pool, names = _pool_of(members, [{"a", "b", "c", "d"}], labels)
    division = divide(pool, 0.15, 0.15)
    sides = dict(zip(names, division.sides, strict=True))
    assert sides == {"a": None, "b": None, "c": "test", "d": "test", "e": "train", "f": "val"}
    kept = min(names.index("c"), names.index("d"))
    assert {RowLeak(names.index("a"), kept), RowLeak(names.index("b"), kept)} == set(division.leaks)
