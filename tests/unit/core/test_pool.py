"""Which worker gets a run, and why the others do not."""

from collections import Counter
from random import Random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from warmcron.core.pool import Address, NoWorker, Picked, Pool, Worker
from warmcron.core.tasks import PoolKey
from warmcron.spec.task import RoutingPolicy

KEY = PoolKey("ns", "p")


def worker(name: str, *, ready: bool = True, **changes: object) -> Worker:
    found = Worker(f"uid-{name}", name, KEY, Address("10.0.0.1", 8080), ready, handlers=frozenset({"h"}), concurrency=2)
    found.heard = True
    for field, value in changes.items():
        setattr(found, field, value)
    return found


def pool(*workers: Worker) -> Pool:
    found = Pool(Random(3))
    for each in workers:
        found.put(each)
    return found


def pick(
    found: Pool,
    routing: RoutingPolicy = RoutingPolicy.LEAST_LOADED,
    *,
    key: str = "k",
    handler: str = "h",
    avoid: frozenset[str] = frozenset(),
    now: float = 0.0,
) -> Picked | NoWorker:
    return found.pick(KEY, routing=routing, routing_key=key, handler=handler, avoid=avoid, now=now)


def name_of(choice: Picked | NoWorker) -> str:
    assert isinstance(choice, Picked)
    return choice.worker.name


@pytest.mark.parametrize(
    ("found", "why"),
    [
        (worker("x", ready=False, reason="terminating"), "not ready: terminating"),
        (worker("x", address=None), "not ready"),
        (worker("x", handlers=frozenset({"other"})), "handler not registered"),
        (worker("x", busy_until=5.0, busy_reason="WorkerBusy"), "WorkerBusy"),
        (worker("x", runs={"a", "b"}), "full: 2 runs"),
    ],
)
def test_a_worker_that_cannot_take_a_run_is_passed_over_with_its_reason(found: Worker, why: str) -> None:
    choice = pick(pool(found))
    assert isinstance(choice, NoWorker)
    assert choice.filtered == (("x", why),)


@pytest.mark.parametrize(
    ("workers", "reason"),
    [
        ([], "NoReadyWorker"),
        ([worker("a", ready=False)], "NoReadyWorker"),
        # only who is ready can say that a handler does not exist: the other may be the one that has it
        ([worker("a", handlers=frozenset()), worker("b", ready=False)], "HandlerUnknown"),
        ([worker("a", handlers=frozenset()), worker("b", runs={"x", "y"})], "WorkersBusy"),
        ([worker("a", busy_until=9.0)], "WorkersBusy"),
    ],
)
def test_when_nobody_can_take_it_one_word_says_why(workers: list[Worker], reason: str) -> None:
    choice = pick(pool(*workers))
    assert isinstance(choice, NoWorker)
    assert choice.reason == reason


def test_a_worker_that_has_not_said_what_it_can_do_is_tried() -> None:
    assert name_of(pick(pool(worker("a", handlers=None)))) == "a"


def test_the_least_loaded_is_the_one_with_the_smallest_share_of_its_places_taken() -> None:
    choice = pick(pool(worker("small", concurrency=2, runs={"x"}), worker("big", concurrency=10, runs={"y", "z"})))
    assert name_of(choice) == "big"


def test_equal_loads_are_spread() -> None:
    found, names = pool(worker("a"), worker("b"), worker("c")), set[str]()
    for _ in range(3):  # each run has ended before the next begins
        choice = pick(found)
        assert isinstance(choice, Picked)
        found.take(choice.worker, "run")
        found.release(choice.worker, "run")
        names.add(choice.worker.name)
    assert names == {"a", "b", "c"}


def test_in_turn_each_worker_is_next_once() -> None:
    found = pool(worker("a"), worker("b"), worker("c"))
    turns = [name_of(pick(found, RoutingPolicy.ROUND_ROBIN)) for _ in range(6)]
    assert turns == ["a", "b", "c", "a", "b", "c"]


def test_at_random_every_worker_is_chosen_sometimes() -> None:
    found = pool(worker("a"), worker("b"))
    chosen = Counter(name_of(pick(found, RoutingPolicy.RANDOM)) for _ in range(200))
    assert min(chosen["a"], chosen["b"]) > 50


def test_where_it_failed_before_it_goes_only_if_there_is_no_other() -> None:
    found = pool(worker("a"), worker("b"))
    assert name_of(pick(found, avoid=frozenset({"uid-a"}))) == "b"
    found.forget("uid-b")
    assert name_of(pick(found, avoid=frozenset({"uid-a"}))) == "a"


def test_workers_of_another_namespace_are_never_seen() -> None:
    found = pool()
    found.put(Worker("u", "u", PoolKey("other", "p"), Address("10.0.0.1", 1), ready=True))
    assert isinstance(pick(found), NoWorker)


def ring(names: set[str], keys: list[str]) -> dict[str, str]:
    found = pool(*(worker(name) for name in sorted(names)))
    return {key: name_of(pick(found, RoutingPolicy.CONSISTENT_HASH, key=key)) for key in keys}


@given(st.sets(st.text("abcdef", min_size=1, max_size=3), min_size=2, max_size=12), st.data())
def test_when_a_worker_goes_only_its_own_keys_move(names: set[str], data: st.DataObject) -> None:
    gone = data.draw(st.sampled_from(sorted(names)))
    keys = [f"key-{number}" for number in range(60)]
    before, after = ring(names, keys), ring(names - {gone}, keys)
    assert {key for key in keys if before[key] != after[key]} == {key for key in keys if before[key] == gone}


def test_when_a_worker_goes_about_its_share_moves() -> None:
    keys = [f"key-{number}" for number in range(2000)]
    names = {f"pod-{number}" for number in range(10)}
    shares = Counter(ring(names, keys).values())
    assert max(shares.values()) <= 2 * 2000 / 10
    assert min(shares.values()) >= 2000 / 10 / 2


def test_a_worker_that_is_only_busy_moves_its_keys_for_that_time_alone() -> None:
    found = pool(worker("a"), worker("b"))
    home = name_of(pick(found, RoutingPolicy.CONSISTENT_HASH))
    away = found.get(f"uid-{home}")
    assert away is not None
    away.busy_until = 5.0
    found.update(away)
    assert name_of(pick(found, RoutingPolicy.CONSISTENT_HASH, now=1.0)) != home
    assert name_of(pick(found, RoutingPolicy.CONSISTENT_HASH, now=6.0)) == home


def test_a_pool_is_forgotten_with_its_last_worker() -> None:
    found = pool(worker("a"))
    assert (len(found), found.ready_count(KEY)) == (1, 1)
    assert found.forget("uid-a") is not None
    assert found.forget("uid-a") is None
    assert (len(found), found.ready_count(KEY), found.of(KEY)) == (0, 0, [])


def test_everybody_is_who_is_ready_and_has_the_handler_by_name_and_busy_or_not() -> None:
    found = pool(
        worker("c", runs={"x", "y"}),
        worker("a", busy_until=9.0),
        worker("b", handlers=frozenset({"other"})),
        worker("d", ready=False),
    )
    everybody = found.everybody(KEY, handler="h")
    assert not isinstance(everybody, NoWorker)
    assert [each.name for each in everybody] == ["a", "c"]
    nobody = pool(worker("b", handlers=frozenset({"other"}))).everybody(KEY, handler="h")
    assert isinstance(nobody, NoWorker)
    assert nobody.reason == "HandlerUnknown"


def test_one_certain_worker_is_picked_or_waited_for_or_gone() -> None:
    found = pool(worker("a"), worker("b", runs={"x", "y"}))
    assert name_of(found.pick_one("uid-a", handler="h", now=0)) == "a"
    assert found.pick_one("uid-b", handler="h", now=0) == NoWorker("WorkersBusy", (("b", "full: 2 runs"),))
    assert found.pick_one("uid-z", handler="h", now=0) == NoWorker("PodGone", ())
