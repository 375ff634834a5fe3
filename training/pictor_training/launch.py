"""From a checked plan to its result; TensorFlow is loaded here and not before."""

import signal
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType
from typing import TYPE_CHECKING, Final

from pictor_training.errors import Interrupted
from pictor_training.plan import Plan, Share
from pictor_training.run_folder import how_to_resume, is_trained
from pictor_training.several.cluster import Cluster
from pictor_training.tensorflow_noise import quiet_tensorflow

if TYPE_CHECKING:
    from pictor_training.release import Release
    from pictor_training.run import RunResult

_SIGNALS: Final = (signal.SIGINT, signal.SIGTERM)


def launch(plan: Plan, release: "Release | None" = None, *, cluster: Cluster | None = None) -> "RunResult":
    """Load TensorFlow, which takes seconds that --help and a wrong key must not cost, and carry out `plan`.

    With a `cluster`, this process leads its training, then goes on as a process of its own. To be called in
    the main thread: SIGINT and SIGTERM end it by Interrupted, whatever it is doing.

    Raises:
        TrainingError: what `carry_out` raises.
    """
    with stoppable(f"Stopped. Go on with: {how_to_resume(plan.folder)}"):
        with quiet_tensorflow():
            from pictor_training.run import carry_out  # noqa: PLC0415  # not before it is needed
        if cluster is not None and not is_trained(plan.folder):
            from pictor_training.several.lead import lead  # noqa: PLC0415  # likewise

            lead(plan, cluster)
        return carry_out(plan, release)


def launch_share(share: Share, cluster: Cluster) -> None:
    """Do the same for a worker that does not lead: help to train, until worker 0 is done.

    Raises:
        TrainingError: what `follow` raises.
    """
    with stoppable("Stopped. Go on with: the same command on all workers"):
        with quiet_tensorflow():
            from pictor_training.several.follow import follow  # noqa: PLC0415  # not before it is needed
        follow(share, cluster)


@contextmanager
def stoppable(last_words: str) -> Iterator[None]:
    """Make SIGINT and SIGTERM end what is done inside, in the main thread.

    Raises:
        Interrupted: one of them came; `last_words` are its message.
    """
    stopped = False

    def stop(number: int, frame: FrameType | None) -> None:
        nonlocal stopped
        stopped = True
        raise KeyboardInterrupt

    # A shell that starts a job in the background lets it ignore SIGINT: that stays so.
    heeded = [number for number in _SIGNALS if signal.getsignal(number) != signal.SIG_IGN]
    before = {number: signal.signal(number, stop) for number in heeded}
    try:
        yield
    except BaseException as error:
        if not stopped:
            raise
        # Also where a library, cut short between two of its steps, made another error of it.
        raise Interrupted(last_words) from error
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
