"""One model's status out of what several servers say, and the small parts beside it."""

import asyncio
from dataclasses import dataclass, replace
from types import SimpleNamespace
from typing import Any

import pytest

from pictor_contract import ImageContract, PictureInput
from pictor_gateway.backends.protocol import ModelStatus
from pictor_gateway.backends.tensorflow_serving.account import Account, Belief, Refusal
from pictor_gateway.backends.tensorflow_serving.agreement import agree
from pictor_gateway.backends.tensorflow_serving.coalesced import Coalesced
from pictor_gateway.backends.tensorflow_serving.labels import LabelList
from pictor_gateway.backends.tensorflow_serving.proof import Proven, cut_to_messages
from pictor_tfs.messages import VersionReport

_CONTRACT = ImageContract("colours", ("no", "yes"), "binary", PictureInput(8, 8))
_NOTHING = ModelStatus("colours", ())


@dataclass
class _Server:
    """A server as an account sees it."""

    address: str
    usable: bool = True
    ejections: int = 0
    losses: int = 0
    left: bool = False


def _handle(version: int, proven: Proven) -> Any:
    return SimpleNamespace(version=version, digest=proven.digest, name="colours")


def _account(address: str, *, labels: dict[str, int] | None = None, **digests: str) -> Account:
    """Give the account of a server with versions: `_account("a", v1="x")`."""
    server: Any = _Server(address)
    account = Account(server, "colours", 1.0, lambda: None)
    account.labels = labels or {}
    for name, digest in digests.items():
        version = int(name[1:])
        account.believed[version] = Belief(Proven(_CONTRACT, digest))
        account.reports += (VersionReport(version, "available", 0, ""),)
    return account


def _digests(status: ModelStatus) -> dict[int, str]:
    return {served.version: served.digest for served in status.available}


@pytest.mark.parametrize(
    ("versions", "preferred"),
    [
        ([{"v1": "x"}, {"v1": "x"}, {"v1": "x", "v2": "y"}], 1),
        ([{"v1": "x"}, {"v2": "y"}], 2),
        ([{"v1": "x"}, {"v1": "x", "v2": "y"}, {"v2": "y"}], 2),
        ([{"v1": "x"}, {"v2": "y"}, {"v3": "z"}], 3),
        ([{"v1": "x"}, {}, {}], 1),
        ([{}], None),
    ],
)
def test_the_newest_version_of_half_the_servers_is_preferred(
    versions: list[dict[str, str]], preferred: int | None
) -> None:
    """Of the servers that have the model; where no version has half of them, the newest."""
    accounts = [_account(str(number), **digests) for number, digests in enumerate(versions)]
    assert preferred == agree("colours", accounts, _NOTHING, _handle).preferred


def test_a_split_between_two_contracts_is_decided_by_what_is_served_already() -> None:
    """Otherwise by which was known first; a majority beats both."""
    first, second, third = _account("a", v1="x"), _account("b", v1="y"), _account("c", v1="y")
    served = agree("colours", [second], _NOTHING, _handle)
    assert {1: "x"} == _digests(agree("colours", [first, second], _NOTHING, _handle))
    assert {1: "y"} == _digests(agree("colours", [first, second], served, _handle))
    assert {1: "y"} == _digests(agree("colours", [first, second, third], _NOTHING, _handle))


def test_servers_that_are_out_have_no_say() -> None:
    """What they served before is nobody's answer now."""
    here, away = _account("a", v1="x"), _account("b", v1="y", v2="z")
    away.server.__dict__["usable"] = False
    assert {1: "x"} == _digests(agree("colours", [here, away], _NOTHING, _handle))


def test_a_label_between_two_versions_moves_once() -> None:
    """Most servers decide; where they are split, it stays where it was."""
    old = {"v1": "x", "v2": "y"}
    accounts = [
        _account("a", labels={"stable": 1}, **old),
        _account("b", labels={"stable": 2}, **old),
        _account("c", labels={"stable": 2}, **old),
    ]
    before = replace(_NOTHING, labels={"stable": 1})
    assert {"stable": 1} == agree("colours", accounts[:2], before, _handle).labels
    assert {"stable": 2} == agree("colours", accounts, before, _handle).labels


@pytest.mark.parametrize(
    ("versions", "labels", "before", "expected"),
    [
        # A promotion under way: the label follows when most servers have moved it.
        (["v1 v2", "v1 v2", "v1 v2"], [2, 1, 1], 1, 1),
        (["v1 v2", "v1 v2", "v1 v2"], [2, 2, 1], 1, 2),
        (["v1 v2", "v1 v2"], [2, 1], 1, 1),
        (["v1 v2", "v1 v2"], [2, 1], 2, 2),
        # A rollback under way, on half of the servers.
        (["v1 v2", "v1 v2"], [1, 2], 2, 2),
        # A server that was just started tells no labels yet: it has no say.
        (["v1 v2", "v1 v2"], [1, None], 1, 1),
        # The label names what is not proven yet: it stays while the version it named answers.
        (["v1"], [2], 1, 1),
        (["v2"], [2], 1, 2),
        # Nothing else is there: it is told as it is.
        (["v3"], [2], 1, 2),
    ],
)
def test_the_label_stable_decides_who_is_meant(
    versions: list[str], labels: list[int | None], before: int, expected: int
) -> None:
    """While servers disagree, it moves once, and never to a version that cannot answer."""
    accounts = [
        _account(str(number), labels={"stable": label} if label else {}, **dict.fromkeys(having.split(), "x"))
        for number, (having, label) in enumerate(zip(versions, labels, strict=True))
    ]
    status = agree("colours", accounts, replace(_NOTHING, labels={"stable": before}), _handle)
    assert {"stable": expected} == status.labels
    answering = {served.version for served in status.available}
    assert (expected if expected in answering else 3) == status.preferred


@pytest.mark.parametrize(
    ("versions", "labels", "preferred"),
    [
        ({"v1": "x", "v2": "x"}, {"stable": 1, "canary": 2}, 1),
        ({"v1": "x", "v2": "x"}, {"canary": 2}, 1),
        ({"v2": "x"}, {"canary": 2}, 2),
        ({"v2": "x"}, {"stable": 1, "canary": 2}, 1),
        ({"v2": "x", "v3": "x"}, {"stable": 1, "canary": 2}, 3),
        ({"v1": "x", "v2": "x"}, {"gold": 1}, 2),
    ],
)
def test_a_canary_is_not_for_everybody(
    versions: dict[str, str], labels: dict[str, int], preferred: int
) -> None:
    """Also if it is the newest, or if the stable version is away: then there is no answer."""
    status = agree("colours", [_account("a", labels=labels, **versions)], _NOTHING, _handle)
    assert preferred == status.preferred


def test_states_and_reasons_are_told_for_each_version() -> None:
    """Refused on one server, failed to load on another, ended long ago: newest first, the past cut short."""
    account = _account("a", v20="x")
    account.refused[21] = Refusal("It is wrong.", 1, 0.0)
    account.reports += (
        VersionReport(21, "available", 0, ""),
        VersionReport(22, "available", 0, ""),
        VersionReport(23, "ended", 15, "secret"),
        *(VersionReport(version, "ended", 0, "") for version in range(1, 20)),
    )
    statuses = agree("colours", [account], _NOTHING, _handle).versions
    told = [(one.version, one.state, one.reason) for one in statuses[:4]]
    assert told == [
        (23, "ended", "On 1 of 1 servers: TensorFlow Serving could not load it (DATA_LOSS)."),
        (22, "loading", ""),
        (21, "refused", "On 1 of 1 servers: It is wrong."),
        (20, "available", ""),
    ]
    assert 13 == len(statuses)


def test_reasons_are_counted_and_name_no_server() -> None:
    """Whoever may list the models reads them: the addresses are in the log."""
    accounts = [_account(f"10.0.0.{number}:8500", v1="x") for number in range(3)]
    for account in accounts[:2]:
        account.refused[2] = Refusal("It is wrong.", 1, 0.0)
        account.reports += (VersionReport(2, "available", 0, ""),)
    (refused, _) = agree("colours", accounts, _NOTHING, _handle).versions
    assert "On 2 of 3 servers: It is wrong." == refused.reason


def test_the_largest_batch_fits_one_message() -> None:
    """Protocol buffers end at 2 GiB, whatever the contract allows."""
    huge = replace(_CONTRACT, input=PictureInput(4096, 4096), allowed_batch_sizes=(1, 8, 32, 64))
    assert (1, 8, 32, 42) == cut_to_messages(huge).allowed_batch_sizes
    assert _CONTRACT is cut_to_messages(_CONTRACT)


def test_callers_share_a_run_that_began_after_they_called() -> None:
    """One that runs already may have looked too early for whoever comes now."""

    async def check() -> None:
        runs: asyncio.Queue[asyncio.Event] = asyncio.Queue()

        async def work() -> None:
            end = asyncio.Event()
            runs.put_nowait(end)
            await end.wait()

        refresh = Coalesced(work)
        first = [asyncio.create_task(refresh()) for _ in range(3)]
        end = await runs.get()
        later = [asyncio.create_task(refresh()) for _ in range(3)]
        await asyncio.sleep(0)
        assert runs.empty()
        end.set()
        await asyncio.gather(*first)
        assert not any(task.done() for task in later)
        (await runs.get()).set()
        await asyncio.gather(*later)
        assert runs.empty()

    asyncio.run(check())


def test_labels_are_learnt_within_bounds() -> None:
    """A stranger's inventions take no room; of too many that were real, those nobody has now give way."""
    labels = LabelList(["stable"])
    assert labels.is_worth_asking("gold")
    assert not labels.is_worth_asking("gold/../x")
    labels.deny("gold")
    assert not labels.is_worth_asking("gold")
    for number in range(100):
        labels.learn(f"l{number}", {f"l{number}" for number in range(63)})
    assert 64 == len(labels.asked)
    labels.learn("fresh", {"l1"})
    assert ("stable", "fresh", "l1") == labels.asked
