"""Stop requests: noted once, inside the context and in the main thread only."""

import signal
import threading
from contextlib import suppress

import pytest

from pictor_training.fitting.stopping import StopRequest

SIGNALS = (signal.SIGINT, signal.SIGTERM)


@pytest.mark.parametrize("number", SIGNALS)
def test_the_first_signal_is_noted_and_ends_nothing(number: signal.Signals) -> None:
    """Its name is kept for the message; the handlers of before are back at once."""
    before = [signal.getsignal(each) for each in SIGNALS]
    with StopRequest() as stop:
        assert stop.received is None
        signal.raise_signal(number)
        assert number.name == stop.received
        assert before == [signal.getsignal(each) for each in SIGNALS]


def test_a_second_ctrl_c_ends_at_once() -> None:
    """It does what Ctrl-C always does."""
    with StopRequest():
        signal.raise_signal(signal.SIGINT)
        with pytest.raises(KeyboardInterrupt):
            signal.raise_signal(signal.SIGINT)


def test_the_handlers_of_before_come_back_after_an_error_too() -> None:
    """Whatever they were."""
    before = [signal.getsignal(each) for each in SIGNALS]
    with suppress(ZeroDivisionError), StopRequest():
        assert before != [signal.getsignal(each) for each in SIGNALS]
        raise ZeroDivisionError
    assert before == [signal.getsignal(each) for each in SIGNALS]


def test_outside_the_main_thread_no_handler_is_touched() -> None:
    """Python would refuse."""
    seen = []

    def enter() -> None:
        before = [signal.getsignal(each) for each in SIGNALS]
        with StopRequest():
            seen.append(before == [signal.getsignal(each) for each in SIGNALS])

    thread = threading.Thread(target=enter)
    thread.start()
    thread.join()
    assert seen == [True]
