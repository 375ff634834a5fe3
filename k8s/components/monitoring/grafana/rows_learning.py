"""What the models make of the pictures, and how new versions come."""

from panels import Panel, Query, Row
from promql import MODEL, NAMESPACE, RATE, VERSION, mean, per_second

_CRONJOB = f'{NAMESPACE}, cronjob="pictor-retrain"'
_JOBS = (
    "and on (namespace, job_name) "
    f'kube_job_owner{{{NAMESPACE}, owner_kind="CronJob", owner_name="pictor-retrain"}}'
)
"""Those that the CronJob made, by its schedule or by hand."""


MODELS = Row(
    "Models and versions",
    [
        Panel(
            "Versions and their states",
            [Query(f"max by (model, version, state) (pictor_model_version_state{{{MODEL}}})")],
            "short",
            "refused: loaded or in the store, and not believed; /v1/models says why.",
            kind="table",
            width=12,
        ),
        Panel(
            "Pictures by version",
            [per_second("pictor_prediction_confidence_count", MODEL, "model, version", VERSION)],
            "ops",
            "Which version answers.",
            width=12,
            stacked=True,
        ),
        Panel(
            "Labels",
            [
                Query(
                    f"sum by (label) (rate(pictor_predictions_total{{{MODEL}}}{RATE}))"
                    f" / on () group_left () sum(rate(pictor_predictions_total{{{MODEL}}}{RATE}))",
                    "{{label}}",
                )
            ],
            "percentunit",
            "Share of the pictures by their highest-scoring label.",
            stacked=True,
            most=1,
        ),
        Panel(
            "Mean confidence",
            [mean("pictor_prediction_confidence", MODEL, "model, version", VERSION)],
            "percentunit",
            "Of the highest scores. A fall without a new version: other pictures.",
            most=1,
        ),
        Panel(
            "Canary in traffic",
            [Query(f"min by (model, version) (pictor_canary_active{{{MODEL}}})", VERSION)],
            "short",
            "1 while it gets its share; 0 after it was taken out, or its label moved on.",
            most=1,
        ),
        Panel(
            "Pictures by version and result",
            [
                per_second(
                    "pictor_version_pictures_total",
                    MODEL,
                    "model, version, result",
                    f"{VERSION} {{{{result}}}}",
                )
            ],
            "ops",
            "Answered or failed; counted while there is a canary or a shadow.",
        ),
        Panel(
            "95th percentile by version",
            [
                Query(
                    "histogram_quantile(0.95, sum by (model, version, le)"
                    f" (rate(pictor_version_duration_seconds_bucket{{{MODEL}}}{RATE})))",
                    VERSION,
                )
            ],
            "s",
            "From decoded pictures to scores, likewise.",
        ),
        Panel(
            "Shadow and rescues",
            [
                per_second("pictor_shadow_pictures_total", MODEL, "result"),
                per_second("pictor_canary_rescues_total", MODEL, "model, version", f"rescued from {VERSION}"),
            ],
            "ops",
            "Mirrored pictures by whether the canary agrees; requests that stable answered in its place.",
        ),
    ],
)

LEARNING = Row(
    "Learning from what is seen",
    [
        Panel(
            "Drift",
            [
                Query(
                    f"avg by (model, version, feature) (pictor_drift_score{{{MODEL}}})",
                    f"{VERSION} {{{{feature}}}}",
                )
            ],
            "short",
            "Population stability index against the training data: above 0.25 it is other data.",
            limit=0.25,
        ),
        Panel(
            "Live accuracy",
            [Query(f"avg by (model, version) (pictor_live_accuracy_ratio{{{MODEL}}})", VERSION)],
            "percentunit",
            "Of the latest predictions that users judged. Who writes is seldom who was content.",
            limit=0.8,
            bad_below=True,
            most=1,
        ),
        Panel(
            "Feedback",
            [per_second("pictor_feedback_total", MODEL, "result")],
            "ops",
            "Predictions judged, a second.",
            stacked=True,
        ),
        Panel(
            "Pictures captured",
            [
                per_second("pictor_captured_pictures_total", MODEL, "reason", "kept: {{reason}}"),
                per_second("pictor_capture_dropped_pictures_total", NAMESPACE, "reason", "lost: {{reason}}"),
            ],
            "ops",
            "Kept for later training, and chosen but lost.",
        ),
        Panel(
            "Pictures that drift is taken over",
            [Query(f"avg by (model, version) (pictor_drift_pictures{{{MODEL}}})", VERSION)],
            "short",
            "No score below 200: it would be chance.",
        ),
        Panel(
            "Pictures not compared",
            [Query(f"sum(rate(pictor_drift_dropped_pictures_total{{{NAMESPACE}}}{RATE}))", "a second")],
            "ops",
            "Too many were waiting: the drift score is taken over fewer.",
        ),
    ],
)

RETRAINING = Row(
    "Retraining",
    [
        Panel(
            "Since the last success",
            [Query(f"time() - namespace:pictor_retrain_last_success:timestamp{{{NAMESPACE}}}")],
            "s",
            "Promoted, or nothing new to learn from. Two nights and six hours are too long.",
            kind="stat",
            limit=54 * 3600,
        ),
        Panel(
            "Until the next run",
            [Query(f"max(kube_cronjob_next_schedule_time{{{_CRONJOB}}}) - time()")],
            "s",
            "As the schedule says.",
            kind="stat",
        ),
        Panel(
            "Running now",
            [Query(f"sum(kube_cronjob_status_active{{{_CRONJOB}}})")],
            "short",
            "One at most.",
            kind="stat",
        ),
        Panel(
            "Jobs that failed",
            [Query(f'(kube_job_failed{{{NAMESPACE}, condition="true"}} == 1) {_JOBS}')],
            "short",
            "Held by the gate, or broken: the runbook tells how to see which.",
            kind="table",
            width=12,
        ),
        Panel(
            "How long Jobs took",
            [
                Query(
                    f"(kube_job_status_completion_time{{{NAMESPACE}}}"
                    f" - kube_job_status_start_time{{{NAMESPACE}}}) {_JOBS}",
                    "{{job_name}}",
                )
            ],
            "s",
            "Those that ended well and are still kept.",
            kind="bargauge",
            width=12,
        ),
    ],
)
