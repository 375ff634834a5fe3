"""The contract: one JSON, read back as it was written, and nothing else accepted."""

import json
from dataclasses import FrozenInstanceError, asdict, replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pictor_contract import GoldenExample, ImageContract, InvalidContract, PictureInput, is_model_name
from pictor_contract.contract import MAX_SIDE

CONTRACT = ImageContract(
    name="brain-mri",
    labels=("no", "tumour ä"),
    head="binary",
    input=PictureInput(128, 96, 1, "lanczos", "pad", (0, 10, 255)),
    temperature=1.25,
    thresholds=(0.5, 0.25),
    allowed_batch_sizes=(1, 4),
    weights_sha256="ab" * 32,
    data_sha256="cd" * 32,
    metrics={"accuracy": 0.75, "pictures": 253},
    golden=GoldenExample("AAEC", "ef" * 32, (0.25, 0.75)),
    created_utc="2025-01-02T03:04:05Z",
    made_by="pictor 0.1.0, run 20250102T030405Z-brain-mri",
)
ODD_VALUES: list[Any] = [None, True, -1, 0.5, "x", "", [], [1, 2], {}, {"a": 1}, [[1]], 10**400]


def _changed(path: str, value: Any) -> str:  # any JSON at all
    data = json.loads(CONTRACT.to_json())
    *parents, last = path.split(".")
    target = data
    for parent in parents:
        target = target[parent]
    target[last] = value
    return json.dumps(data)


def test_a_contract_reads_back_as_it_was_written() -> None:
    """Equal in every field, equal in its digest, from text and from bytes."""
    text = CONTRACT.to_json()
    assert CONTRACT == ImageContract.from_json(text)
    assert CONTRACT == ImageContract.from_json(text.encode())
    assert CONTRACT.digest() == ImageContract.from_json(text).digest()


def test_the_json_is_readable() -> None:
    """Indented, in the order of the fields, letters as they are, one line end."""
    text = CONTRACT.to_json()
    assert [name for name in asdict(CONTRACT) if name != "statistics"] == list(json.loads(text))
    assert '\n  "name": "brain-mri",\n' in text
    assert "tumour ä" in text
    assert text.endswith("}\n")


def test_the_digests_are_those_of_all_earlier_releases() -> None:
    """A digest that changes without a new version would disown every published model."""
    assert "0e2ec4df985b12932932fa8ef6bba3b65fe74acc52ca0d031779a48f90d11f25" == CONTRACT.digest()
    assert "e393a6b9c1fee808d403cdf0630a7fd32a393ce3afe9547206d8ca77a4fa8b94" == CONTRACT.input.digest()


def test_every_field_changes_the_digest() -> None:
    """What a reader would do differently, the digest tells apart."""
    others = [
        replace(CONTRACT, name="other"),
        replace(CONTRACT, labels=("tumour ä", "no")),
        replace(CONTRACT, input=replace(CONTRACT.input, resize_filter="box")),
        replace(CONTRACT, temperature=1.5),
        replace(CONTRACT, metrics={}),
        replace(CONTRACT, golden=None),
    ]
    assert len({CONTRACT.digest(), *(other.digest() for other in others)}) == 1 + len(others)


def test_the_order_of_keys_does_not_change_the_digest() -> None:
    """Who rewrites the JSON by another tool keeps the contract."""
    backwards = json.dumps(dict(reversed(json.loads(CONTRACT.to_json()).items())))
    assert CONTRACT.digest() == ImageContract.from_json(backwards).digest()


@given(
    labels=st.lists(st.text(st.characters(codec="utf-8"), min_size=1), min_size=2, max_size=5, unique=True),
    temperature=st.floats(1e-3, 1e3),
    metrics=st.dictionaries(
        st.text(st.characters(codec="utf-8"), min_size=1), st.floats(-1e9, 1e9), max_size=4
    ),
)
def test_any_labels_and_numbers_survive_the_way_through_json(
    labels: list[str], temperature: float, metrics: dict[str, float]
) -> None:
    """Control letters, quotes and every last digit."""
    contract = ImageContract(
        "m", tuple(labels), "multiclass", PictureInput(8, 8), temperature=temperature, metrics=metrics
    )
    again = ImageContract.from_json(contract.to_json())
    assert contract == again
    assert contract.digest() == again.digest()


@pytest.mark.parametrize("path", ["extra", "input.extra", "golden.extra"])
def test_an_unknown_field_is_refused_by_name(path: str) -> None:
    """It may mean something that this release would ignore."""
    with pytest.raises(InvalidContract, match="unknown fields: extra"):
        ImageContract.from_json(_changed(path, 1))


@pytest.mark.parametrize("name", ["name", "labels", "head", "input"])
def test_a_missing_field_is_refused(name: str) -> None:
    """Only what has a safe default may be left out."""
    data = json.loads(CONTRACT.to_json())
    del data[name]
    with pytest.raises(InvalidContract, match=name):
        ImageContract.from_json(json.dumps(data))


@pytest.mark.parametrize("version", [2, 0, "1", 1.0, True, None])
def test_another_schema_version_is_refused_before_its_fields_are_judged(version: object) -> None:
    """The advice is to take the right release, not to remove a field."""
    data = {"schema_version": version, "fields": "of the future"}
    with pytest.raises(InvalidContract, match="Serve this model with the release that wrote it"):
        ImageContract.from_json(json.dumps(data))


@pytest.mark.parametrize(
    "text", ["", "{", "[]", "null", "1", '"text"', b"\xff\xfe\xfd", "[" * 100_000, '{"schema_version": NaN}']
)
def test_what_is_no_json_object_is_refused(text: str | bytes) -> None:
    """Whatever the parser makes of it."""
    with pytest.raises(InvalidContract, match="The contract"):
        ImageContract.from_json(text)


@pytest.mark.parametrize("constant", ["NaN", "Infinity", "-Infinity"])
def test_numbers_that_json_does_not_have_are_refused(constant: str) -> None:
    """Python would read them."""
    text = CONTRACT.to_json().replace("1.25", constant)
    with pytest.raises(InvalidContract, match=f"{constant} is no JSON number"):
        ImageContract.from_json(text)


@pytest.mark.parametrize(
    ("path", "value"),
    [
        ("labels", [1, 2]),
        ("labels", "no"),
        ("labels", ["no", ""]),
        ("labels", ["no", "no"]),
        ("labels", ["no", "\ud800"]),
        ("labels", ["no"]),
        ("labels", ["a", "b", "c"]),
        ("head", "regression"),
        ("head", ["binary"]),
        ("name", "../other"),
        ("name", ""),
        ("temperature", "x"),
        ("temperature", 0),
        ("temperature", True),
        ("thresholds", ["a", "b"]),
        ("thresholds", [0.5]),
        ("thresholds", [0.5, 1.5]),
        ("thresholds", "ab"),
        ("allowed_batch_sizes", []),
        ("allowed_batch_sizes", [2, 1]),
        ("allowed_batch_sizes", [1, 1]),
        ("allowed_batch_sizes", [0, 1]),
        ("allowed_batch_sizes", [1.0, 2.0]),
        ("allowed_batch_sizes", 8),
        ("metrics", [0.5]),
        ("metrics", {"accuracy": "high"}),
        ("metrics", {"accuracy": None}),
        ("weights_sha256", 5),
        ("created_utc", ["2025"]),
        ("golden.picture_base64", "no base64!"),
        ("golden.picture_base64", "ä"),
        ("golden.picture_base64", ""),
        ("golden.pixels_sha256", None),
        ("golden.scores", [0.5]),
        ("golden.scores", [0.5, "x"]),
        ("golden", "AAEC"),
        ("input", "128x96"),
        ("input.height", "128"),
        ("input.height", 0),
        ("input.width", MAX_SIDE + 1),
        ("input.width", 96.0),
        ("input.channels", 4),
        ("input.channels", True),
        ("input.resize_filter", "area"),
        ("input.resize_filter", {}),
        ("input.fit", None),
        ("input.background", "red"),
        ("input.background", [0, 0]),
        ("input.background", [0, 0, 256]),
        ("input.background", [0, 0, 0.5]),
        ("input.decode_version", 2),
        ("input.decode_version", 1.0),
    ],
)
def test_an_impossible_value_is_refused_with_its_name(path: str, value: object) -> None:
    """The message names the field and, as a rule, what was received."""
    with pytest.raises(InvalidContract, match=path.partition(".")[0]):
        ImageContract.from_json(_changed(path, value))


@pytest.mark.parametrize("value", ODD_VALUES, ids=lambda value: repr(value)[:12])
@pytest.mark.parametrize(
    "path", [*asdict(CONTRACT), *(f"input.{one}" for one in asdict(CONTRACT.input)), "golden.scores"]
)
def test_a_value_of_any_type_in_any_field_is_read_or_refused(path: str, value: object) -> None:
    """Nothing but `InvalidContract` ever comes out, and what was read can be written and digested."""
    try:
        contract = ImageContract.from_json(_changed(path, value))
    except InvalidContract:
        return
    assert contract.digest() == ImageContract.from_json(contract.to_json()).digest()


def test_a_multilabel_head_may_have_one_label() -> None:
    """Present or absent is a question of its own; the other heads need something to choose from."""
    one = ImageContract("m", ("dog",), "multilabel", PictureInput(8, 8))
    assert ("dog",) == one.labels
    with pytest.raises(InvalidContract, match="at least 2 for a multiclass head"):
        replace(one, head="multiclass")


def test_a_contract_cannot_be_changed() -> None:
    """Its digest would no longer be its own."""
    with pytest.raises(FrozenInstanceError):
        CONTRACT.name = "other"  # type: ignore[misc]  # that this is an error is the point


@pytest.mark.parametrize("name", ["a", "7", "brain-mri", "Model_2.1", "x" * 64])
def test_a_plain_name_is_a_models_name(name: str) -> None:
    """Letters, digits, dot, underscore and hyphen."""
    assert is_model_name(name)


@pytest.mark.parametrize("name", ["", ".", "..", "-x", "a/b", "a\n", "a b", "ä", "x" * 65, None, 7, b"a"])
def test_what_is_unsafe_in_a_path_or_a_label_is_no_models_name(name: object) -> None:
    """It becomes a folder, a part of a URL and a metric's label."""
    assert not is_model_name(name)


def test_a_number_too_large_for_a_float_is_refused() -> None:
    """JSON spells it like any other; Python reads infinity."""
    with pytest.raises(InvalidContract, match="temperature"):
        ImageContract.from_json(CONTRACT.to_json().replace("1.25", "1e999"))
