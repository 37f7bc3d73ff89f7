"""Whose task is first when more is due than can be sent at once: 10,000 of one namespace starve no other's one."""

from warmcron.core.table import Tasks
from warmcron.core.tasks import History, Task, TaskRef


def add(tasks: Tasks, namespace: str, count: int, *, due: float) -> None:
    for number in range(count):
        task = Task(TaskRef(f"{namespace}-{number}", namespace, f"t{number}"), 1, 0, None, None, None, History())
        tasks.put(task)
        tasks.schedule(task, next_tick=int(due), due=due)


def test_of_what_is_due_at_once_every_namespace_has_its_turn() -> None:
    tasks = Tasks()
    for namespace, count in (("many", 10_000), ("few", 1), ("some", 3)):
        add(tasks, namespace, count, due=10.0)
    assert {task.ref.namespace for task in tasks.pop_due(10.0, 3)} == {"many", "few", "some"}
    assert len(tasks.pop_due(10.0, 20_000)) == 10_001


def test_a_task_that_is_due_while_a_herd_is_being_sent_is_the_next_but_one() -> None:
    tasks = Tasks()
    add(tasks, "many", 10_000, due=10.0)
    add(tasks, "few", 1, due=11.0)
    for _ in range(100):  # what an engine sends in the first second: 50 in each turn
        assert {task.ref.namespace for task in tasks.pop_due(10.9, 50)} == {"many"}
    assert "few" in [task.ref.namespace for task in tasks.pop_due(11.0, 2)]
    assert len(tasks.pop_due(11.0, 20_000)) == 4999
