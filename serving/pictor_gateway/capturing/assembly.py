"""What the settings ask for: ids, feedback, capture, each alone or together."""

from dataclasses import dataclass
from secrets import token_urlsafe

from pictor_gateway.capturing.accuracy import LiveAccuracy
from pictor_gateway.capturing.capture import Capture
from pictor_gateway.capturing.choice import Choice
from pictor_gateway.capturing.feedback import FeedbackDesk
from pictor_gateway.capturing.prediction_ids import PredictionIds
from pictor_gateway.capturing.writer import Retention, SampleWriter
from pictor_gateway.settings import InvalidSettings, Settings
from pictor_gateway.telemetry.learning_metrics import LearningMetrics
from pictor_store.clock import DAY_S
from pictor_store.errors import StoreError
from pictor_store.samples import Samples, open_samples

_LEAST_SECRET = 16
_SECRET_BYTES = 32


@dataclass(frozen=True, slots=True)
class Capturing:
    """The parts that there are."""

    predictions: PredictionIds | None = None
    feedback: FeedbackDesk | None = None
    capture: Capture | None = None


def capturing_from(settings: Settings, metrics: LearningMetrics) -> Capturing:
    """Return the parts that the settings ask for.

    Raises:
        InvalidSettings: the secret is too short, or the place's driver is not installed.
    """
    if not settings.feedback and settings.capture is None:
        return Capturing()
    predictions = PredictionIds(secret_of(settings), settings.feedback_max_age_days * DAY_S)
    samples = _samples_of(settings)
    writer = capture = None
    if samples is not None:
        retention = Retention(settings.capture_max_age_days, settings.capture_max_bytes)
        writer = SampleWriter(samples, retention, metrics)
        choice = Choice(
            settings.capture_rate, settings.capture_uncertain_rate, needs_consent=settings.capture_consent
        )
        capture = Capture(choice, writer)
    desk = FeedbackDesk(predictions, writer, LiveAccuracy(metrics)) if settings.feedback else None
    return Capturing(predictions, desk, capture)


def check_capturing(settings: Settings) -> None:
    """Refuse at the start what would only fail in each worker.

    Raises:
        InvalidSettings: the secret is too short, or the place's driver is not installed.
    """
    secret_of(settings)
    _samples_of(settings)


def secret_of(settings: Settings) -> str:
    """Return the secret that signs prediction ids; a fresh one if the settings have none.

    Raises:
        InvalidSettings: it is too short to be one.
    """
    if settings.feedback_secret is None:
        return token_urlsafe(_SECRET_BYTES)
    secret = settings.feedback_secret.get_secret_value()
    if len(secret) < _LEAST_SECRET:
        raise InvalidSettings(
            f"--feedback-secret or PICTOR_FEEDBACK_SECRET: at least {_LEAST_SECRET} letters are needed; "
            f"received {len(secret)}. `openssl rand -base64 32` makes a good one."
        )
    return secret


def _samples_of(settings: Settings) -> Samples | None:
    if settings.capture is None:
        return None
    try:
        return open_samples(settings.capture)
    except StoreError as error:
        raise InvalidSettings(f"--capture or PICTOR_CAPTURE: {error}") from error
