"""Retraining in the cluster: manifests say what the commands do, and the commands take what they are told."""

from pathlib import Path
from typing import Any, Final

import pytest

from k8s.rendering import K8S, OVERLAYS, Object, combined, of_kind, overlay
from pictor_store.cli.models import models
from pictor_store.cli.options import LOCKED
from pictor_training.demo.cli import demo
from pictor_training.errors import ConfigError, DataError, Interrupted, Locked, TrainingError
from pictor_training.retraining.cli import retrain
from pictor_training.retraining.config import RetrainConfig
from pictor_training.retraining.loading import load_retrain_config
from pictor_training.retraining.outcome import DONE, HELD

SLOWEST_END_S: Final = 9
"""From SIGTERM to the end of the process, measured in every stage of a night; the longest."""

TEMPLATES: Final = ("pictor-promote", "pictor-rollback")
JOBS: Final = ("pictor-retrain", *TEMPLATES)

WRITABLE: Final = frozenset({"/models", "/runs", "/tmp"})  # noqa: S108 - the container's own

README: Final = (K8S / "base/retrain/README.md").read_text(encoding="utf-8")

every_overlay = pytest.mark.parametrize("name", OVERLAYS)


def cron_job(objects: tuple[Object, ...], name: str) -> Object:
    """Return a CronJob's spec."""
    (found,) = [one for one in of_kind(objects, "CronJob") if one["metadata"]["name"] == name]
    spec: Object = found["spec"]
    return spec


def job_of(objects: tuple[Object, ...], name: str) -> Object:
    """Return the spec of the jobs that a CronJob makes, or of the Job itself."""
    if name in JOBS:
        return dict(cron_job(objects, name)["jobTemplate"]["spec"])
    (found,) = [one for one in of_kind(objects, "Job") if one["metadata"]["name"] == name]
    return dict(found["spec"])


def pod_of(objects: tuple[Object, ...], name: str) -> Object:
    """Return the spec of their pods."""
    return dict(job_of(objects, name)["template"]["spec"])


def container_of(objects: tuple[Object, ...], name: str) -> Object:
    """Return their one container."""
    (found,) = pod_of(objects, name)["containers"]
    return dict(found)


def options_of(command: Any, args: list[str]) -> dict[str, Any]:
    """Return what the command would be called with; what it refuses fails the test."""
    return dict(command.make_context(command.name, [*args]).params)


def config_of(objects: tuple[Object, ...], folder: Path) -> RetrainConfig:
    """Load the configuration as the job does: the ConfigMap's file, with the container's arguments."""
    command, *args = container_of(objects, "pictor-retrain")["args"]
    assert "retrain" == command
    given = options_of(retrain, args)
    assert "/config/retrain.yaml" == str(given["config_file"])
    (data,) = [
        one["data"] for one in of_kind(objects, "ConfigMap") if one["metadata"]["name"] == "pictor-retrain"
    ]
    file = folder / "retrain.yaml"
    file.write_text(data["retrain.yaml"], encoding="utf-8")
    return load_retrain_config(file, given["overrides"])


def argument(container: Object, flag: str) -> str:
    """Return a flag's value."""
    (found,) = [one for one in container["args"] if one.startswith(f"{flag}=")]
    return str(found.removeprefix(f"{flag}="))


def workload(objects: tuple[Object, ...], name: str) -> Object:
    """Return the one container of a Deployment, sidecars apart."""
    (found,) = [one for one in of_kind(objects, "Deployment") if one["metadata"]["name"] == name]
    return dict(found["spec"]["template"]["spec"]["containers"][0])


@every_overlay
def test_exit_codes_that_a_retry_would_only_repeat_end_the_job(name: str) -> None:
    """Those of the code; what may pass is tried again, and a lost node is no failure at all."""
    disruption, final = job_of(overlay(name), "pictor-retrain")["podFailurePolicy"]["rules"]
    lost = {"type": "DisruptionTarget", "status": "True"}
    assert {"action": "Ignore", "onPodConditions": [lost]} == disruption
    assert "FailJob" == final["action"]
    codes = final["onExitCodes"]
    assert ("retrain", "In") == (codes["containerName"], codes["operator"])
    ends = {ConfigError.exit_code, HELD, DataError.exit_code, Locked.exit_code}
    assert ends == set(codes["values"])
    assert not ends & {DONE, TrainingError.exit_code, Interrupted.exit_code}
    assert Locked.exit_code == LOCKED  # `pictor models` says the same by it


def test_the_readme_tells_what_each_exit_code_means() -> None:
    """In a table: code, what happened, what Kubernetes does, what a person does."""
    rows = {
        row.split("|")[1].strip() for row in README.splitlines() if row.startswith("| ") and row[2].isdigit()
    }
    told = {str(one.exit_code) for one in (ConfigError, DataError, Interrupted, Locked, TrainingError)}
    assert told | {str(DONE), str(HELD), "137"} == rows


@every_overlay
def test_the_nightly_configuration_is_one_that_the_job_takes(name: str, tmp_path: Path) -> None:
    """Every path in it is a mount of the container, or below one; only what it writes is writable."""
    objects = overlay(name)
    config = config_of(objects, tmp_path)
    mounts = {
        one["mountPath"]: one.get("readOnly", False)
        for one in container_of(objects, "pictor-retrain")["volumeMounts"]
    }
    assert ("/models", "/runs") == (config.store, config.runs)
    assert WRITABLE <= {path for path, read_only in mounts.items() if not read_only}
    for source in config.sources:
        where = source.folder or source.manifest or source.samples
        assert source.optional or mounts[str(where)] is True
    assert all(read_only for path, read_only in mounts.items() if path not in WRITABLE)


@every_overlay
def test_all_speak_of_the_same_model_in_the_same_place(name: str, tmp_path: Path) -> None:
    """Job, templates, servers and gateway: name, address, file, and the path that servers see."""
    objects = overlay(name)
    config, publish = config_of(objects, tmp_path), config_of(objects, tmp_path).publish
    (settings,) = [
        one["data"]
        for one in of_kind(objects, "ConfigMap")
        if one["metadata"]["name"].startswith("pictor-gateway")
    ]
    assert (config.name, publish.tfs) == (settings["PICTOR_MODEL"], settings["PICTOR_TFS"])
    server = workload(objects, "pictor-tf-serving")
    assert publish.models_config == argument(server, "--model_config_file")
    assert publish.base_path in {one["mountPath"] for one in server["volumeMounts"]}
    for template in TEMPLATES:
        _, command, model, *rest = container_of(objects, template)["args"]
        given = options_of(models.commands[command], [model, *rest])
        assert (config.name, config.store) == (given["name"], given["store"])
        assert publish.tfs == given["tfs"]
        assert publish.base_path == given["base_path"]
        assert publish.models_config == str(given["models_config"])
        assert publish.timeout_s == given["timeout_s"]


@every_overlay
def test_the_templates_wait_for_people(name: str) -> None:
    """Suspended, on a day that does not exist; the jobs made from them are not suspended and end in time."""
    objects = overlay(name)
    for template in TEMPLATES:
        spec = cron_job(objects, template)
        assert spec["suspend"] is True
        assert "0 0 31 2 *" == spec["schedule"]
        job = job_of(objects, template)
        assert "suspend" not in job
        longest_s = 2 * 60 + 3 * float(argument(container_of(objects, template), "--timeout-s")) + 30
        assert longest_s <= job["activeDeadlineSeconds"]
        environment = {one["name"] for one in container_of(objects, template)["env"]}
        assert "job $(JOB)" == argument(container_of(objects, template), "--reason")
        assert {"JOB"} == environment
    assert ["models", "promote", "classifier", "canary"] == container_of(objects, "pictor-promote")["args"][
        :4
    ]


@every_overlay
def test_a_rollback_is_tried_once(name: str) -> None:
    """A second one would go one version further back: no retry, and no replacement of a drained pod."""
    job = job_of(overlay(name), "pictor-rollback")
    assert 0 == job["backoffLimit"]
    assert "podFailurePolicy" not in job


@every_overlay
def test_the_nightly_job_is_never_suspended_and_leaves_time_to_stop(name: str) -> None:
    """One at a time, and three times what the slowest end took."""
    objects = overlay(name)
    spec = cron_job(objects, "pictor-retrain")
    assert "suspend" not in spec
    assert ("Forbid", "Etc/UTC") == (spec["concurrencyPolicy"], spec["timeZone"])
    pod = pod_of(objects, "pictor-retrain")
    assert 3 * SLOWEST_END_S <= pod["terminationGracePeriodSeconds"]
    assert "Never" == pod["restartPolicy"]


@every_overlay
def test_threads_follow_the_request(name: str) -> None:
    """TensorFlow would take one for each core of the node."""
    environment = {one["name"]: one for one in container_of(overlay(name), "pictor-retrain")["env"]}
    for variable in ("TF_NUM_INTRAOP_THREADS", "TF_NUM_INTEROP_THREADS", "OMP_NUM_THREADS"):
        asked = environment[variable]["valueFrom"]["resourceFieldRef"]
        assert ("requests.cpu", "1") == (asked["resource"], asked["divisor"])
    assert environment["HOME"]["value"] == "/tmp"  # noqa: S108 - the container's own


@every_overlay
def test_an_empty_name_is_told_from_a_silent_resolver(name: str) -> None:
    """The first version hangs on it: beyond the cluster the bare name is not asked for."""
    options = pod_of(overlay(name), "pictor-retrain")["dnsConfig"]["options"]
    assert {"name": "no-tld-query"} in options


@every_overlay
def test_claims_are_written_where_that_is_meant_and_nowhere_else(name: str) -> None:
    """By the claim and by the mount."""
    objects = overlay(name)
    models_only = {"pictor-models": (False, False)}
    wanted = {
        "pictor-retrain": {
            **models_only,
            "pictor-runs": (False, False),
            "pictor-pictures": (True, True),
        },
        **dict.fromkeys(TEMPLATES, models_only),
    }
    for job, claims in wanted.items():
        assert claims.items() <= _claims(pod_of(objects, job), container_of(objects, job)).items()


def _claims(pod: Object, container: Object) -> dict[str, tuple[bool, bool]]:
    """Return by claim whether the volume and whether the mount is read-only."""
    mounts = {one["name"]: one.get("readOnly", False) for one in container["volumeMounts"]}
    claims = {
        one["name"]: one["persistentVolumeClaim"] for one in pod["volumes"] if "persistentVolumeClaim" in one
    }
    return {
        claim["claimName"]: (claim.get("readOnly", False), mounts[volume])
        for volume, claim in claims.items()
        if volume in mounts
    }


def test_the_demo_asks_what_the_night_after_it_asks() -> None:
    """The Job is the CronJob's template but for the pictures it brings: the night finds nothing new."""
    objects = overlay("local")
    night, made = job_of(objects, "pictor-retrain"), job_of(objects, "pictor-demo")
    assert container_of(objects, "pictor-retrain") == container_of(objects, "pictor-demo")
    assert night["podFailurePolicy"] == made["podFailurePolicy"]
    (first,) = pod_of(objects, "pictor-demo")["initContainers"]
    command, *args = first["args"]
    assert "demo" == command
    assert Path("/pictures") == options_of(demo, args)["pictures_only"]
    assert (False, False) == _claims(pod_of(objects, "pictor-demo"), first)["pictor-pictures"]
    training = container_of(objects, "pictor-demo")
    assert (False, True) == _claims(pod_of(objects, "pictor-demo"), training)["pictor-pictures"]


def test_the_demo_can_be_applied_again() -> None:
    """A Job cannot be changed: nothing in it may be named after the content of a ConfigMap."""
    pod = pod_of(overlay("local"), "pictor-demo")
    maps = [one["configMap"]["name"] for one in pod["volumes"] if "configMap" in one]
    assert ["pictor-retrain"] == maps
    assert 0 < job_of(overlay("local"), "pictor-demo")["ttlSecondsAfterFinished"] <= 24 * 3600


def test_the_demo_leaves_production_alone() -> None:
    """Neither its Job nor its short training is anywhere else."""
    assert [] == of_kind(overlay("production"), "Job")
    assert 2 == len(container_of(overlay("production"), "pictor-retrain")["args"])


def test_the_demo_fits_any_overlay() -> None:
    """As somebody's own would have it."""
    (job,) = of_kind(combined(["demo"]), "Job")
    assert "pictor-demo" == job["metadata"]["name"]
