"""What the gateway refuses or fails at: one tree. Status, code and public title stand on the class.

::

    GatewayError                    500 internal_error       something unexpected; the log knows more
    ├── MalformedRequest            400 request_malformed    the body is not what its type promises
    │   ├── InvalidBase64           400 base64_invalid
    │   └── InvalidTensor           400 tensor_invalid       raw pixels that do not fit the model
    ├── Unauthorized                401 unauthorized         no API key, or an unknown one
    ├── ModelNotFound               404 model_not_found
    ├── VersionNotFound             404 version_not_found
    │   └── VersionGone             404 version_not_found    it was there a moment ago
    ├── LabelNotFound               404 label_not_found
    ├── FeedbackNotEnabled          404 feedback_not_enabled
    ├── PredictionNotFound          404 prediction_not_found  no such id, or it is too old
    ├── BodyTimeout                 408 body_timeout         the body came too slowly
    ├── BodyTooLarge                413 body_too_large       told before the body is buffered
    ├── TooManyPictures             413 too_many_pictures
    ├── UnsupportedMediaType        415 media_type_unsupported
    ├── InvalidParameter            422 parameter_invalid
    │   └── ModelRequired           422 model_required       several models, none named
    ├── UrlNotEnabled               422 url_not_enabled      pictures by URL
    ├── UrlRefused                  422 url_refused          not https, not on the list, not a public address
    ├── RateLimited                 429 rate_limited         this key is out of requests; with Retry-After
    ├── ClientGone                  499 client_gone          nobody is left to read the answer
    ├── InferenceFailed             502 inference_failed     the model broke on a well-formed batch
    ├── UrlFetchFailed              502 url_fetch_failed     the picture's own server did not give it
    ├── Overloaded                  503 overloaded           with Retry-After
    ├── ModelNotReady               503 model_not_ready      with Retry-After
    ├── BackendUnavailable          503 backend_unavailable  no server that could answer; with Retry-After
    ├── FeedbackNotKept             503 feedback_not_kept    the folder failed; with Retry-After
    └── DeadlineExceeded            504 deadline_exceeded    names the stage at which time ran out

A picture that `pictor_contract` refuses is no error of ours; `problems.py` gives each refusal its status.
"""

from typing import ClassVar


class GatewayError(Exception):
    """Root of all that the gateway answers with on purpose. The message is shown to the caller."""

    status: ClassVar[int] = 500
    code: ClassVar[str] = "internal_error"
    title: ClassVar[str] = "Something went wrong inside the gateway"
    retryable: ClassVar[bool] = False
    retry_after_s: int | None = None
    """Seconds after which another try makes sense; what knows better sets it on the error it raises."""
    cuts_body: bool = False
    """Whether the rest of the body is not waited for, so that the connection must end with the answer."""

    def headers(self) -> dict[str, str]:
        """Return the HTTP headers that go with the answer."""
        return {} if self.retry_after_s is None else {"Retry-After": str(self.retry_after_s)}


class MalformedRequest(GatewayError):
    """The body cannot be read as what its Content-Type says."""

    status = 400
    code = "request_malformed"
    title = "The request cannot be read"


class InvalidBase64(MalformedRequest):
    """A picture's text is not base64."""

    code = "base64_invalid"
    title = "The picture is not valid base64"


class InvalidTensor(MalformedRequest):
    """A picture's raw pixels do not have the shape or the type that the model takes."""

    code = "tensor_invalid"
    title = "The pixels do not fit the model"


class Unauthorized(GatewayError):
    """No API key, or one that is not known here."""

    status = 401
    code = "unauthorized"
    title = "An API key is needed"

    def headers(self) -> dict[str, str]:
        """Say how to send the key, as HTTP asks of every 401."""
        return {"WWW-Authenticate": 'Bearer realm="pictor"'}


class ModelNotFound(GatewayError):
    """No model of that name is known."""

    status = 404
    code = "model_not_found"
    title = "There is no such model"


class VersionNotFound(GatewayError):
    """The model is known, but this version of it is not loaded."""

    status = 404
    code = "version_not_found"
    title = "This version of the model is not loaded"


class VersionGone(VersionNotFound):
    """The backend let the version go between the look at its status and the call: look again."""


class LabelNotFound(GatewayError):
    """The model is known, but none of its versions has this label."""

    status = 404
    code = "label_not_found"
    title = "No version of the model has this label"


class FeedbackNotEnabled(GatewayError):
    """Feedback is sent, and the operator takes none."""

    status = 404
    code = "feedback_not_enabled"
    title = "Feedback is not enabled"


class PredictionNotFound(GatewayError):
    """No prediction of ours has this id, or it is too old to be judged."""

    status = 404
    code = "prediction_not_found"
    title = "There is no such prediction"


class BodyTimeout(GatewayError):
    """The body did not arrive in time."""

    status = 408
    code = "body_timeout"
    title = "The request's body came too slowly"
    retryable = True
    cuts_body = True


class BodyTooLarge(GatewayError):
    """The body is, or announces itself as, larger than allowed."""

    status = 413
    code = "body_too_large"
    title = "The request's body is too large"
    cuts_body = True


class TooManyPictures(GatewayError):
    """More pictures in one request than allowed."""

    status = 413
    code = "too_many_pictures"
    title = "Too many pictures in one request"


class UnsupportedMediaType(GatewayError):
    """The Content-Type or Content-Encoding is none that this address reads."""

    status = 415
    code = "media_type_unsupported"
    title = "This type of body is not supported"


class InvalidParameter(GatewayError):
    """A parameter is unknown, malformed or out of its range."""

    status = 422
    code = "parameter_invalid"
    title = "A parameter is not valid"


class ModelRequired(InvalidParameter):
    """Several models are served and the request names none."""

    code = "model_required"
    title = "The request must name a model"


class UrlNotEnabled(GatewayError):
    """The request asks the gateway to fetch a picture from somewhere else."""

    status = 422
    code = "url_not_enabled"
    title = "Pictures by URL are not enabled"


class UrlRefused(GatewayError):
    """The picture's URL is not https, not on the list of hosts, or leads to an address that is not public."""

    status = 422
    code = "url_refused"
    title = "Pictures are not fetched from there"


class RateLimited(GatewayError):
    """The API key's allowance is used up for the moment."""

    status = 429
    code = "rate_limited"
    title = "Too many requests with this API key"
    retryable = True
    retry_after_s = 1


class ClientGone(GatewayError):
    """The client hung up; the status is for logs and metrics, nobody receives it."""

    status = 499
    code = "client_gone"
    title = "The client closed the connection"


class InferenceFailed(GatewayError):
    """The model failed on a well-formed batch, or answered something that is no score."""

    status = 502
    code = "inference_failed"
    title = "The model could not answer"


class UrlFetchFailed(GatewayError):
    """The picture's own server did not give it: not found, too slow, too large, broken."""

    status = 502
    code = "url_fetch_failed"
    title = "The picture could not be fetched"
    retryable = True


class Overloaded(GatewayError):
    """As many requests as allowed are at work, or the answer would come after the deadline."""

    status = 503
    code = "overloaded"
    title = "The gateway is busy"
    retryable = True
    retry_after_s = 1


class ModelNotReady(GatewayError):
    """The model is known, but no version of it can answer now."""

    status = 503
    code = "model_not_ready"
    title = "The model is not ready"
    retryable = True
    retry_after_s = 2


class BackendUnavailable(GatewayError):
    """No server that has the model can be reached, or none answered as it should."""

    status = 503
    code = "backend_unavailable"
    title = "The model's servers cannot be reached"
    retryable = True
    retry_after_s = 2


class FeedbackNotKept(GatewayError):
    """A label could not be written where labels are kept; it was not counted either."""

    status = 503
    code = "feedback_not_kept"
    title = "The feedback could not be kept"
    retryable = True
    retry_after_s = 5


class DeadlineExceeded(GatewayError):
    """The request's time ran out at the stage the message names."""

    status = 504
    code = "deadline_exceeded"
    title = "The request took too long"
    retryable = True

    def __init__(self, stage: str) -> None:
        super().__init__(f"Time ran out at the stage '{stage}'. Try again, or send fewer pictures at once.")
