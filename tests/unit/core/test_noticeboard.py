"""What waits to be posted: repeats are counted, namespaces take turns, and a herd is held to a rate."""

from warmcron.core.noticeboard import BURST, MOST_OF_ONE, MOST_WAITING, RATE, REPEAT_SECONDS, Fate, NoticeBoard, Waiting
from warmcron.core.notices import Notice
from warmcron.core.tasks import NEVER, TaskRef

FAILING = Notice("Warning", "Failing", "Run", "it failed")
RECOVERED = Notice("Normal", "Recovered", "Run", "it is well")
AT = 1_800_000_000.0


def ref(name: str = "task", namespace: str = "ns") -> TaskRef:
    return TaskRef(f"{namespace}/{name}", namespace, name)


class Board(NoticeBoard):
    """A board with a clock, on which both kinds of time pass alike."""

    def __init__(self) -> None:
        super().__init__()
        self.now = 1000.0

    def up(self, where: TaskRef, notice: Notice = FAILING) -> Fate:
        return self.put(where, notice, at=AT + self.now, now=self.now)

    def down(self) -> list[Waiting]:
        """Everything that may go now."""
        found = []
        while isinstance(waiting := self.take(self.now), Waiting):
            found.append(waiting)
        return found


def test_a_notice_goes_at_once_and_goes_once() -> None:
    board = Board()
    assert board.up(ref()) is Fate.WAITS
    (found,) = board.down()
    assert (found.ref, found.notice, found.count) == (ref(), FAILING, 1)
    assert board.take(board.now) == NEVER


def test_repeats_wait_for_their_time_and_go_as_one_that_counts_them() -> None:
    board = Board()
    board.up(ref())
    board.down()
    fates = []
    for _ in range(5):
        board.now += 10
        fates.append(board.up(ref()))
        board.up(ref(), RECOVERED)
    assert fates == [Fate.WAITS] + [Fate.MERGED] * 4
    (recovered,) = board.down()  # another reason does not wait for this one
    assert (recovered.notice, recovered.count) == (RECOVERED, 5)
    assert board.take(board.now) == REPEAT_SECONDS - 50
    board.now += REPEAT_SECONDS
    (failing,) = board.down()
    assert (failing.notice, failing.count, failing.last - failing.first) == (FAILING, 5, 40)


def test_of_what_is_counted_together_the_last_words_are_told() -> None:
    board = Board()
    board.up(ref())
    board.up(ref(), Notice("Warning", "Failing", "Run", "it failed again"))
    (found,) = board.down()
    assert (found.notice.text, found.count) == ("it failed again", 2)


def test_another_task_does_not_wait_for_this_one() -> None:
    board = Board()
    board.up(ref("one"))
    board.down()
    board.up(ref("two"))
    assert [each.ref.name for each in board.down()] == ["two"]


def test_a_herd_goes_in_one_burst_and_then_at_the_rate() -> None:
    board = Board()
    for number in range(MOST_OF_ONE):
        board.up(ref(f"task-{number}"))
    assert len(board.down()) == BURST
    board.now += 5
    assert len(board.down()) == 5 * RATE
    pause = board.take(board.now)
    assert isinstance(pause, float)
    assert 0 < pause <= 1 / RATE


def test_a_namespace_that_fills_the_board_leaves_room_and_turns_to_others() -> None:
    board = Board()
    fates = [board.up(ref(f"task-{number}", "loud")) for number in range(MOST_OF_ONE + 10)]
    assert fates == [Fate.WAITS] * MOST_OF_ONE + [Fate.DROPPED] * 10
    assert board.up(ref("task", "quiet")) is Fate.WAITS
    assert [each.ref.namespace for each in board.down()[:2]] == ["loud", "quiet"]


def test_there_is_an_end_to_what_waits() -> None:
    board = Board()
    for number in range(MOST_WAITING):
        assert board.up(ref("task", f"ns-{number}")) is Fate.WAITS
    assert board.up(ref("task", "one-more")) is Fate.DROPPED
    assert board.up(ref("task", "ns-0")) is Fate.MERGED
    assert len(board) == MOST_WAITING


def test_what_has_gone_makes_room_in_its_namespace() -> None:
    board = Board()
    for number in range(MOST_OF_ONE):
        board.up(ref(f"task-{number}"))
    board.down()
    assert board.up(ref("another")) is Fate.WAITS


def test_what_is_taken_down_is_gone_and_its_place_free() -> None:
    board = Board()
    board.up(ref("one"))
    board.up(ref("two"))
    assert board.clear() == 2
    assert board.take(board.now) == NEVER
    assert board.up(ref("one")) is Fate.WAITS
    assert [each.count for each in board.down()] == [1]


def test_what_it_remembers_of_the_past_is_bounded() -> None:
    board = Board()
    for number in range(20_000):
        board.up(ref(f"task-{number}"))
        board.now += 1 / RATE
        board.down()
    assert len(board._last) < 6000
