"""The handlers of everything under `/v1/models/`."""

from functools import partial

from fastapi import Request
from starlette.responses import Response

from pictor_contract import ImageContract
from pictor_gateway.dialects.tensorflow_serving.answer import classes_answer, contract_answer, scores_answer
from pictor_gateway.dialects.tensorflow_serving.metadata import metadata_answer, status_answer
from pictor_gateway.dialects.tensorflow_serving.refusals import (
    admitted_here,
    malformed,
    not_served,
    scores_or_first_refusal,
    wanted_by,
)
from pictor_gateway.dialects.tensorflow_serving.request import (
    Limits,
    Probes,
    read_classify,
    read_predict,
    refuse_regress,
)
from pictor_gateway.errors import LabelNotFound, ModelNotFound, VersionNotFound
from pictor_gateway.gateway import gateway_of
from pictor_gateway.request.visit import Visit
from pictor_gateway.telemetry.facts import facts_of


async def predict(request: Request) -> Response:
    """Answer pictures with their scores, as TensorFlow Serving's `:predict` does.

    `instances` or `inputs` hold pictures as `{"b64": ...}` or as raw pixels of the model's size, mixed at
    will. The signature `contract` answers each number of `probe` with the model's contract.
    """
    async with admitted_here(request) as visit:
        asked = await visit.off_loop(partial(read_predict, visit.body, _limits(visit)))
        _note_read(visit)
        if isinstance(asked, Probes):
            return contract_answer(asked, _contract(visit))
        _, outcomes = await visit.recognise(asked.pictures, by_position=True)
    return scores_answer(asked.layout, scores_or_first_refusal(outcomes, asked.layout))


async def classify(request: Request) -> Response:
    """Answer the pictures of `examples` with every label and its score, in the model's order."""
    async with admitted_here(request) as visit:
        pictures = await visit.off_loop(partial(read_classify, visit.body, _limits(visit)))
        _note_read(visit)
        served, outcomes = await visit.recognise(pictures)
    return classes_answer(served.contract, scores_or_first_refusal(outcomes, "examples"))


async def regress(request: Request) -> Response:
    """Refuse, as TensorFlow Serving does: no model of Pictor has a signature for it."""
    async with admitted_here(request) as visit:
        return await visit.off_loop(partial(refuse_regress, visit.body, _limits(visit)))


async def status(request: Request) -> Response:
    """Tell the states of the model's versions, or of one.

    A label changes nothing: TensorFlow Serving tells all versions then, too.
    """
    wanted = wanted_by(request)
    models = {model.name: model.versions for model in gateway_of(request).backend.models()}
    versions = models.get(wanted.model or "", ())
    if wanted.version is not None:
        versions = tuple(one for one in versions if one.version == wanted.version)
        if not versions:
            raise VersionNotFound(f"Could not find version {wanted.version} of model {wanted.model}")
    if not versions:
        raise ModelNotFound(f"Could not find any versions of model {wanted.model}")
    return status_answer(versions)


async def metadata(request: Request) -> Response:
    """Tell the signatures of the version that is meant: names, types and shapes of inputs and outputs."""
    gateway, wanted = gateway_of(request), wanted_by(request)
    try:
        served = facts_of(request).served = await gateway.catalogue.find_asking(wanted)
    except (ModelNotFound, VersionNotFound, LabelNotFound) as error:
        raise not_served(gateway, wanted, error) from error
    return metadata_answer(served)


async def unknown(request: Request) -> Response:
    """Refuse whatever else is asked under `/v1/models/`."""
    raise malformed(request)


def _limits(visit: Visit) -> Limits:
    return Limits(_contract(visit).input.shape, visit.gateway.settings.max_pictures_per_request)


def _contract(visit: Visit) -> ImageContract:
    served = visit.facts.served = visit.gateway.catalogue.find(visit.wanted)
    return served.contract


def _note_read(visit: Visit) -> None:
    visit.facts.add("read", visit.facts.elapsed_s())
