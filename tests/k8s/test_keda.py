"""Autoscaling by KEDA: one scaler for each Deployment, and what it does when Prometheus does not answer."""

from pathlib import Path
from typing import Any

import pytest
import yaml

from k8s.queries import check
from k8s.rendering import K8S, Object, of_kind, overlay
from k8s.seeing import known

SETTINGS = yaml.safe_load((K8S / "components/keda/settings.yaml").read_text())["data"]
NAMES = ("pictor-gateway", "pictor-tf-serving")


def _scaled() -> dict[str, Object]:
    return {one["metadata"]["name"]: one for one in of_kind(overlay("production-keda"), "ScaledObject")}


def _trigger(name: str, kind: str = "prometheus") -> dict[str, Any]:
    (found,) = [one for one in _scaled()[name]["spec"]["triggers"] if one["type"] == kind]
    return dict(found)


def test_each_deployment_has_one_scaler_and_no_number_of_its_own() -> None:
    """KEDA's is the only autoscaler; a number in a manifest would undo its work at each apply."""
    assert [] == of_kind(overlay("production-keda"), "HorizontalPodAutoscaler")
    deployments = {one["metadata"]["name"]: one for one in of_kind(overlay("production-keda"), "Deployment")}
    targets = [one["spec"]["scaleTargetRef"]["name"] for one in _scaled().values()]
    assert sorted(deployments) == sorted(targets) == sorted(_scaled()) == list(NAMES)
    assert [] == [name for name, one in deployments.items() if "replicas" in one["spec"]]


def test_the_gateway_is_scaled_as_without_keda() -> None:
    """Limits, targets and pace are those of the HorizontalPodAutoscaler that KEDA's replaces."""
    (plain,) = of_kind(overlay("production"), "HorizontalPodAutoscaler")
    spec, scaled = plain["spec"], _scaled()["pictor-gateway"]["spec"]
    pods, cpu = spec["metrics"][0]["pods"], spec["metrics"][1]["containerResource"]
    assert (spec["minReplicas"], spec["maxReplicas"]) == (
        scaled["minReplicaCount"],
        scaled["maxReplicaCount"],
    )
    assert spec.get("behavior", {}) == scaled["advanced"]["horizontalPodAutoscalerConfig"]["behavior"]
    assert pods["target"]["averageValue"] == _trigger("pictor-gateway")["metadata"]["threshold"]
    assert pods["metric"]["name"] in _trigger("pictor-gateway")["metadata"]["query"]
    by_cpu = _trigger("pictor-gateway", "cpu")
    assert {"value": str(cpu["target"]["averageUtilization"]), "containerName": cpu["container"]} == by_cpu[
        "metadata"
    ]
    assert "Utilization" == by_cpu["metricType"]


@pytest.mark.parametrize("name", NAMES)
def test_prometheus_is_asked_where_the_settings_say_and_for_this_namespace(name: str) -> None:
    """Address and namespace stand in one file; the object that holds them is not applied."""
    asked = _trigger(name)["metadata"]
    assert SETTINGS["prometheus"] == asked["serverAddress"]
    assert f'namespace="{SETTINGS["namespace"]}"' in asked["query"]
    assert _scaled()[name]["metadata"]["namespace"] == SETTINGS["namespace"]
    assert "from-settings" not in str(_scaled()[name])
    assert "pictor-autoscaling" not in [
        one["metadata"]["name"] for one in of_kind(overlay("production-keda"), "ConfigMap")
    ]


@pytest.mark.parametrize("name", NAMES)
def test_a_prometheus_that_says_nothing_never_makes_a_fleet_smaller(name: str) -> None:
    """Nothing measured is an error, not 0; after three minutes of it the most replicas run."""
    spec = _scaled()[name]["spec"]
    assert "false" == _trigger(name)["metadata"]["ignoreNullValues"]
    assert "AverageValue" == _trigger(name)["metricType"]  # KEDA has a fallback for no other
    assert spec["maxReplicaCount"] == spec["fallback"]["replicas"]
    assert 180 == spec["fallback"]["failureThreshold"] * spec["pollingInterval"]


@pytest.mark.parametrize("name", NAMES)
def test_every_figure_of_a_trigger_is_text(name: str) -> None:
    """KEDA takes no numbers there, and says so only when it is too late."""
    values = [value for one in _scaled()[name]["spec"]["triggers"] for value in one["metadata"].values()]
    assert {str} == {type(value) for value in values}


def test_servers_are_kept_while_they_may_be_needed_again() -> None:
    """Two at least, never none, and ten minutes before one is let go: a GPU takes minutes to come back."""
    spec = _scaled()["pictor-tf-serving"]["spec"]
    down = spec["advanced"]["horizontalPodAutoscalerConfig"]["behavior"]["scaleDown"]
    assert 600 == down["stabilizationWindowSeconds"]
    assert 2 == spec["minReplicaCount"]
    assert "idleReplicaCount" not in spec


def test_a_server_is_meant_to_have_one_largest_batch_of_pictures() -> None:
    """The trigger's threshold is the batch size of TensorFlow Serving's own configuration."""
    threshold = _trigger("pictor-tf-serving")["metadata"]["threshold"]
    configs = [
        text
        for one in of_kind(overlay("production-keda"), "ConfigMap")
        if one["metadata"]["name"].startswith("pictor-tf-serving")
        for name, text in one["data"].items()
        if name == "batching.config"
    ]
    assert any(f"max_batch_size {{ value: {threshold} }}" in " ".join(text.split()) for text in configs)


def test_the_servers_query_gives_one_number(tmp_path: Path) -> None:
    """What HorizontalPodAutoscalers divide by replicas must not be split."""
    series = known(tmp_path)
    assert frozenset() == check(_trigger("pictor-tf-serving")["metadata"]["query"], series)
    assert frozenset() == check(_trigger("pictor-gateway")["metadata"]["query"], series)
