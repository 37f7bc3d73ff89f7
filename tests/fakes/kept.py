"""The history's journal over an engine that a test drives, and a database that can be taken away."""

from prometheus_client import CollectorRegistry

from fakes.engine import World
from warmcron.history.history import Figures
from warmcron.history.journal import Batch, Journal


class Journaled(World):
    """A world whose engine writes a journal."""

    def __init__(self) -> None:
        self.registry = CollectorRegistry()
        self.journal_kept = Journal(
            epoch=lambda: self.gate.epoch,
            now=lambda: self.clock.time,
            dropped=Figures(self.registry).dropped,
            wake=lambda: None,
        )
        super().__init__(journal=self.journal_kept)

    def written(self) -> Batch:
        return self.journal_kept.take(1_000_000)

    def dropped(self, kind: str) -> float:
        return self.registry.get_sample_value("warmcron_history_dropped_total", {"kind": kind}) or 0.0
