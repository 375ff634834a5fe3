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


def _may_be_unready() -> dict[str, Any]:
    return {"responses": {503: {"description": "Not yet, or not any more; the body says why."}}}


def _plain_text() -> dict[str, Any]:
    return {"responses": {200: {"description": "The metrics.", "content": {"text/plain": {}}}}}


ROUTES = (
    Route("POST", "/v1/classify", classify, "pictor", describe_classify),
    Route("GET", "/v1/models", list_models, "pictor", describe_models),
    Route("GET", "/livez", probes.live, "probe"),
    Route("GET", "/readyz", probes.ready, "probe", _may_be_unready),
    Route("GET", "/startupz", probes.started, "probe", _may_be_unready),
    Route("GET", "/healthz", probes.live, "probe", _unlisted),  # the older name of /livez
    Route("GET", "/metrics", probes.metrics, "probe", _plain_text),
)
