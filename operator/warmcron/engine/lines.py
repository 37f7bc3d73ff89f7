"""The runs that wait for a worker, in order of arrival, so that one kind of run never holds up another. Pure."""

from collections.abc import Iterator

from warmcron.core.run import Run
from warmcron.core.tasks import PoolKey


class Lines:
    """One line for each pool and what its runs wait for: a worker with their handler, or one certain worker.

    What is at the head of a line stands for all behind it: if it finds no worker, neither do they.
    """

    def __init__(self) -> None:
        self._pools: dict[PoolKey, dict[str, dict[str, Run]]] = {}

    def __bool__(self) -> bool:
        return bool(self._pools)

    def put(self, run: Run) -> None:
        """A run waits; one that waits already keeps its place."""
        self._pools.setdefault(run.spec.pool, {}).setdefault(_wants(run), {}).setdefault(run.key, run)

    def remove(self, run: Run) -> None:
        """A run waits no more."""
        lines = self._pools.get(run.spec.pool)
        line = lines.get(_wants(run)) if lines else None
        if lines is None or line is None or line.pop(run.key, None) is None:
            return
        if not line:
            del lines[_wants(run)]
        if not lines:
            del self._pools[run.spec.pool]

    def clear(self) -> None:
        """Nobody waits."""
        self._pools.clear()

    def counts(self) -> dict[PoolKey, int]:
        """How many wait, by pool."""
        return {key: sum(len(line) for line in lines.values()) for key, lines in self._pools.items()}

    def heads(self, key: PoolKey) -> Iterator[Run]:
        """The runs of a pool to try, the oldest first; a line whose head is still there after its turn is left."""
        hopeless: set[str] = set()
        while True:
            lines = self._pools.get(key, {})
            heads = [next(iter(line.values())) for wanted, line in lines.items() if wanted not in hopeless]
            if not heads:
                return
            head = min(heads, key=lambda run: run.created)
            yield head
            if head.key in self._pools.get(key, {}).get(_wants(head), {}):
                hopeless.add(_wants(head))


def _wants(run: Run) -> str:
    return run.shard.pod_uid if run.shard else run.spec.handler
