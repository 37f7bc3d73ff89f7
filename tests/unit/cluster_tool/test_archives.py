import hashlib
import json
import tarfile
from pathlib import Path

import pytest

from cluster import controlplane, tarball


@pytest.mark.parametrize(("name", "expected"), [("./usr/bin/", "usr/bin"), ("/etc", "etc"), ("././a", "a"), (".", ".")])
def test_member_names_are_written_one_way(name: str, expected: str) -> None:
    assert tarball.clean(name) == expected


def test_members_are_copied_with_their_kind_and_without_what_is_not_kept(tmp_path: Path) -> None:
    source, target = tmp_path / "a.tar", tmp_path / "b.tar"
    with tarfile.open(source, "w") as archive:
        tarball.add_folder(archive, "./d")
        tarball.add_bytes(archive, "./d/file", b"hello", mode=0o755)
        tarball.add_link(archive, "./d/link", "file")
        tarball.add_bytes(archive, "./secret", b"no")
        hard = tarfile.TarInfo("./d/hard")
        hard.type, hard.linkname = tarfile.LNKTYPE, "./d/file"
        archive.addfile(hard)
    with tarfile.open(target, "w") as archive:
        tarball.copy_members(archive, source, lambda name: name != "secret")
    with tarfile.open(target) as archive:
        assert archive.getnames() == ["d", "d/file", "d/link", "d/hard"]
        assert archive.getmember("d/hard").linkname == "d/file"
        file = archive.extractfile("d/file")
        assert file is not None
        assert file.read() == b"hello"
        assert archive.getmember("d/file").mode == 0o755


def test_each_image_starts_the_program_that_its_name_says() -> None:
    names = ["r/kube-proxy:v1", "r/coredns/coredns:v2", "r/pause:3", "r/etcd:4"]
    images = [controlplane.image_for(name) for name in names]
    assert [image.path for image in images] == ["usr/local/bin/kube-proxy", "coredns", "pause", "usr/local/bin/etcd"]
    assert [image.on_iptables for image in images] == [True, False, False, False]
    assert controlplane.pause_image(names) == "r/pause:3"


def test_the_archive_names_its_layers_by_what_they_hold(tmp_path: Path) -> None:
    for program in ("pause", "kube-proxy"):
        (tmp_path / program).write_text(program)
    root = tmp_path / "root.tar"
    with tarfile.open(root, "w") as archive:
        tarball.add_bytes(archive, "./usr/sbin/iptables", b"")
        tarball.add_bytes(archive, "./usr/bin/bash", b"")
    target = tmp_path / "images.tar"
    controlplane.write_archive(target, ["r/pause:1", "r/kube-proxy:2"], binaries=tmp_path, root=root)
    with tarfile.open(target) as archive:
        contents = {name: member.read() for name in archive.getnames() if (member := archive.extractfile(name))}
    manifest = json.loads(contents["manifest.json"])
    assert [entry["RepoTags"] for entry in manifest] == [["r/pause:1"], ["r/kube-proxy:2"]]
    for entry in manifest:
        digests = [hashlib.sha256(contents[layer]).hexdigest() for layer in entry["Layers"]]
        assert [f"{digest}.tar" for digest in digests] == entry["Layers"]
        config = json.loads(contents[entry["Config"]])
        assert config["rootfs"]["diff_ids"] == [f"sha256:{digest}" for digest in digests]
    assert len(manifest[1]["Layers"]) == 2
