"""What a run will do, checked before TensorFlow is loaded: a mistake costs a moment, not a minute."""

import json
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from pictor_contract import PictureInput
from pictor_training.config import TrainConfig, check_head, check_network, dump_config, load_config
from pictor_training.data.source import Source, read_source
from pictor_training.data.survey import resolve_input
from pictor_training.durable import write_text_durably
from pictor_training.environment import describe_environment
from pictor_training.errors import ConfigError
from pictor_training.export.publish import check_store
from pictor_training.fitting.identity import differences
from pictor_training.run_folder import (
    CONFIG_FILE,
    ENVIRONMENT_FILE,
    REPORT_FILE,
    is_complete,
    locked,
    make_run_folder,
    require_run,
    take_run_folder,
)
from pictor_training.several.cluster import refuse_small_batch


@dataclass(frozen=True, slots=True)
class Plan:
    """One run: its folder, where it publishes (None: nowhere), its settled configuration, its pictures."""

    folder: Path
    store: Path | None
    config: TrainConfig
    picture_input: PictureInput
    source: Source


@dataclass(frozen=True, slots=True)
class Share:
    """What a worker that does not lead needs of a plan."""

    config: TrainConfig
    picture_input: PictureInput
    source: Source


@dataclass(frozen=True, slots=True)
class Request:
    """What the command line asks for; `command` is how the report will quote it.

    `workers` are the processes that train together.
    """

    data: str | None
    config_file: Path | None
    overrides: Sequence[str]
    runs: Path
    store: Path | None
    command: str
    workers: int = 1


def plan_run(request: Request) -> Plan:
    """Check all that can be checked, then make the run's folder.

    Raises:
        ConfigError, DataError, PublishError: it cannot be run; no folder was made.
        TrainingError: the folder cannot be made or written.
    """
    share = _asked(request)
    folder = make_run_folder(request.runs, share.config.name)
    plan = Plan(folder, request.store, share.config, share.picture_input, share.source)
    return _begin(plan, request.command, request.workers)


def plan_run_at(folder: Path, request: Request) -> Plan | None:
    """Plan the run of `folder`: begin it there, or go on with it; None if it is complete already.

    Raises:
        ConfigError, DataError, PublishError: it cannot be run, was begun otherwise, or `folder` is no run's.
        TrainingError: the folder cannot be made or written.
    """
    share = _asked(request)
    plan = Plan(folder, request.store, share.config, share.picture_input, share.source)
    if not (folder / CONFIG_FILE).is_file():
        take_run_folder(folder)
        with locked(folder):
            if not (folder / CONFIG_FILE).is_file():  # nobody was faster
                return _begin(plan, request.command, request.workers)
    config = _settled(share.config, share.picture_input)
    before = load_config(None, folder / CONFIG_FILE, [])
    if told := differences(_decided(before, _store_of(folder)), _decided(config, request.store)):
        raise ConfigError(
            f"The run {folder} was begun with other settings: {told}. Give those, or name another folder."
        )
    return None if is_complete(folder) else replace(plan, config=config)


def _decided(config: TrainConfig, store: Path | None) -> dict[str, Any]:
    return config.model_dump(mode="json") | {"models": store and str(store.absolute())}


def plan_share(request: Request) -> Share:
    """Check all that can be checked, for a worker that does not lead; nothing is written.

    Raises:
        ConfigError, DataError: it cannot be run.
    """
    share = _asked(replace(request, store=None))
    return replace(share, config=_settled(share.config, share.picture_input))


def _asked(request: Request) -> Share:
    config = load_config(request.data, request.config_file, request.overrides)
    refuse_small_batch(config.fit.batch_size, request.workers)
    if request.store is not None:
        check_store(request.store, config.name)
    source, picture_input = _look(config)
    return Share(config, picture_input, source)


def plan_run_in(folder: Path, config: TrainConfig, command: str) -> Plan:
    """Check all that can be checked, then make `folder`, which is there already, a run without a store.

    Raises:
        ConfigError, DataError: it cannot be run; `folder` is no run's.
        TrainingError: the folder cannot be written.
    """
    source, picture_input = _look(config)
    return _begin(Plan(folder, None, config, picture_input, source), command)


def _begin(plan: Plan, command: str, workers: int = 1) -> Plan:
    config = _settled(plan.config, plan.picture_input)
    store = None if plan.store is None else plan.store.absolute()
    environment = describe_environment(command) | {"store": store and str(store)}
    if workers > 1:  # by how many a sum is divided decides the last bits of every weight
        environment["workers"] = workers
    write_text_durably(plan.folder / ENVIRONMENT_FILE, json.dumps(environment, indent=2) + "\n")
    # Last, since this file is what makes the folder a run that can be resumed.
    write_text_durably(plan.folder / CONFIG_FILE, dump_config(config))
    return replace(plan, config=config)


def plan_resumption(folder: Path, workers: int = 1) -> Plan:
    """Read the plan of a run that was interrupted or killed back from its folder.

    Raises:
        ConfigError: `folder` is no run or a complete one, or its configuration cannot be read.
        DataError: its pictures are not there any more.
    """
    require_run(folder)
    if is_complete(folder):
        raise ConfigError(f"{folder} is complete already; its report is {folder / REPORT_FILE}.")
    config = load_config(None, folder / CONFIG_FILE, [])
    refuse_small_batch(config.fit.batch_size, workers)
    source, picture_input = _look(config)
    return Plan(folder, _store_of(folder), config, picture_input, source)


def _store_of(folder: Path) -> Path | None:
    try:
        store = json.loads((folder / ENVIRONMENT_FILE).read_text(encoding="utf-8"))["store"]
        return None if store is None else Path(store)
    except (OSError, ValueError, LookupError, TypeError) as error:
        raise ConfigError(
            f"{folder / ENVIRONMENT_FILE} does not tell where to publish to ({error}). Start a new run."
        ) from error


def _look(config: TrainConfig) -> tuple[Source, PictureInput]:
    source = read_source(config.data)
    check_head(config, source.head)
    picture_input = resolve_input(config.input, source)
    check_network(config.network, picture_input)
    return source, picture_input


def _settled(config: TrainConfig, picture_input: PictureInput) -> TrainConfig:
    """Replace what "auto" and the working directory decided by what they decided."""
    data = config.data.model_copy(
        update={
            "path": str(Path(config.data.path).absolute()),
            "manifest": config.data.manifest and str(Path(config.data.manifest).absolute()),
        }
    )
    size = [picture_input.height, picture_input.width]
    settled_input = config.input.model_copy(update={"size": size, "channels": picture_input.channels})
    return config.model_copy(update={"data": data, "input": settled_input})
