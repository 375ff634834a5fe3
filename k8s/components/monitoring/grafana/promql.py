"""PromQL that several panels share."""

from typing import Final

from panels import Query

NAMESPACE: Final = 'namespace="$namespace"'
MODEL: Final = f'{NAMESPACE}, model=~"$model"'
RATE: Final = "[$__rate_interval]"
VERSION: Final = "{{model}}/{{version}}"


def per_second(metric: str, matchers: str, by: str, legend: str = "") -> Query:
    """Return how fast a counter grows, split by a label or several."""
    return Query(f"sum by ({by}) (rate({metric}{{{matchers}}}{RATE}))", legend or f"{{{{{by}}}}}")


def mean(metric: str, matchers: str, by: str = "", legend: str = "") -> Query:
    """Return the mean of what a histogram took in."""
    split = f" by ({by})" if by else ""
    total, count = (f"sum{split} (rate({metric}_{part}{{{matchers}}}{RATE}))" for part in ("sum", "count"))
    return Query(f"{total} / {count}", legend or f"{{{{{by}}}}}")


def quantiles(
    metric: str, matchers: str, by: str = "", shares: tuple[float, ...] = (0.5, 0.99), unit: str = ""
) -> list[Query]:
    """Return quantiles of a histogram, each split `by` a label; `unit` divides what is not in base units."""
    label, name = (f"{by}, ", f"{{{{{by}}}}} ") if by else ("", "")
    buckets = f"sum by ({label}le) (rate({metric}_bucket{{{matchers}}}{RATE}))"
    return [
        Query(f"histogram_quantile({share}, {buckets}){unit}", f"{name}p{share * 100:g}") for share in shares
    ]
