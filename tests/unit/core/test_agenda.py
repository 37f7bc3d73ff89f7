"""What is due, against the simplest lists that do the same; and how far behind others a namespace can come."""

from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule

from warmcron.core.agenda import NEVER, Agenda

keys = st.sampled_from(["a/1", "a/2", "a/3", "b/1", "b/2", "c/1"])
moments = st.integers(0, 20).map(float)


def namespace(key: str) -> str:
    return key.partition("/")[0]


class Lists(RuleBasedStateMachine):
    def __init__(self) -> None:
        super().__init__()
        self.due: dict[str, float] = {}
        self.agenda = Agenda(lambda key: self.due.get(key, NEVER))

    @rule(key=keys, when=moments)
    def put(self, key: str, when: float) -> None:
        self.due[key] = when
        self.agenda.put(key, namespace(key), when)

    @rule(key=keys)
    def drop(self, key: str) -> None:
        self.due.pop(key, None)

    @rule(now=moments, count=st.integers(1, 8))
    def pop(self, now: float, count: int) -> None:
        since: dict[str, int] = {}  # how many others came since a namespace with something due had its turn
        for _ in range(count):
            waiting = {namespace(key) for key, when in self.due.items() if when <= now}
            key = self.agenda.pop(now)
            if key is None:
                assert not waiting
                return
            own = [when for each, when in self.due.items() if namespace(each) == namespace(key)]
            assert self.due.pop(key) == min(own) <= now
            since = {each: since.get(each, 0) + 1 for each in waiting if each != namespace(key)}
            assert max(since.values(), default=0) < 3, "one of three namespaces had three turns to wait"

    @invariant()
    def the_next_is_the_earliest(self) -> None:
        assert self.agenda.next() == min(self.due.values(), default=NEVER)


TestLists = Lists.TestCase
