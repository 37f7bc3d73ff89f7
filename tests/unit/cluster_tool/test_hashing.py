from pathlib import Path

from cluster import hashing


def test_a_key_is_short_and_does_not_depend_on_the_order_of_its_parts() -> None:
    first = hashing.key({"a": "1", "b": b"2"})
    assert first == hashing.key({"b": "2", "a": "1"})
    assert len(first) == hashing.KEY_LENGTH


def test_what_moves_from_a_name_into_a_value_changes_the_key() -> None:
    assert hashing.key({"ab": "c"}) != hashing.key({"a": "bc"})
    assert hashing.key({"a": "b", "c": "d"}) != hashing.key({"a": "bc", "d": ""})


def test_files_are_read_with_their_folders_and_without_what_running_leaves_behind(tmp_path: Path) -> None:
    for name in ("one.py", "deep/two.py", "deep/__pycache__/two.pyc", "deep/old.pyc", "other.txt"):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text(name)
    assert hashing.files(tmp_path, ["one.py", "deep", "absent"]) == {
        "one.py": b"one.py",
        "deep/two.py": b"deep/two.py",
    }


def test_a_renamed_file_changes_the_key(tmp_path: Path) -> None:
    (tmp_path / "a").write_text("x")
    before = hashing.key(hashing.files(tmp_path, ["a", "b"]))
    (tmp_path / "a").rename(tmp_path / "b")
    assert hashing.key(hashing.files(tmp_path, ["a", "b"])) != before


def test_the_go_programs_are_built_anew_when_a_module_or_a_main_package_changes(repo: Path, tmp_path: Path) -> None:
    source = repo / "tools/cluster/node"
    for name in ("go.mod", "go.sum", "coredns/main.go", "pause/main.go"):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_bytes((source / name).read_bytes())
    keys = {hashing.go_key(tmp_path)}
    for name in ("go.mod", "go.sum", "coredns/main.go", "pause/main.go"):
        (tmp_path / name).write_text((tmp_path / name).read_text() + "\n")
        keys.add(hashing.go_key(tmp_path))
    assert len(keys) == 5


def test_comments_and_layout_do_not_count_as_a_change_of_code() -> None:
    one = 'def f(a: int) -> int:\n    """Adds."""\n    return a + 1  # one more\n'
    other = 'def f(\n    a: int,\n) -> int:\n    """Says it otherwise."""\n    return a + 1\n'
    changed = 'def f(a: int) -> int:\n    """Adds."""\n    return a + 2\n'
    assert hashing.meaning(one) == hashing.meaning(other)
    assert hashing.meaning(one) != hashing.meaning(changed)


def test_the_modules_that_lay_out_the_node_are_all_there(repo: Path) -> None:
    assert all((repo / "tools/cluster" / name).is_file() for name in hashing.LAYOUT_CODE)
