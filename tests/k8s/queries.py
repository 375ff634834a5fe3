"""What is wrong with a query, by what exists: of a misspelt name Prometheus says nothing."""

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Final

import promql_parser as promql

from k8s.known_metrics import Series

_VARIABLES: Final = {"$__rate_interval": "5m", "$__range": "1h"}
_SET: Final = ("and", "unless")
_WRAPPERS: Final = (promql.ParenExpr, promql.UnaryExpr, promql.SubqueryExpr)


class Wrong(Exception):
    """A query asks for what does not exist; the message says for what."""


def check(query: str, known: Mapping[str, Series]) -> frozenset[str]:
    """Return the labels of what `query` gives.

    Raises:
        Wrong: it does not parse, or a series, a label or a label's value is none that exists.
    """
    for variable, duration in _VARIABLES.items():
        query = query.replace(f"[{variable}", f"[{duration}")
    try:
        parsed = promql.parse(query)
    except ValueError as error:
        raise Wrong(f"{query}: {error}") from error
    return _Checker(known).labels_of(parsed) or frozenset()


@dataclass(frozen=True)
class _Checker:
    known: Mapping[str, Series]

    def labels_of(self, one: object) -> frozenset[str] | None:
        """Return the labels of an expression's series; None where it is a number or a text."""
        match one:
            case promql.VectorSelector():
                return self._selected(one)
            case promql.MatrixSelector():
                return self._selected(one.vector_selector)
            case promql.Call():
                return self._called(one)
            case promql.AggregateExpr():
                return self._aggregated(one)
            case promql.BinaryExpr():
                return self._combined(one)
        return self.labels_of(one.expr) if isinstance(one, _WRAPPERS) else None  # None: a number or a text

    def _selected(self, one: promql.VectorSelector) -> frozenset[str]:
        series = self.known.get(one.name or "")
        if series is None:
            raise Wrong(f"there is no {one.name or one}")
        for matcher in one.matchers.matchers:
            if matcher.name not in series.labels:
                raise Wrong(f"{one.name} has no label {matcher.name}")
            allowed = series.values.get(matcher.name)
            for value in _values(matcher) if allowed is not None else ():
                if not any(re.fullmatch(value, each) for each in allowed or ()):
                    raise Wrong(f"{matcher.name} of {one.name} is never {value}")
        return series.labels

    def _called(self, call: promql.Call) -> frozenset[str] | None:
        found = [labels for labels in map(self.labels_of, call.args) if labels is not None]
        if call.func.name in ("time", "scalar", "vector"):
            return None
        if call.func.name == "absent":
            return frozenset()
        labels = found[0] if found else frozenset()
        if call.func.name == "histogram_quantile":
            if "le" not in labels:
                raise Wrong(f"{call.prettify()}: nothing is left of le")
            return labels - {"le"}
        return labels

    def _aggregated(self, one: promql.AggregateExpr) -> frozenset[str]:
        inner = self.labels_of(one.expr) or frozenset()
        if one.modifier is None:
            return inner if str(one.op) in ("topk", "bottomk") else frozenset()
        wanted = frozenset(one.modifier.labels)
        if wanted - inner:
            raise Wrong(f"{one.prettify()}: no label {', '.join(sorted(wanted - inner))} is left")
        return wanted if one.modifier.type == promql.AggModifierType.By else inner - wanted

    def _combined(self, one: promql.BinaryExpr) -> frozenset[str] | None:
        left, right = self.labels_of(one.lhs), self.labels_of(one.rhs)
        if left is None or right is None:
            return right if left is None else left
        modifier, operator = one.modifier, str(one.op)
        matching = None if modifier is None else modifier.matching
        extra = frozenset() if modifier is None else frozenset(modifier.group_labels or ())
        if matching is not None:
            missing = (frozenset(matching.labels) | extra) - (left & right if not extra else left | right)
            if missing:
                raise Wrong(f"{one.prettify()}: not both sides have {', '.join(sorted(missing))}")
        elif operator != "or" and left != right and not _comparable(left, right):
            raise Wrong(f"{one.prettify()}: sides differ in {', '.join(sorted(left ^ right))}")
        if operator in _SET:
            return left
        return left | right if operator == "or" else left | extra


def _comparable(left: frozenset[str], right: frozenset[str]) -> bool:
    """Whether sides may still match without `on`: nothing was taken from either by an aggregation."""
    return "instance" in left and "instance" in right


def _values(matcher: promql.Matcher) -> Iterator[str]:
    """Return the patterns of a matcher's value; what a variable fills in is nobody's mistake."""
    if "$" in matcher.value:
        return
    if matcher.op in (promql.MatchOp.Equal, promql.MatchOp.NotEqual):
        if matcher.value:
            yield re.escape(matcher.value)
        return
    yield from matcher.value.split("|") if "(" not in matcher.value else [matcher.value]
