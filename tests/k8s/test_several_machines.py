"""The template for training by several machines: every pod is told of all, and the Job knows how they end."""

import json
import shlex
from pathlib import Path
from typing import Any, Final

import pytest
import yaml

from k8s.rendering import K8S, Object, combined, of_kind
from pictor_training.config import load_config
from pictor_training.errors import ConfigError, DataError, Interrupted, WorkerLost
from pictor_training.several.cluster import Cluster, read_cluster, refuse_small_batch

NAME: Final = "pictor-several-machines"
JOB: Final = "autumn"


@pytest.fixture(scope="module")
def objects() -> dict[str, Object]:
    """Render the component over the local overlay: each object of this name, by kind."""
    rendered = combined(["several-machines"], ["overlays/local"])
    return {one["kind"]: one for one in rendered if one["metadata"]["name"] == NAME} | {
        "volume": next(
            one
            for one in of_kind(rendered, "PersistentVolumeClaim")
            if one["metadata"]["name"] == "pictor-several-runs"
        )
    }


@pytest.fixture(scope="module")
def job(objects: dict[str, Object]) -> Object:
    """Return what a Job is made from."""
    spec: Object = objects["CronJob"]["spec"]["jobTemplate"]["spec"]
    return spec


def environment(job: Object, index: int) -> dict[str, str]:
    """Set the variables of pod `index` as the kubelet does: in their order, each by those before it."""
    fields = {
        "metadata.labels['batch.kubernetes.io/job-name']": JOB,
        "metadata.annotations['batch.kubernetes.io/job-completion-index']": str(index),
    }
    container = job["template"]["spec"]["containers"][0]
    found: dict[str, str] = {}
    for variable in container["env"]:
        source: Any = variable.get("valueFrom", {})
        value = variable.get("value") or fields.get(source.get("fieldRef", {}).get("fieldPath"), "")
        found[variable["name"]] = expanded(value, found)
    return found


def expanded(text: str, variables: dict[str, str]) -> str:
    """Put variables in as Kubernetes does; a name that it does not know yet stays."""
    for name, value in variables.items():
        text = text.replace(f"$({name})", value)
    return text


def test_every_pod_is_told_of_all_workers_and_its_own_index(job: Object) -> None:
    """TF_CONFIG is JSON for each of them, and what `pictor train` takes."""
    clusters = [read_cluster(environment(job, index)) for index in range(job["completions"])]
    addresses = tuple(f"{JOB}-{index}.{NAME}:2222" for index in range(job["completions"]))
    assert [Cluster(addresses, index) for index in range(len(addresses))] == clusters


def test_addresses_are_those_that_pods_have(job: Object, objects: dict[str, Object]) -> None:
    """A pod of an Indexed Job is <job>-<index>, below the headless Service that its subdomain names."""
    assert (job["completionMode"], job["completions"]) == ("Indexed", job["parallelism"])
    service, pod = objects["Service"], job["template"]
    assert pod["spec"]["subdomain"] == service["metadata"]["name"] == NAME
    assert service["spec"]["clusterIP"] == "None"
    assert service["spec"]["publishNotReadyAddresses"] is True
    assert service["spec"]["selector"].items() <= pod["metadata"]["labels"].items()
    cluster = read_cluster(environment(job, 0))
    assert cluster is not None
    ports = {int(address.rpartition(":")[2]) for address in cluster.addresses}
    assert ports == {port["port"] for port in service["spec"]["ports"]}
    assert ports == {port["containerPort"] for port in pod["spec"]["containers"][0]["ports"]}
    rules = objects["NetworkPolicy"]["spec"]
    assert ports == {port["port"] for rule in rules["ingress"] for port in rule["ports"]}


def test_the_job_s_name_is_the_run_s(job: Object) -> None:
    """The same name goes on with a run, another one begins anew."""
    arguments = [
        expanded(one, environment(job, 0)) for one in job["template"]["spec"]["containers"][0]["args"]
    ]
    assert f"--in=/runs/{JOB}" in arguments
    assert "$(" not in shlex.join(arguments)


def test_the_job_knows_how_workers_end(job: Object) -> None:
    """Only what happened in a worker itself is counted; what would happen again is not tried again."""
    rules = [rule for rule in job["podFailurePolicy"]["rules"] if "onExitCodes" in rule]
    assert {
        "Ignore": {WorkerLost.exit_code, Interrupted.exit_code},
        "FailJob": {ConfigError.exit_code, DataError.exit_code},
    } == {rule["action"]: {*rule["onExitCodes"]["values"]} for rule in rules}
    assert job["backoffLimit"] % job["completions"] == 0
    assert job["successPolicy"]["rules"] == [{"succeededIndexes": "0"}]


def test_nobody_but_people_starts_it(objects: dict[str, Object]) -> None:
    """It is a template."""
    assert objects["CronJob"]["spec"]["suspend"] is True


def test_its_volume_is_for_several_nodes(objects: dict[str, Object]) -> None:
    """All pods mount it."""
    assert objects["volume"]["spec"]["accessModes"] == ["ReadWriteMany"]


def test_its_configuration_is_understood_and_feeds_every_worker(job: Object) -> None:
    """As `pictor train` reads it."""
    file = K8S / "components/several-machines/config/train.yaml"
    config = load_config("/pictures", file, [])
    refuse_small_batch(config.fit.batch_size, job["completions"])
    assert config.name == "classifier"


def test_the_readme_s_patch_gives_a_gpu_to_the_worker(job: Object) -> None:
    """Its paths lead where they should."""
    text = (Path(K8S) / "components/several-machines/README.md").read_text(encoding="utf-8")
    patch = yaml.safe_load(text.split("```yaml\n")[1].split("```")[0])
    assert [one["path"].rpartition("/")[2] for one in patch] == ["nvidia.com~1gpu", "tolerations"]
    prefix = "/spec/jobTemplate/spec/template/spec/"
    assert all(one["path"].startswith(prefix) for one in patch)
    assert "tolerations" not in job["template"]["spec"]
    assert json.loads(json.dumps(patch))[0]["value"] == "1"
