"""What exists, from a watch that loses things and lists that repair it."""

from typing import Any

from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from warmcron.kube.mirror import Mirror

uids = st.sampled_from(["a", "b", "c"])


def raw(uid: str, version: int = 0) -> dict[str, Any]:
    return {"metadata": {"uid": uid}, "version": version}


class Known:
    def __init__(self) -> None:
        self.objects: dict[str, int] = {}
        self.mirror = Mirror(apply=self._apply, forget=self._forget)

    def _apply(self, found: dict[str, Any]) -> None:
        self.objects[found["metadata"]["uid"]] = found["version"]

    def _forget(self, found: dict[str, Any]) -> None:
        self.objects.pop(found["metadata"]["uid"], None)


def test_a_list_tells_what_the_watch_did_not() -> None:
    known = Known()
    known.mirror.event("ADDED", raw("stays"))
    known.mirror.event("ADDED", raw("deleted unseen"))
    mark = known.mirror.begin()
    assert known.mirror.compare(mark, [raw("stays"), raw("added unseen")]) == (1, 1)
    assert set(known.objects) == {"stays", "added unseen"}


def test_an_event_during_the_list_is_newer_than_the_list() -> None:
    known = Known()
    known.mirror.event("ADDED", raw("x", 1))
    known.mirror.event("ADDED", raw("gone", 1))
    mark = known.mirror.begin()
    known.mirror.event("MODIFIED", raw("x", 2))
    known.mirror.event("DELETED", raw("gone"))
    known.mirror.event("ADDED", raw("new", 1))
    assert known.mirror.compare(mark, [raw("x", 1), raw("gone", 1)]) == (0, 0)
    assert known.objects == {"x": 2, "new": 1}


def test_from_a_list_that_was_not_read_to_its_end_nothing_follows() -> None:
    known = Known()
    known.mirror.event("ADDED", raw("x"))
    known.mirror.begin()
    known.mirror.abandon()
    assert set(known.objects) == {"x"}


class Watched(RuleBasedStateMachine):
    """A cluster, a watch that may lose events, and lists read at some moment: after a list all is as it is."""

    def __init__(self) -> None:
        super().__init__()
        self.known = Known()
        self.real: dict[str, int] = {}
        self.version = 0
        self.listing: tuple[int, dict[str, int] | None] | None = None
        self.faithful = True

    @rule(uid=uids, seen=st.booleans())
    def change(self, uid: str, seen: bool) -> None:
        self.version += 1
        self.real[uid] = self.version
        self._tell("MODIFIED", uid, seen)

    @rule(uid=uids, seen=st.booleans())
    def delete(self, uid: str, seen: bool) -> None:
        if self.real.pop(uid, None) is not None:
            self._tell("DELETED", uid, seen)

    def _tell(self, kind: str, uid: str, seen: bool) -> None:
        if seen:
            self.known.mirror.event(kind, raw(uid, self.real.get(uid, 0)))
        else:
            self.faithful = False

    @precondition(lambda self: self.listing is None)
    @rule()
    def begin(self) -> None:
        self.listing = (self.known.mirror.begin(), None)
        self.faithful = True  # what was lost before is what the list repairs

    @precondition(lambda self: self.listing is not None and self.listing[1] is None)
    @rule()
    def read(self) -> None:
        assert self.listing is not None
        self.listing = (self.listing[0], dict(self.real))

    @precondition(lambda self: self.listing is not None and self.listing[1] is not None)
    @rule()
    def compare(self) -> None:
        assert self.listing is not None
        mark, listed = self.listing
        assert listed is not None
        self.known.mirror.compare(mark, [raw(uid, version) for uid, version in listed.items()])
        self.listing = None
        if self.faithful:
            assert self.known.objects == self.real

    @invariant()
    def counts_what_it_knows(self) -> None:
        assert len(self.known.mirror) == len(self.known.objects)


TestWatched = Watched.TestCase
