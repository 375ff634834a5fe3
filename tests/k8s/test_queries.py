"""Every query asks for what exists; Prometheus itself would answer a misspelt one with nothing."""

import re
from pathlib import Path

import pytest

from k8s.known_metrics import OUTCOMES, Series, words_not_in_source
from k8s.queries import Wrong, check
from k8s.rendering import of_kind, overlay
from k8s.seeing import adapter_rules, alerts, known, queries, variables

NOT_OURS = {"cancelled", "client_error", "rate_limited"}
"""Outcomes that neither promise counts: the client can mend them, or nobody was left to answer."""


@pytest.fixture(scope="module")
def series(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Series]:
    """Every series that may be asked for."""
    return known(tmp_path_factory.mktemp("models"))


def test_every_query_asks_for_what_exists(series: dict[str, Series]) -> None:
    """Names, labels, and values of short lists in rules, dashboard, triggers, adapter and runbook."""
    wrong = []
    for where, query in queries():
        try:
            check(query, series)
        except Wrong as error:
            wrong.append(f"{where}: {error}")
    assert [] == wrong


@pytest.mark.parametrize(
    ("query", "complaint"),
    [
        ("pictor_request_total", "there is no pictor_request_total"),
        ("pictor_requests", "there is no pictor_requests"),
        (":tensorflow:serving:request_counts", "there is no :tensorflow:serving:request_counts"),
        ("namespace:pictor_failed_requests:ratio_rate7d", "there is no namespace:pictor_failed_requests"),
        ('pictor_requests_total{outcom="ok"}', "has no label outcom"),
        ('pictor_requests_total{outcome="rejcted"}', "is never rejcted"),
        ('pictor_requests_total{outcome!~"canceled|ok"}', "is never canceled"),
        ('pictor_requests_total{dialect!="probes"}', "is never probes"),
        ('pictor_request_duration_seconds_bucket{le="0.6"}', "le of .* is never"),
        ('pictor_model_version_state{state="broken"}', "is never broken"),
        ('kube_job_status_failed{reason="PodFailurePolicy"}', "is never PodFailurePolicy"),
        ("sum by (modle) (pictor_requests_total)", "no label modle is left"),
        ("sum by (version) (sum by (model) (pictor_requests_total))", "no label version is left"),
        ("histogram_quantile(0.9, sum(rate(pictor_batch_size_bucket[5m])))", "nothing is left of le"),
        ("pictor_inflight_requests / on (server) pictor_server_up", "not both sides have server"),
        ("sum by (namespace) (pictor_inflight_requests) / pictor_server_up", "sides differ in"),
        ("sum(pictor_requests_total", "unclosed left parenthesis"),
    ],
)
def test_a_query_for_what_does_not_exist_is_found(
    query: str, complaint: str, series: dict[str, Series]
) -> None:
    """Each kind of slip, and what is said of it."""
    with pytest.raises(Wrong, match=complaint):
        check(query, series)


def test_the_words_that_labels_are_compared_with_stand_in_the_code() -> None:
    """Where no type lists a label's values, the list here is held to the source."""
    assert set() == words_not_in_source()


def test_every_outcome_is_ours_or_not_on_purpose() -> None:
    """A new outcome asks where it belongs: the two matchers of the availability promise divide them all."""
    text = _promises()
    ((failed,), (not_ours,)) = (
        {frozenset(found.split("|")) for found in re.findall(rf'outcome{sign}"([^"]+)"', text)}
        for sign in ("=~", "!~")
    )
    assert NOT_OURS == not_ours
    assert {"ok"} == OUTCOMES - failed - not_ours


def _promises() -> str:
    """Return the text of every rule's query."""
    return "\n".join(query for where, query in queries() if where.startswith("namespace:pictor_failed"))


def test_what_an_alert_says_of_its_labels_is_there(series: dict[str, Series]) -> None:
    """Each `$labels.x` of an annotation is a label of the query's result."""
    missing = [
        (name, label)
        for name, rule in alerts().items()
        for label in re.findall(r"\$labels\.(\w+)", " ".join(rule["annotations"].values()))
        if label not in check(rule["expr"], series)
    ]
    assert [] == missing


def test_the_dashboards_choices_are_labels_that_exist(series: dict[str, Series]) -> None:
    """Namespace and model are asked from series that have them."""
    asked = {name: label in check(selector, series) for name, selector, label in variables()}
    assert {"namespace": True, "model": True} == asked


def test_the_autoscalers_metric_exists_and_the_adapter_serves_it(series: dict[str, Series]) -> None:
    """A gauge of each pod, under the name that prometheus-adapter is told to give it."""
    asked = {
        one["pods"]["metric"]["name"]
        for autoscaler in of_kind(overlay("production"), "HorizontalPodAutoscaler")
        for one in autoscaler["spec"]["metrics"]
        if one["type"] == "Pods"
    }
    assert asked <= set(series)
    assert asked == {rule["name"]["as"] for rule in adapter_rules()}
    assert all(re.fullmatch(rule["name"]["matches"], rule["name"]["as"]) for rule in adapter_rules())


def test_known_series_are_the_real_ones(tmp_path: Path) -> None:
    """A few of them by hand, so that a mistake in the listing does not make every query right."""
    series = known(tmp_path)
    assert {"dialect", "model", "version", "outcome"} < series["pictor_requests_total"].labels
    assert "0.5" in series["pictor_request_duration_seconds_bucket"].values["le"]
    assert {"server", "namespace"} < series["pictor_server_up"].labels
    assert "le" in series[":tensorflow:serving:batching_session:queuing_latency_bucket"].labels
    assert frozenset({"namespace"}) == series["namespace:pictor_slow_requests:ratio_rate3d"].labels
