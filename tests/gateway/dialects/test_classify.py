"""The three ways to send a picture, and what comes back."""

import base64
import json
from collections.abc import Callable

import httpx
import numpy as np
import pytest

from pictor_contract import ImageContract, PictureInput
from pictor_gateway.dialects.pictor.answer import decided_labels
from pictor_gateway.dialects.pictor.documents import OneAnswerDocument, SeveralAnswerDocument

MakePicture = Callable[..., bytes]
RED, GREEN = (200, 30, 30), (30, 200, 30)


def test_a_raw_picture_is_named(http: httpx.Client, picture: MakePicture) -> None:
    """An `image/*` body is the picture itself; the answer says what it is, its size, and who says so."""
    answer = http.post("/v1/classify", content=picture(RED), headers={"Content-Type": "image/png"}).json()
    assert ["röd", "green", "blue"] == [one["label"] for one in answer["predictions"]]
    assert ["röd"] == answer["decision"]
    assert {"width": 20, "height": 10, "format": "PNG", "frames": 1} == answer["image"]
    assert ("colours", 1) == (answer["model"]["name"], answer["model"]["version"])


@pytest.mark.parametrize(
    "content_type", ["application/octet-stream", "image/jpeg", "image/x-anything; q=1", None]
)
def test_the_content_decides_and_not_the_type(
    http: httpx.Client, picture: MakePicture, content_type: str | None
) -> None:
    """A PNG stays a PNG, whatever the Content-Type calls it."""
    headers = {} if content_type is None else {"Content-Type": content_type}
    answer = http.post("/v1/classify", content=picture(), headers=headers).json()
    assert "PNG" == answer["image"]["format"]


def test_an_upgrade_may_be_offered(http: httpx.Client, picture: MakePicture) -> None:
    """Java's clients offer HTTP/2 with each first request; the offer is passed over, the body is not."""
    offer = {"Connection": "Upgrade, HTTP2-Settings", "Upgrade": "h2c", "HTTP2-Settings": "AAQAAP__"}
    assert 200 == http.post("/v1/classify", content=picture(), headers=offer).status_code


@pytest.mark.parametrize("coding", ["identity", "Identity", ""])
def test_a_body_that_says_it_is_not_compressed_is_read(
    http: httpx.Client, picture: MakePicture, coding: str
) -> None:
    """The names of content codings know no case."""
    headers = {"Content-Encoding": coding}
    assert 200 == http.post("/v1/classify", content=picture(), headers=headers).status_code


def test_a_form_is_read(http: httpx.Client, picture: MakePicture) -> None:
    """The field `file` holds the picture, as a browser or `curl -F` sends it."""
    answer = http.post("/v1/classify", files={"file": ("cat.jpg", picture(GREEN, form="JPEG"))}).json()
    assert ["green"] == answer["decision"]
    assert "JPEG" == answer["image"]["format"]


@pytest.mark.parametrize(
    "written",
    [
        lambda data: base64.b64encode(data).decode(),
        lambda data: base64.urlsafe_b64encode(data).decode(),
        lambda data: base64.urlsafe_b64encode(data).decode().rstrip("="),
        lambda data: base64.encodebytes(data).decode(),
        lambda data: "data:image/png;base64," + base64.b64encode(data).decode(),
    ],
    ids=["standard", "url-safe", "unpadded", "lines", "data-uri"],
)
def test_base64_is_read_however_encoders_write_it(
    http: httpx.Client, picture: MakePicture, written: Callable[[bytes], str]
) -> None:
    """Both alphabets, missing padding, line breaks and data URIs mean the same picture."""
    answer = http.post("/v1/classify", json={"image": {"b64": written(picture(GREEN))}}).json()
    assert ["green"] == answer["decision"]


def test_several_pictures_are_answered_in_order_with_an_error_for_each_bad_one(
    http: httpx.Client, picture: MakePicture
) -> None:
    """One bad picture costs its neighbours nothing; the answer is a 200."""
    files = [("file", picture(RED)), ("file", b"not a picture"), ("file", picture(GREEN))]
    response = http.post("/v1/classify", files=files)
    red, bad, green = response.json()["results"]
    assert 200 == response.status_code
    assert (["röd"], ["green"]) == (red["decision"], green["decision"])
    assert ("picture_format_unknown", 415) == (bad["error"]["code"], bad["error"]["status"])


def test_a_list_is_answered_as_a_list_even_of_one(http: httpx.Client, picture: MakePicture) -> None:
    """`images` and `files` ask for a list, so a client needs no special case for one picture."""
    text = base64.b64encode(picture()).decode()
    from_json = http.post("/v1/classify", json={"images": [{"b64": text}]}).json()
    from_form = http.post("/v1/classify", files={"files": picture()}).json()
    assert [1, 1] == [len(from_json["results"]), len(from_form["results"])]


def test_bad_base64_in_a_list_is_that_pictures_error(http: httpx.Client, picture: MakePicture) -> None:
    """Also a text that is no base64 harms only itself."""
    texts = [base64.b64encode(picture()).decode(), "%%%"]
    good, bad = http.post("/v1/classify", json={"images": [{"b64": text} for text in texts]}).json()[
        "results"
    ]
    assert ["röd"] == good["decision"]
    assert "base64_invalid" == bad["error"]["code"]


def test_more_pictures_than_the_largest_batch_are_all_answered(
    make_gateway: Callable[..., object], picture: MakePicture
) -> None:
    """Seven pictures at a largest batch of four: the last, partial batch counts as well."""
    gateway = make_gateway()
    files = [("files", picture(RED if number % 2 else GREEN)) for number in range(7)]
    results = gateway.http.post("/v1/classify", files=files).json()["results"]  # type: ignore[attr-defined]  # RunningGateway
    expected = [["röd"] if number % 2 else ["green"] for number in range(7)]
    assert expected == [result["decision"] for result in results]


def test_top_k_and_threshold_choose_what_is_shown(http: httpx.Client, picture: MakePicture) -> None:
    """`top_k` cuts, `threshold` filters; more than there are labels gives all of them."""

    def shown(query: str) -> int:
        return len(http.post(f"/v1/classify?{query}", content=picture()).json()["predictions"])

    assert [1, 3, 1, 0] == [shown(query) for query in ("top_k=1", "top_k=99", "threshold=0.5", "threshold=1")]


def test_answers_fit_their_documentation(http: httpx.Client, picture: MakePicture) -> None:
    """What is answered is what `/openapi.json` promises, field by field."""
    one = http.post("/v1/classify", content=picture()).json()
    several = http.post("/v1/classify", files=[("files", picture()), ("files", b"?")]).json()
    OneAnswerDocument.model_validate(one)
    SeveralAnswerDocument.model_validate(several)
    assert ["read", "decode", "queue", "inference", "total"] == list(one["timings_ms"])


def test_labels_keep_their_letters(http: httpx.Client, picture: MakePicture) -> None:
    """A label outside ASCII arrives as it was trained, as UTF-8 and not as an escape."""
    response = http.post("/v1/classify", content=picture())
    assert "röd".encode() in response.content
    assert json.loads(response.content)["decision"] == ["röd"]


def test_the_headers_name_request_model_and_times(http: httpx.Client, picture: MakePicture) -> None:
    """A sane request id comes back; the answer's headers say who answered and how long it took."""
    response = http.post("/v1/classify", content=picture(), headers={"X-Request-ID": "order-17/a"})
    assert "order-17/a" == response.headers["X-Request-ID"] == response.json()["id"]
    assert ("colours", "1") == (response.headers["X-Model-Name"], response.headers["X-Model-Version"])
    assert "decode;dur=" in response.headers["Server-Timing"]


@pytest.mark.parametrize("given", ["", "two words", "x" * 129, "caf\xe9"])
def test_an_insane_request_id_is_replaced(http: httpx.Client, picture: MakePicture, given: str) -> None:
    """What goes into logs and headers is at most 128 visible ASCII characters."""
    headers = [(b"X-Request-ID", given.encode("latin-1"))]
    response = http.post("/v1/classify", content=picture(), headers=headers)
    assert given != response.headers["X-Request-ID"]
    assert 32 == len(response.headers["X-Request-ID"])


def _contract(head: str, thresholds: tuple[float, ...], labels: tuple[str, ...]) -> ImageContract:
    return ImageContract(
        name="any",
        labels=labels,
        head=head,  # type: ignore[arg-type]  # parametrised
        input=PictureInput(8, 8),
        thresholds=thresholds,
    )


@pytest.mark.parametrize(
    ("head", "thresholds", "scores", "expected"),
    [
        ("binary", (), (0.4, 0.6), ["yes"]),
        ("binary", (0.7, 0.3), (0.65, 0.35), ["yes"]),
        ("binary", (0.7, 0.3), (0.75, 0.25), ["no"]),
        ("multiclass", (), (0.5, 0.2, 0.3), ["no"]),
        ("multiclass", (0.6, 0.6, 0.6), (0.5, 0.2, 0.3), []),
        ("multiclass", (0.6, 0.6, 0.2), (0.5, 0.2, 0.3), ["maybe"]),
        ("multilabel", (), (0.6, 0.9, 0.1), ["yes", "no"]),
        ("multilabel", (0.7, 0.2, 0.1), (0.6, 0.1, 0.1), ["maybe"]),
        ("multilabel", (), (0.1, 0.1, 0.1), []),
    ],
)
def test_the_decision_follows_the_contracts_thresholds(
    head: str, thresholds: tuple[float, ...], scores: tuple[float, ...], expected: list[str]
) -> None:
    """One label at most for a single choice, any number for multi-label, none when nothing is sure."""
    contract = _contract(head, thresholds, ("no", "yes", "maybe")[: len(scores)])
    assert expected == decided_labels(contract, np.array(scores, np.float32))
