import io
import threading

import pytest

from cluster.progress import Progress, duration, table


@pytest.mark.parametrize(
    ("seconds", "text"), [(0.04, "0.0 s"), (9.94, "9.9 s"), (59.4, "59 s"), (60, "1 min 00 s"), (754.9, "12 min 34 s")]
)
def test_durations_are_written_for_people(seconds: float, text: str) -> None:
    assert duration(seconds) == text


def test_the_timings_stand_in_columns() -> None:
    lines = table([("short", 1.0), ("a longer name", 90)], 91).splitlines()
    assert len({len(line) for line in lines}) == 1
    assert lines[-1].endswith("1 min 31 s")


def test_a_step_says_its_number_its_expected_time_and_how_long_it_took() -> None:
    said, now = io.StringIO(), [0.0]
    progress = Progress(total=2, out=said, clock=lambda: now[0])
    now[0] = 1.0
    with progress.step("build", expect="1 min"):
        now[0] = 66.0
    assert said.getvalue().splitlines()[0] == "  0:01  [1/2] build (about 1 min)"
    assert "[1/2] build: done in 1 min 05 s" in said.getvalue()


def test_a_long_step_says_that_it_goes_on_and_how_far_it_is() -> None:
    said, told = io.StringIO(), threading.Event()

    def far() -> str:
        told.set()
        return "3 of 7"

    with Progress(total=1, out=said, heartbeat=0.01).step("build", far=far):
        assert told.wait(10)
    assert "[1/1] build: still going after 0.0 s, 3 of 7" in said.getvalue()


def test_a_failed_step_says_so_and_has_no_timing() -> None:
    said = io.StringIO()
    progress = Progress(total=1, out=said)
    with pytest.raises(RuntimeError), progress.step("build"):
        raise RuntimeError
    assert "[1/1] build: failed after" in said.getvalue()
    assert progress.timings == []


def test_a_step_that_is_not_needed_is_counted() -> None:
    said = io.StringIO()
    progress = Progress(total=2, out=said)
    progress.skip("build", "nothing has changed")
    with progress.step("load"):
        pass
    assert "[1/2] build: not needed, nothing has changed" in said.getvalue()
    assert "[2/2] load: done" in said.getvalue()
