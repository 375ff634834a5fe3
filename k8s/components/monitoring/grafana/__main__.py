"""Print the dashboard: `cd k8s/components/monitoring && python grafana > dashboard.json`."""

import json
import sys

from panels import Dashboard, Query, Row, Variable
from rows_learning import LEARNING, MODELS, RETRAINING
from rows_servers import RESOURCES, SERVERS
from rows_serving import BATCHING, LATENCY, TRAFFIC

ROWS: tuple[Row, ...] = (TRAFFIC, LATENCY, BATCHING, MODELS, LEARNING, SERVERS, RETRAINING, RESOURCES)

DASHBOARD = Dashboard(
    uid="pictor",
    title="Pictor",
    about="Pictures in, labels out: what clients see, why, and what the models make of it.",
    rows=ROWS,
    variables=(
        Variable("namespace", "Namespace", "label_values(pictor_inflight_requests, namespace)"),
        Variable(
            "model",
            "Model",
            'label_values(pictor_model_version_state{namespace="$namespace"}, model)',
            several=True,
        ),
    ),
    events=(
        Query(
            'sum by (model, version) (pictor_model_info{namespace="$namespace"})'
            ' unless sum by (model, version) (pictor_model_info{namespace="$namespace"} offset 2m)',
            "Versions that begin to answer",
        ),
    ),
)


def main() -> None:
    """Print the dashboard as Grafana imports it."""
    json.dump(DASHBOARD.as_json(), sys.stdout, indent=1)
    sys.stdout.write("\n")


if __name__ == "__main__":
    main()
