"""Lines and events: bounded, numbered, in order."""

import threading

import pytest

from warmworker import ending, outbox, output
from warmworker.errors import Reject
from warmworker.runs import Step

NOW = 1_700_000_000.0


def written(*pieces: str) -> list[str]:
    found = output.Output()
    for piece in pieces:
        found.write("stdout", piece)
    found.finish()
    return [line["text"] for line in found.take()]


@pytest.mark.parametrize(
    ("pieces", "lines"),
    [
        (("a\n",), ["a"]),
        (("a", "\n"), ["a"]),  # as print writes
        (("a\nb", "c\n\n"), ["a", "bc", ""]),
        (("no end",), ["no end"]),
        (("",), []),
        (("x" * 20_000 + "\n",), ["x" * (16 * 1024 - 13) + " … (line cut)"]),
        (("y" * 20_000,), ["y" * (16 * 1024 - 13) + " … (line cut)"]),  # does not wait for an end that may never come
    ],
)
def test_lines_are_what_lies_between_line_ends(pieces: tuple[str, ...], lines: list[str]) -> None:
    assert written(*pieces) == lines


def test_what_does_not_fit_is_counted_in_its_place() -> None:
    found = output.Output()
    for _ in range(100):
        found.write("stdout", "x" * 16_000 + "\n")
    kept = len(found.take(10 * 16_100))
    found.write("stdout", "after\n")
    lines = [line["text"] for line in found.take()]
    dropped = 100 - kept - (len(lines) - 2)
    assert lines[-2:] == [f"… {dropped} lines dropped", "after"]
    assert not found


def test_lines_of_many_threads_are_all_there() -> None:
    found = output.Output()

    def speak(number: int) -> None:
        for _ in range(200):
            found.write("stdout", f"{number}\n")

    threads = [threading.Thread(target=speak, args=(number,)) for number in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(line["text"] for line in found.take()) == sorted(
        str(number) for number in range(8) for _ in range(200)
    )


def test_events_keep_their_numbers_until_they_are_acknowledged() -> None:
    lines = output.Output()
    box = outbox.Outbox(lines)
    box.add("Started", NOW)
    lines.write("stdout", "one\n")
    lines.progress(0.5, "half")
    first = box.batch(NOW)
    assert [(event["seq"], event["type"]) for event in first] == [(1, "Started"), (2, "Log"), (3, "Progress")]
    lines.write("stdout", "two\n")
    box.finish(NOW, outcome="Succeeded")
    assert box.batch(NOW) == first  # unchanged: the answer to it may be on its way
    box.acknowledge(2)
    assert [event["seq"] for event in box.batch(NOW)] == [3]
    box.acknowledge(3)
    assert [(event["seq"], event["type"]) for event in box.batch(NOW)] == [(4, "Log"), (5, "Finished")]
    assert not box.complete
    box.acknowledge(5)
    assert box.complete
    assert box.batch(NOW) == []


def test_finished_comes_after_the_last_line_however_many_there_are() -> None:
    lines = output.Output()
    for number in range(60):
        lines.write("stdout", f"{number:02d}" + "x" * 16_000 + "\n")
    box = outbox.Outbox(lines)
    box.finish(NOW, outcome="Succeeded")
    seen: list[str] = []
    kinds: list[str] = []
    while not box.complete:
        for event in (batch := box.batch(NOW)):
            kinds.append(event["type"])
            seen += [line["text"][:2] for line in event.get("lines", [])]
        box.acknowledge(batch[-1]["seq"])
    assert seen == [f"{number:02d}" for number in range(60)]
    assert kinds.count("Finished") == 1
    assert kinds[-1] == "Finished"


@pytest.mark.parametrize(
    ("value", "result", "note"),
    [
        (None, None, False),
        ({"rows": 3}, {"rows": 3}, False),
        (0, 0, False),
        ({1: "a"}, {"1": "a"}, False),
        (float("nan"), None, True),  # no JSON has a word for it
        (object(), None, True),
        ("x" * 70_000, None, True),
    ],
)
def test_a_result_is_kept_when_it_is_json(value: object, result: object, note: bool) -> None:
    found = ending.returned(value)
    assert (found.step, found.result, found.note is not None) == (Step.SUCCEED, result, note)


def test_an_error_says_what_and_where_within_bounds() -> None:
    found = ending.raised(ValueError("x" * 10_000))
    assert found.error is not None
    assert (found.error["type"], len(found.error["message"])) == ("ValueError", 4096)
    assert ending.raised(Reject("no")).rejected
    assert not ending.raised(ValueError()).rejected
