"""Jobs end, are tidied up, and are repeated only where that may help."""

import re
from collections.abc import Iterator, Sequence
from functools import cache
from typing import Final
from zoneinfo import available_timezones

from k8s.checks.reading import at, job_specs, name_of
from k8s.rendering import Object, of_kind

_known_zones = cache(available_timezones)  # a walk through the files of all of them

_FIELDS: Final = (("minute", 0, 59), ("hour", 0, 23), ("day", 1, 31), ("month", 1, 12), ("weekday", 0, 6))
_STEP: Final = re.compile(r"(\*|(\d+)(?:-(\d+))?)(?:/(\d+))?")

_SHORTEST_DEADLINE_S: Final = 10
"""The CronJob controller looks every ten seconds: with less, a run may never begin (its documentation)."""


def schedules(objects: Sequence[Object]) -> Iterator[str]:
    """Find CronJobs that do not say when, in which time zone, how late they may begin, and one at a time."""
    for job in of_kind(objects, "CronJob"):
        name, spec = name_of(job), job["spec"]
        yield from (
            f"{name} schedule {spec['schedule']!r}: {fault}" for fault in _cron_faults(spec["schedule"])
        )
        if spec.get("timeZone") not in _known_zones():
            yield f"{name} has timeZone {spec.get('timeZone')!r}"
        if spec.get("concurrencyPolicy") != "Forbid":
            yield f"{name} may run beside itself"
        if (spec.get("startingDeadlineSeconds") or 0) < _SHORTEST_DEADLINE_S:
            yield f"{name} has startingDeadlineSeconds {spec.get('startingDeadlineSeconds')}"
        for limit in ("successfulJobsHistoryLimit", "failedJobsHistoryLimit"):
            if limit not in spec:
                yield f"{name} has no {limit}"


def _cron_faults(text: str) -> Iterator[str]:
    """Yield what is wrong with a cron expression of five fields."""
    parts = text.split()
    if len(parts) != len(_FIELDS):
        yield f"{len(parts)} fields, wanted {len(_FIELDS)}"
        return
    for part, (field, least, most) in zip(parts, _FIELDS, strict=True):
        for item in part.split(","):
            found = _STEP.fullmatch(item)
            if not found:
                yield f"{field} {item!r} is not understood"
                continue
            numbers = [int(number) for number in found.group(2, 3) if number]
            if any(not least <= number <= most for number in numbers) or numbers != sorted(numbers):
                yield f"{field} {item!r} is not within {least} to {most}"
            if found.group(4) == "0":
                yield f"{field} {item!r} takes steps of 0"


def endings(objects: Sequence[Object]) -> Iterator[str]:
    """Find Jobs without an end in time or tries, or that stay behind for ever."""
    for name, spec in job_specs(objects):
        for field in ("backoffLimit", "activeDeadlineSeconds", "ttlSecondsAfterFinished"):
            if spec.get("backoffLimitPerIndex") is not None and field == "backoffLimit":
                continue
            if not isinstance(spec.get(field), int):
                yield f"{name} has no {field}"
        if at(spec, "template", "spec", "restartPolicy") not in {"Never", "OnFailure"}:
            yield f"{name} has restartPolicy {at(spec, 'template', 'spec', 'restartPolicy')!r}"
        if spec.get("completionMode") == "Indexed" and not spec.get("completions"):
            yield f"{name} is Indexed and says no completions"


def failure_policies(objects: Sequence[Object]) -> Iterator[str]:
    """Find podFailurePolicies without effect, and those that count a drained node as a failure."""
    for name, spec in job_specs(objects):
        rules = at(spec, "podFailurePolicy", "rules")
        if not rules:
            continue
        if at(spec, "template", "spec", "restartPolicy") != "Never":
            yield f"{name} has a podFailurePolicy, which needs restartPolicy Never"
        if spec.get("podReplacementPolicy") != "Failed":
            yield f"{name} replaces pods that are still ending: two would write at once"
        if rules[0]["action"] != "Ignore" or not rules[0].get("onPodConditions"):
            yield f"{name} counts a drained node as a failure of the job"
        there = {container["name"] for container in spec["template"]["spec"]["containers"]}
        for rule in rules:
            yield from _exit_codes(name, rule.get("onExitCodes"), there)


def _exit_codes(name: str, codes: Object | None, there: set[str]) -> Iterator[str]:
    if codes is None:
        return
    if codes.get("containerName") not in there:
        yield f"{name} looks at container {codes.get('containerName')!r}, which is not there"
    if codes["operator"] == "In" and 0 in codes["values"]:
        yield f"{name} takes exit code 0 for a failure"
