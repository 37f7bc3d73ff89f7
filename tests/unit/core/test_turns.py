"""Whose task is first when many are due at once."""

from warmcron.core.tasks import History, Task, TaskRef, Tasks


def test_of_what_is_due_at_once_every_namespace_has_its_turn() -> None:
    tasks = Tasks()
    for namespace, count in (("many", 100), ("few", 1), ("some", 3)):
        for number in range(count):
            ref = TaskRef(f"{namespace}-{number}", namespace, f"t{number}")
            task = Task(ref, 1, 0, None, None, None, History())
            tasks.put(task)
            tasks.schedule(task, next_tick=10, due=10.0)
    assert {task.ref.namespace for task in tasks.pop_due(10.0, 3)} == {"many", "few", "some"}
    assert len(tasks.pop_due(10.0, 1000)) == 101
