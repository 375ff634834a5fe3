"""Every address of the gateway, in one table."""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Any

from starlette.responses import Response

from pictor_gateway import probes
from pictor_gateway.dialects.pictor.handlers import classify, list_models
from pictor_gateway.dialects.pictor.openapi import describe_classify, describe_models


@dataclass(frozen=True, slots=True)
class Route:
    """One address. `dialect` is the metric label of its requests; `describe`: for `/openapi.json`."""

    method: str
    path: str
    handler: Callable[..., Awaitable[Response]]
    dialect: str
    describe: Callable[[], dict[str, Any]] = dict


def _unlisted() -> dict[str, Any]:
    return {"include_in_schema": False}


ROUTES = (
    Route("POST", "/v1/classify", classify, "pictor", describe_classify),
    Route("GET", "/v1/models", list_models, "pictor", describe_models),
    Route("GET", "/livez", probes.live, "probe"),
    Route("GET", "/readyz", probes.ready, "probe"),
    Route("GET", "/startupz", probes.started, "probe"),
    Route("GET", "/healthz", probes.live, "probe", _unlisted),  # the older name of /livez
    Route("GET", "/metrics", probes.metrics, "probe"),
)
