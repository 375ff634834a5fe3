"""Every address of the gateway, in one table."""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from functools import partial
from typing import Any

from starlette.responses import Response
from starlette.types import Scope

from pictor_gateway.dialects.open_inference import handlers as v2
from pictor_gateway.dialects.open_inference import openapi as v2_docs
from pictor_gateway.dialects.open_inference.answer import OPEN_INFERENCE_FORM
from pictor_gateway.dialects.pictor.drift import describe_drift, read_drift
from pictor_gateway.dialects.pictor.feedback import give_feedback
from pictor_gateway.dialects.pictor.handlers import classify, list_models
from pictor_gateway.dialects.pictor.openapi import describe_classify, describe_feedback, describe_models
from pictor_gateway.dialects.tensorflow_serving import handlers as tfs
from pictor_gateway.dialects.tensorflow_serving import openapi as tfs_docs
from pictor_gateway.dialects.tensorflow_serving.refusals import TENSORFLOW_SERVING_FORM
from pictor_gateway.responses import PROBLEM_FORM, ErrorForm
from pictor_gateway.telemetry import probes
from pictor_gateway.telemetry.facts import UNKNOWN
from pictor_gateway.telemetry.logs import PROBE


@dataclass(frozen=True, slots=True)
class Route:
    """One address. `dialect` is the metric label of its requests; `describe`: for `/openapi.json`."""

    method: str
    path: str
    handler: Callable[..., Awaitable[Response]]
    dialect: str
    describe: Callable[[], dict[str, Any]] = dict

    @property
    def needs_key(self) -> bool:
        """Whether the request must show an API key, where there are any: probes come without."""
        return self.dialect != PROBE


def _unlisted() -> dict[str, Any]:
    return {"include_in_schema": False}


def _may_be_unready() -> dict[str, Any]:
    return {"responses": {503: {"description": "Not yet, or not any more; the body says why."}}}


def _plain_text() -> dict[str, Any]:
    return {"responses": {200: {"description": "The metrics.", "content": {"text/plain": {}}}}}


_OPEN_INFERENCE = "open_inference"


def _of_model(
    method: str,
    end: str,
    handler: Callable[..., Awaitable[Response]],
    describe: Callable[..., dict[str, Any]],
) -> tuple[Route, Route]:
    """Return a V2 address of a model, and the same of one version of it."""
    model, version = f"/v2/models/{{model}}{end}", f"/v2/models/{{model}}/versions/{{version}}{end}"
    return (
        Route(method, model, handler, _OPEN_INFERENCE, describe),
        Route(method, version, handler, _OPEN_INFERENCE, partial(describe, versioned=True)),
    )


_TENSORFLOW_SERVING = "tensorflow_serving"


def _of_place(
    method: str,
    end: str,
    handler: Callable[..., Awaitable[Response]],
    describe: Callable[[tuple[str, ...]], dict[str, Any]],
) -> tuple[Route, ...]:
    """Return a TensorFlow Serving address of a model, and the same of a version and of a label of it."""
    return tuple(
        Route(method, f"{place}{end}", handler, _TENSORFLOW_SERVING, partial(describe, own))
        for place, own in tfs_docs.PLACES.items()
    )


PROBES = (
    Route("GET", "/livez", probes.live, PROBE),
    Route("GET", "/readyz", probes.ready, PROBE, _may_be_unready),
    Route("GET", "/startupz", probes.started, PROBE, _may_be_unready),
    Route("GET", "/healthz", probes.live, PROBE, _unlisted),  # the older name of /livez
    Route("GET", "/metrics", probes.metrics, PROBE, _plain_text),
)
"""What moves to the metrics port, if there is one; V2's own probes stay with its clients."""

ROUTES = (
    Route("POST", "/v1/classify", classify, "pictor", describe_classify),
    Route("POST", "/v1/feedback", give_feedback, "pictor", describe_feedback),
    Route("GET", "/v1/models", list_models, "pictor", describe_models),
    Route("GET", "/v1/drift", read_drift, "pictor", describe_drift),
    *_of_place("POST", ":predict", tfs.predict, tfs_docs.describe_predict),
    *_of_place("POST", ":classify", tfs.classify, tfs_docs.describe_classify),
    *_of_place("POST", ":regress", tfs.regress, tfs_docs.describe_regress),
    *_of_place("GET", "/metadata", tfs.metadata, tfs_docs.describe_metadata),
    *_of_place("GET", "", tfs.status, tfs_docs.describe_status),
    Route("GET", "/v1/models/{rest:path}", tfs.unknown, _TENSORFLOW_SERVING, _unlisted),
    Route("POST", "/v1/models/{rest:path}", tfs.unknown, _TENSORFLOW_SERVING, _unlisted),
    Route("GET", "/v2", v2.server_metadata, _OPEN_INFERENCE, v2_docs.describe_server),
    Route("GET", "/v2/health/live", v2.live, PROBE, v2_docs.describe_live),
    Route("GET", "/v2/health/ready", v2.ready, PROBE, v2_docs.describe_ready),
    *_of_model("GET", "", v2.model_metadata, v2_docs.describe_metadata),
    *_of_model("GET", "/ready", v2.model_ready, v2_docs.describe_model_ready),
    *_of_model("GET", "/config", v2.model_config, v2_docs.describe_config),
    *_of_model("POST", "/infer", v2.infer, v2_docs.describe_infer),
    Route(
        "POST",
        "/v2/repository/index",
        v2.repository_index,
        _OPEN_INFERENCE,
        v2_docs.describe_index,
    ),
    *PROBES,
)

_PREFIXES: dict[str, str] = {"/v1/models/": _TENSORFLOW_SERVING, "/v2/": _OPEN_INFERENCE}
"""Addresses under which everything belongs to one dialect, even what is not found."""

_FORMS: dict[str, ErrorForm] = {
    _OPEN_INFERENCE: OPEN_INFERENCE_FORM,
    _TENSORFLOW_SERVING: TENSORFLOW_SERVING_FORM,
}
"""How each dialect writes its errors; the others in ours."""

PROBE_PATHS = frozenset(route.path for route in ROUTES if route.dialect == PROBE)
"""Asked every few seconds, so not worth a trace."""

_DIALECTS = {route.path: route.dialect for route in ROUTES}


def dialect_of(scope: Scope) -> str:
    """Return the dialect that a request speaks: a word from a short list, also for what is not found."""
    route = getattr(scope.get("route"), "path", UNKNOWN)
    if route in _DIALECTS:
        return _DIALECTS[route]
    path: str = scope["path"]
    return next((dialect for prefix, dialect in _PREFIXES.items() if path.startswith(prefix)), UNKNOWN)


def error_form_of(scope: Scope) -> ErrorForm:
    """Return how the request's dialect writes an error."""
    return _FORMS.get(dialect_of(scope), PROBLEM_FORM)
