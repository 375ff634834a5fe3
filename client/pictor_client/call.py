"""One picture to the gateway, one answer back."""

from typing import Any

import httpx

from pictor_client.errors import GatewayUnreachable, Refused

DEFAULT_URL = "http://127.0.0.1:8080"
DEFAULT_TIMEOUT_S = 30.0


def classify(  # noqa: PLR0913  # one keyword for each parameter of the gateway
    picture: bytes,
    *,
    url: str = DEFAULT_URL,
    model: str | None = None,
    version: int | None = None,
    top_k: int | None = None,
    threshold: float | None = None,
    timeout_s: float = DEFAULT_TIMEOUT_S,
) -> dict[str, Any]:
    """Send an encoded picture (JPEG, PNG, WebP, BMP, GIF or TIFF) and return the gateway's answer.

    `model` and `version` choose who answers, `top_k` how many labels there are in the answer, `threshold` the
    least score of each; None leaves it to the gateway.

    Raises:
        GatewayUnreachable: nobody answers at `url`, or not within `timeout_s` seconds, or not in JSON.
        Refused: the gateway refused the picture or is not able to answer.
    """
    asked = {"model": model, "version": version, "top_k": top_k, "threshold": threshold}
    try:
        # trust_env=False: proxy variables of the shell must not send a local picture elsewhere.
        with httpx.Client(base_url=url, timeout=timeout_s, trust_env=False) as connection:
            response = connection.post(
                "/v1/classify",
                content=picture,
                params={name: value for name, value in asked.items() if value is not None},
                headers={"content-type": "application/octet-stream"},
            )
        answer = response.json()
    except (httpx.HTTPError, httpx.InvalidURL) as error:
        raise GatewayUnreachable(
            f"No answer from {url}: {error}. Is `pictor serve` running there?"
        ) from error
    except ValueError as error:
        raise GatewayUnreachable(f"{url} answered, but not in JSON: is it a Pictor gateway?") from error
    if not isinstance(answer, dict):
        raise GatewayUnreachable(f"{url} answered with {type(answer).__name__}: is it a Pictor gateway?")
    if response.is_success:
        return answer
    code, detail = str(answer.get("code", "unknown")), str(answer.get("detail", "refused"))
    raise Refused(response.status_code, code, detail)
