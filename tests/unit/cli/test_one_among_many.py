"""One failed run among thousands is traced as docs/how-to/find-out-why.md says, over the real API and history."""

from collections.abc import Callable, Iterator

import pytest

from fakes import nightly
from fakes.command import Done, run
from fakes.many import cluster_with
from fakes.nightly import POD_A, POD_B, POD_C, SAID
from fakes.served import serve
from fakes.web import FakeGuard
from warmcron.api.app import Sources, create

Ctl = Callable[..., Done]

RUN = nightly.run().run_id
HOUR = ("--since", "2026-11-25T02:30:00+01:00", "--until", "2026-11-25T03:30:00+01:00")


@pytest.fixture(scope="module")
def url(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    source = cluster_with(tmp_path_factory.mktemp("many") / "history.db")
    sources = Sources(live=source, reader=source.history, orders=source, labels=source, guard=FakeGuard())
    with serve(create(sources)) as found:
        yield found


@pytest.fixture
def ctl(url: str) -> Ctl:
    def call(*arguments: str) -> Done:
        return run(*arguments, "--server", url)

    return call


@pytest.mark.parametrize(
    "asked",
    [
        ("--search", "nightly-rep", "--state", "Failed"),  # a part of the task's name
        ("--search", "full disk", *HOUR),  # words of the log, in any order
        ("--search", "scratch"),  # one that only this log has
        ("--state", "Failed", *HOUR),
        ("--pod", POD_C),  # one that refused it
        ("--search", RUN[:8]),
    ],
    ids=" ".join,
)
def test_it_is_found_by_what_somebody_knows_of_it(ctl: Ctl, asked: tuple[str, ...]) -> None:
    assert ctl("runs", "-A", *asked, "-o", "name").out == f"{RUN}\n"


@pytest.mark.parametrize("how", ["run", "tick"])
def test_its_description_says_where_it_went_why_and_how_it_ended(ctl: Ctl, how: str) -> None:
    name = (RUN,) if how == "run" else ("nightly-report", "-n", "acme", "--tick", "2026-11-25T03:00:00+01:00")
    told = ctl("describe", *name)
    assert told.code == 0
    facts, _, rest = told.out.partition("\nTraceback:\n")
    traceback, _, rest = rest.partition("\n\nAttempts:\n")
    table, _, log = rest.partition("\n\nLog:\n")
    assert "State:     Failed: HandlerFailed: OSError: [Errno 28] No space left on device" in facts
    assert traceback == "\n".join(f"  {line}" for line in nightly.TRACEBACK.splitlines())
    rows = [line.split()[:2] for line in table.splitlines()[1:]]
    assert rows == [["1", POD_A], ["2", POD_C], ["2", POD_B]]
    assert f"LeastLoaded   {POD_A}: an earlier attempt failed here" in table
    assert [line.partition(" [")[2] for line in log.splitlines()] == [f"{at} {pod}] {text}" for pod, at, text in SAID]


def test_its_log_says_which_pod_said_what(ctl: Ctl) -> None:
    assert ctl("logs", RUN, "--prefix").out.splitlines() == [f"[{at} {pod}] {text}" for pod, at, text in SAID]
    assert ctl("logs", RUN, "-f").out.splitlines() == [text for _, _, text in SAID]
