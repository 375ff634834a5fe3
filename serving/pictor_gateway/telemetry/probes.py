"""Three questions: is the process alive, may traffic come, what are the numbers."""

from fastapi import Request
from starlette.responses import JSONResponse, Response

from pictor_gateway.gateway import gateway_of


async def live(request: Request) -> Response:
    """Answer 200 as long as the event loop turns."""
    return JSONResponse({"status": "alive", "draining": gateway_of(request).lifecycle.draining})


async def ready(request: Request) -> Response:
    """Answer 200 when a picture would be answered, otherwise 503 with the reasons."""
    gateway = gateway_of(request)
    reasons = gateway.catalogue.unready()
    if gateway.lifecycle.draining:
        reasons.insert(0, "The gateway is shutting down.")
    withdrawn = () if gateway.rollout is None else gateway.rollout.withdrawn()
    body = {
        "status": "not ready" if reasons else "ready",
        "reasons": reasons,
        "refused_versions": [*gateway.catalogue.ailing(), *withdrawn],
    }
    return JSONResponse(body, status_code=503 if reasons else 200)


async def started(request: Request) -> Response:
    """Answer 200 once every model was tried for the first time, whatever came of it."""
    if gateway_of(request).backend.started.is_set():
        return JSONResponse({"status": "started"})
    return JSONResponse({"status": "starting"}, status_code=503)


async def metrics(request: Request) -> Response:
    """Return the metrics in Prometheus' or OpenMetrics' text form."""
    gateway = gateway_of(request)
    if gateway.server_metrics is not None:
        await gateway.server_metrics.refresh()
    text = await gateway.metrics_writer.write(request.headers.get("accept", ""))
    return Response(text.content, headers={"Content-Type": text.content_type})
