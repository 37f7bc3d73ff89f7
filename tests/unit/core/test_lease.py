"""Leadership as one candidate sees it: what it does next, and when it may act."""

import pytest

from warmcron.core.lease import RELEASED_SECONDS, Acquire, Create, Election, Observed, Renew, Step, Watch

FIRST = 50_000_000


def candidate(name: str = "me") -> Election:
    return Election(name, duration=4, margin=0.5, retry=0.5)


def held(holder: str, *, renewed: str = "t1", epoch: int = 7, version: str = "v1") -> Observed:
    return Observed(holder, renewed, 4.0, epoch, version)


def released(*, epoch: int) -> Observed:
    return Observed("", "t1", RELEASED_SECONDS, epoch, "v1")


def next_step(election: Election, now: float) -> Step:
    return election.step(now, first_epoch=FIRST)


def test_before_anything_was_seen_it_looks() -> None:
    assert next_step(candidate(), 100) == Watch(0.0)


def test_a_lease_that_is_not_there_is_made_at_once_and_taken_only_after_any_term_of_it_must_have_ended() -> None:
    election = candidate()
    election.observe(None, 100)
    assert next_step(election, 100) == Create(FIRST)
    election.observe(held("", epoch=FIRST), 100.5)  # ours or another's: nobody has it yet
    assert next_step(election, 100.5) == Watch(0.5)
    election.observe(held("", epoch=FIRST), 104.4)
    step = next_step(election, 104.4)
    assert isinstance(step, Watch)
    assert step.seconds == pytest.approx(0.1)
    assert next_step(election, 104.5) == Acquire(FIRST + 1, "v1")


def test_one_that_was_made_held_and_deleted_between_two_looks_is_waited_for_too() -> None:
    election = candidate()
    election.observe(None, 100)
    # Another made one, took it at 104 and lost it to a deletion at 105; its term lasts to 108.
    assert next_step(election, 105) == Create(FIRST)
    election.observe(held("", epoch=FIRST), 105)
    assert isinstance(next_step(election, 108.9), Watch)


def test_a_lease_made_anew_counts_on_from_the_highest_term_that_was_seen() -> None:
    election = candidate()
    election.observe(held("other", epoch=FIRST + 9), 100)
    election.observe(None, 101)
    assert next_step(election, 105) == Create(FIRST + 10)


def test_a_lease_that_was_never_held_counts_from_the_clock() -> None:
    election = candidate()
    election.observe(released(epoch=0), 100)
    assert next_step(election, 100) == Acquire(FIRST, "v1")


def test_a_released_lease_is_taken_at_once_in_the_next_term() -> None:
    election = candidate()
    election.observe(released(epoch=7), 100)
    assert next_step(election, 100) == Acquire(8, "v1")


def test_a_lease_of_another_is_taken_only_when_we_have_seen_it_stand_still_for_its_whole_duration() -> None:
    election = candidate()
    election.observe(held("other"), 100)
    assert next_step(election, 102) == Watch(0.5)
    election.observe(held("other"), 103.9)  # as before: it keeps the age that it has for us
    step = next_step(election, 103.9)
    assert isinstance(step, Watch)
    assert step.seconds == pytest.approx(0.1)
    assert next_step(election, 104) == Acquire(8, "v1")


def test_a_renewal_that_we_see_starts_the_wait_anew() -> None:
    election = candidate()
    election.observe(held("other"), 100)
    election.observe(held("other", renewed="t2", version="v2"), 103)
    assert next_step(election, 104) == Watch(0.5)
    assert next_step(election, 107) == Acquire(8, "v2")


def test_the_term_counts_from_when_the_write_left_and_ends_a_margin_early() -> None:
    election = candidate()
    election.wrote(held("me", epoch=8), asked_at=100)
    assert election.epoch == 8
    assert election.leads(103.4)
    assert not election.leads(103.5)
    assert next_step(election, 101) == Renew("v1")


def test_seeing_another_as_the_holder_ends_the_term() -> None:
    election = candidate()
    election.wrote(held("me", epoch=8), asked_at=100)
    election.observe(held("other", epoch=9, version="v2"), 100.1)
    assert not election.leads(100.1)
    assert election.epoch == 0


def test_a_write_that_was_refused_ends_the_term() -> None:
    election = candidate()
    election.wrote(held("me", epoch=8), asked_at=100)
    election.lost()
    assert not election.leads(100)


def test_a_write_of_ours_without_an_answer_is_found_by_reading() -> None:
    election = candidate()
    election.observe(held("other"), 100)
    election.observe(held("me", epoch=8, renewed="t2", version="v2"), 104.5)  # it did arrive
    assert not election.leads(104.5)  # nobody told us when it was written
    assert next_step(election, 104.5) == Acquire(9, "v2")


def test_a_name_used_again_does_not_inherit_the_term() -> None:
    election = candidate()
    election.observe(held("me", epoch=7), 100)
    assert not election.leads(100)
    assert next_step(election, 100) == Acquire(8, "v1")


def test_a_leader_whose_lease_is_deleted_acts_no_longer_than_its_term() -> None:
    election = candidate()
    election.wrote(held("me", epoch=8), asked_at=100)
    election.observe(None, 101)
    assert election.leads(101)
    assert not election.leads(103.5)
    assert next_step(election, 101) == Create(FIRST)
    election.observe(held("", epoch=FIRST), 101)
    assert not election.leads(101)
