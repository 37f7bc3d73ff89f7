from pathlib import Path

from cluster import programs, versions

OUT = Path("/out")


def test_one_call_builds_all_programs_of_the_same_flags() -> None:
    calls = programs.builds(["kubelet", "kubectl", "ctr", "kind"], OUT)
    assert [call.makes for call in calls] == [("kubelet", "kubectl"), ("ctr", "kind")]
    assert all(call.argv[call.argv.index("-o") + 1] == "/out/" for call in calls)


def test_a_program_that_go_would_name_otherwise_is_built_alone() -> None:
    calls = programs.builds(["etcd", "helm3", "ctr"], OUT)
    assert {call.makes: call.argv[call.argv.index("-o") + 1] for call in calls} == {
        ("ctr",): "/out/",
        ("etcd",): "/out/etcd",
        ("helm3",): "/out/helm3",
    }


def test_every_program_is_made_by_exactly_one_call() -> None:
    calls = programs.builds(programs.BY_NAME, OUT)
    made = [name for call in calls for name in call.makes]
    assert sorted(made) == sorted(programs.BY_NAME)


def test_nothing_is_built_for_nothing() -> None:
    assert programs.builds([], OUT) == []


def test_go_mod_is_never_changed_by_a_build() -> None:
    assert all("-mod=readonly" in call.argv for call in programs.builds(programs.BY_NAME, OUT))


def test_kubernetes_says_its_version() -> None:
    assert f".gitVersion=v{versions.KUBERNETES} " in programs.BY_NAME["kubelet"].flags + " "


def test_helm_says_its_version() -> None:
    assert programs.BY_NAME["helm3"].flags.find(f"version.version=v{versions.HELM3}") > 0
    assert programs.BY_NAME["helm4"].flags.find(f"version.version=v{versions.HELM4}") > 0
