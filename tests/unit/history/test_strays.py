"""A run that its leader did not live to end in the history is ended there by the next, as its task's status says."""

from unit.history.builders import NOW, batch, run, run_id
from unit.history.conftest import Kept
from warmcron.core.tasks import RunRecord
from warmcron.history.model import RunRow
from warmcron.history.strays import Strays

RECORD = RunRecord(run_id(2), int(NOW) + 2, "Schedule", "Failed", "HandlerFailed", "pod-x", 3, NOW + 3, 4.5)


class Engine:
    def __init__(self, *going_on: int, settled: bool = True) -> None:
        self.going_on = {run_id(number) for number in going_on}
        self.settled = settled

    def follows(self, run_id: str) -> bool | None:
        return run_id in self.going_on if self.settled else None

    def record(self, task_uid: str, run_id: str) -> RunRecord | None:
        return RECORD if (task_uid, run_id) == ("uid-task", RECORD.run_id) else None


async def test_what_nobody_follows_is_ended_and_what_goes_on_is_left(kept: Kept) -> None:
    rows = [run(number, state="Running") for number in (1, 2, 3)]
    young = run(4, state="Pending", scheduled=NOW + 990)
    await kept.store.write(batch(*rows, young, run(5)))
    put: list[RunRow] = []

    found = await Strays(kept.database, follower=Engine(1), put=put.append).look(NOW + 1000)
    await kept.store.write(batch(*put))

    assert found == 2
    known, lost = [await kept.reader.run(run_id(number)) for number in (2, 3)]
    assert known
    assert (known.state, known.reason, known.attempts, known.pod_name) == ("Failed", "HandlerFailed", 3, "pod-x")
    assert (known.started, known.finished) == (NOW + 3, NOW + 7.5)
    assert lost
    assert (lost.state, lost.reason) == ("Unknown", "EndNotRecorded")
    states = [row.state for number in (1, 4, 5) if (row := await kept.reader.run(run_id(number)))]
    assert states == ["Running", "Pending", "Succeeded"]


async def test_a_leader_that_has_not_heard_everybody_out_ends_nothing(kept: Kept) -> None:
    await kept.store.write(batch(run(1, state="Running")))
    put: list[RunRow] = []

    assert await Strays(kept.database, follower=Engine(settled=False), put=put.append).look(NOW + 1000) == 0
    assert put == []
