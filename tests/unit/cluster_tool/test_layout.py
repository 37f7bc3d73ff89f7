from pathlib import Path

import pytest

from cluster import layout


@pytest.mark.parametrize(
    ("name", "kept"),
    [
        ("usr/bin/bash", True),
        ("usr/lib/systemd/system/multi-user.target.wants", True),
        ("usr/lib/systemd/system/multi-user.target.wants/getty.target", False),
        ("etc/systemd/system/timers.target.wants/apt-daily.timer", False),
        ("usr/lib/systemd/system/sockets.target.wants/systemd-initctl.socket", False),
        ("usr/lib/systemd/system/sockets.target.wants/systemd-journald.socket", True),
        ("etc/resolv.conf", False),  # names the machine that built it
        ("usr/sbin/init", False),  # our own link takes its place
    ],
)
def test_units_that_make_no_sense_in_a_container_are_left_out(name: str, kept: bool) -> None:
    assert layout.is_kept(name) is kept


@pytest.mark.parametrize(
    ("name", "needed"),
    [
        ("usr/sbin/iptables", True),
        ("usr/sbin/xtables-nft-multi", True),
        ("etc/alternatives/iptables-restore", True),
        ("usr/lib/x86_64-linux-gnu/libmnl.so.0", True),
        ("usr/lib/aarch64-linux-gnu/xtables/libxt_tcp.so", True),
        ("lib64", True),
        ("usr/lib64/ld-linux-x86-64.so.2", True),
        ("usr/lib/x86_64-linux-gnu/systemd/libsystemd-core.so", False),
        ("usr/bin/bash", False),
        ("usr/share/doc/iptables", False),
    ],
)
def test_kube_proxys_image_holds_iptables_and_what_it_links_to(name: str, needed: bool) -> None:
    assert layout.is_for_iptables(name) is needed


def test_containerd_takes_the_sandbox_image_that_the_node_holds() -> None:
    text = '  sandbox_image = "some/pause:1"\n  restrict_oom_score_adj = false\n'
    assert layout.containerd_config(text, "some/pause:2") == (
        '  sandbox_image = "some/pause:2"\n  restrict_oom_score_adj = true\n'
    )


def test_a_container_spec_gets_kinds_hook_and_loses_its_limits() -> None:
    spec = {"process": {"rlimits": [1], "args": ["sh"]}, "hooks": {"createContainer": [{"path": "/a"}]}, "x": 1}
    assert layout.container_spec(spec) == {
        "process": {"args": ["sh"]},
        "hooks": {"createContainer": [{"path": "/a"}, {"path": "/kind/bin/mount-product-files.sh"}]},
        "x": 1,
    }
    assert layout.container_spec({"process": {}})["hooks"]["createContainer"]


def test_kinds_scripts_become_executable_and_licenses_stay_away(tmp_path: Path) -> None:
    for name in ("usr/local/bin/entrypoint", "kind/bin/a.sh", "etc/containerd/config.toml", "LICENSES/README.txt"):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text('sandbox_image = "p:1"\n')
    files = layout.from_kind(tmp_path, "p:2")
    assert {name: file.mode for name, file in files.items()} == {
        "usr/local/bin/entrypoint": 0o755,
        "kind/bin/a.sh": 0o755,
        "etc/containerd/config.toml": 0o644,
    }
    assert files["etc/containerd/config.toml"].data == b'sandbox_image = "p:2"\n'


def test_our_own_files_are_all_committed(repo: Path) -> None:
    files = layout.our_own(repo / "tools/cluster/node", "v1.2.3", {"process": {}})
    assert files["kind/version"].data == b"v1.2.3"
    assert files["usr/local/bin/crictl"].mode == 0o755
