"""The page of metrics that TensorFlow Serving has on its REST port."""

from collections import Counter
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread
from typing import Final

PATH: Final = "/monitoring/prometheus/metrics"

_LATENCY_BOUNDS_US: Final = tuple(10 * 1.8**power for power in range(33))
_LATENCY_US: Final = 1000
"""Every answer counts as having taken so long."""


class MetricsPage:
    """Serves the page in a thread; `close` ends it."""

    def __init__(self, host: str, port: int, codes: Counter[tuple[str, str, str]]) -> None:
        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                body = page(codes).encode()
                self.send_response(200 if self.path == PATH else 404)
                self.send_header("Content-Type", "text/plain")
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

            def log_message(self, *arguments: object) -> None:
                """Say nothing."""

        self._server = ThreadingHTTPServer((host, port), Handler)
        self.port: int = self._server.server_address[1]
        self._thread = Thread(target=self._server.serve_forever, args=[0.05])
        self._thread.start()

    def close(self) -> None:
        """End the thread and free the port."""
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()


def page(codes: Counter[tuple[str, str, str]]) -> str:
    """Write the page as TensorFlow does: names with colons, microseconds, no help."""
    lines = ["# TYPE :tensorflow:serving:request_count counter"]
    predicts = [(model, code, count) for (method, model, code), count in codes.items() if method == "Predict"]
    lines += [
        f':tensorflow:serving:request_count{{model_name="{model}",status="{code}"}} {count}'
        for model, code, count in predicts
    ]
    lines.append("# TYPE :tensorflow:serving:request_latency histogram")
    for model, code, count in predicts:
        if code == "OK":
            lines += _histogram(
                ":tensorflow:serving:request_latency",
                f'model_name="{model}",API="Predict",entrypoint="GRPC"',
                count,
            )
    lines += [
        "# TYPE :tensorflow:core:direct_session_runs counter",
        f":tensorflow:core:direct_session_runs{{}} {sum(count for _, _, count in predicts)}",
    ]
    return "\n".join(lines) + "\n"


def _histogram(name: str, labels: str, count: int) -> list[str]:
    buckets = [
        f'{name}_bucket{{{labels},le="{bound:g}"}} {count if bound >= _LATENCY_US else 0}'
        for bound in _LATENCY_BOUNDS_US
    ]
    return [
        *buckets,
        f'{name}_bucket{{{labels},le="+Inf"}} {count}',
        f"{name}_sum{{{labels}}} {count * _LATENCY_US}",
        f"{name}_count{{{labels}}} {count}",
    ]
