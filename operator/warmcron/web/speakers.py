"""Which worker said a line, for the log of a run that several work on at once. It asks for nothing twice."""

from collections.abc import Iterable, Mapping

from warmcron.history.model import AttemptRow, LogRow, Reader


def names(attempts: Iterable[AttemptRow]) -> dict[str, str]:
    """Names of the pods by their uids, if some attempt went to several of them: that is a broadcast. Else none.

    An attempt that is repeated elsewhere has another number, and the log has a line between the two.
    """
    pods: dict[str, str] = {}
    seen: dict[int, str] = {}
    several = False
    for attempt in attempts:
        pods[attempt.pod_uid] = attempt.pod_name
        several |= seen.setdefault(attempt.attempt, attempt.pod_uid) != attempt.pod_uid
    return pods if several else {}


class Speakers:
    """The workers of a run whose log is followed: attempts are looked up again when one speaks that is new."""

    def __init__(self, reader: Reader, run_id: str) -> None:
        self._reader, self._run_id = reader, run_id
        self._known: set[str] = {""}  # what no worker said
        self._names: dict[str, str] = {}

    async def of(self, lines: Iterable[LogRow]) -> Mapping[str, str]:
        """As `names`, with at least those who said these lines; raises HistoryError."""
        new = {line.pod_uid for line in lines} - self._known
        if new:
            self._names = names(await self._reader.attempts(self._run_id))
            self._known |= new | set(self._names)
        return self._names
