"""How long calls take is measured, and foreseen."""

import pytest

from pictor_gateway.inference.service_times import ServiceTimes


def test_service_times_are_learnt_by_size() -> None:
    """What was not measured is guessed from what was, rather too long than too short."""
    times = ServiceTimes()
    assert 0.0 == times.estimate(8)
    times.note(4, 0.4)
    assert [0.4, 0.4, 0.8] == pytest.approx([times.estimate(size) for size in (1, 4, 8)])
    times.note(32, 1.6)
    assert [0.4, 1.6, 1.6] == pytest.approx([times.estimate(size) for size in (1, 32, 20)])
    for _ in range(50):
        times.note(4, 0.1)
    assert 0.1 == pytest.approx(times.estimate(4), rel=0.01)


def test_a_call_that_was_given_up_says_only_that_it_takes_long() -> None:
    """A client's own short limit does not make the model look fast, nor does one call that hung look slow."""
    times = ServiceTimes()
    times.note(1, 1.0)
    times.note_at_least(1, 0.1)
    assert 1.0 == times.estimate(1)
    times.note_at_least(1, 11.0)
    assert 1.6 == pytest.approx(times.estimate(1))


def test_a_batch_is_as_large_as_makes_its_pictures_cheaper() -> None:
    """Not larger: the first picture would only wait for the last. What is not known is tried step by step."""
    gpu, cpu = ServiceTimes(), ServiceTimes()
    assert 32 == gpu.worthwhile(32)
    for size in (1, 2, 4, 8, 16, 32):
        gpu.note(size, 0.005 + 0.0001 * size)
        assert min(32, 2 * size) == gpu.worthwhile(32)
        cpu.note(size, 0.0005 + 0.01 * size)
    assert 16 == gpu.worthwhile(16)
    assert 1 == cpu.worthwhile(32)


def test_a_larger_batch_is_tried_now_and_then() -> None:
    """What made it useless may have changed; where it has, batches grow again."""
    times = ServiceTimes()
    for size in (1, 2, 4):
        times.note(size, 0.01 * size)
    largest = []
    for _ in range(200):
        size = times.worthwhile(4)
        times.note(size, 0.01)
        largest.append(size)
    assert (1, 4) == (largest[0], largest[-1])


def test_waiting_for_company_pays_where_batches_are_cheap() -> None:
    """About as long as a call takes; not at all on a processor, nor before anything is known."""
    gpu, cpu = ServiceTimes(), ServiceTimes()
    assert 0.0 == gpu.patience_s(1)
    for size in (1, 8):
        gpu.note(size, 0.005)
        cpu.note(size, 0.005 * size)
    assert (0.005, 0.0) == pytest.approx((gpu.patience_s(1), cpu.patience_s(1)))
