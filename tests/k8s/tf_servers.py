"""The servers as they are rendered: our Deployment's on CPU or on a GPU, or KServe's."""

from functools import cache
from typing import Final

from k8s.rendering import K8S, Object, combined, of_kind
from pictor_gateway.settings import Settings

CPU, GPU, KSERVE = "cpu", "gpu", "kserve"
MODEL: Final = "classifier"


@cache
def objects_of(way: str) -> tuple[Object, ...]:
    """Render an overlay with TensorFlow Serving in this way."""
    return combined([way])


def deployment(way: str) -> Object:
    """Return our Deployment of the servers."""
    (found,) = (
        one
        for one in of_kind(objects_of(way), "Deployment")
        if one["metadata"]["name"] == "pictor-tf-serving"
    )
    return found


def pod(way: str) -> Object:
    """Return the servers' pods, whoever makes them, as a pod's spec."""
    if way != KSERVE:
        spec: Object = deployment(way)["spec"]["template"]["spec"]
        return spec
    (runtime,) = of_kind(objects_of(way), "ServingRuntime")
    (service,) = of_kind(objects_of(way), "InferenceService")
    return {**service["spec"]["predictor"], **runtime["spec"]}


def server(way: str) -> Object:
    """Return the container of TensorFlow Serving."""
    (container,) = pod(way)["containers"]
    found: Object = container
    return found


def config(way: str) -> dict[str, str]:
    """Return the files of /config."""
    (volume,) = (one for one in pod(way)["volumes"] if one["name"] == "config")
    (found,) = (
        one
        for one in of_kind(objects_of(way), "ConfigMap")
        if one["metadata"]["name"] == volume["configMap"]["name"]
    )
    data: dict[str, str] = found["data"]
    return data


def settings() -> Settings:
    """Return what the gateways of the base are set to."""
    lines = (K8S / "base/gateway/settings.env").read_text(encoding="utf-8").splitlines()
    pairs = (line.split("=", 1) for line in lines if line.startswith("PICTOR_"))
    return Settings(**{name.removeprefix("PICTOR_").lower(): value for name, value in pairs})  # type: ignore[arg-type] - text, as from the environment
