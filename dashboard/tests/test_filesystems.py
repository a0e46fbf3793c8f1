"""SQLite's database on a network file system, or in a file that cannot be one, stops the start in words."""

from __future__ import annotations

import ctypes
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from django.conf import settings

from dashboard import filesystems

MOUNTS = """\
22 27 0:21 / /proc rw,relatime - proc proc rw
27 1 254:0 / / rw,relatime - ext4 /dev/vda rw
31 27 0:31 / /data rw,relatime shared:1 - nfs4 nas:/volume1 rw,vers=4.2
32 31 254:1 / /data/local rw - xfs /dev/vdb rw
33 27 0:33 / /media/my\\040share rw master:2 propagate_from:1 - cifs //nas/share rw
34 27 0:34 / /home/mara/remote rw - fuse.sshfs mara@host: rw
35 27 0:35 / /twice rw - ext4 /dev/vdc rw
36 27 0:36 / /twice rw - nfs nas:/twice rw
37 27 0:37 / /mnt/c rw - 9p C: rw
"""


@pytest.mark.parametrize(
    ("path", "kind"),
    [
        ("/srv/events.sqlite3", "ext4"),
        ("/data/events.sqlite3", "nfs4"),
        ("/data/local/events.sqlite3", "xfs"),  # a disk mounted below it
        ("/database/events.sqlite3", "ext4"),  # begins with the same letters
        ("/media/my share/events.sqlite3", "cifs"),  # a blank is written \040
        ("/home/mara/remote/a/b", "fuse.sshfs"),
        ("/twice/events.sqlite3", "nfs"),  # the later hides the former
        ("/mnt/c/events.sqlite3", "9p"),
    ],
)
def test_the_mount_that_a_path_lies_on(path: str, kind: str) -> None:
    assert filesystems.kind_of(path, MOUNTS) == kind


@pytest.mark.parametrize("mountinfo", ["", "nonsense", "1 2 3\n4 5 6 - \n"])
def test_what_cannot_be_read_is_not_known(mountinfo: str) -> None:
    assert filesystems.kind_of("/data/x", mountinfo) == ""


@pytest.mark.parametrize(
    "kind", ["ext4", "xfs", "btrfs", "zfs", "tmpfs", "overlay", "fuse.fuse-overlayfs", "virtiofs", ""]
)
def test_local_disks_those_of_containers_and_unknown_ones_are_fine(kind: str) -> None:
    assert kind not in filesystems.NETWORK


def test_this_machines_own_folders_are_fine(tmp_path: Path) -> None:
    assert filesystems.why_not(tmp_path / "events.sqlite3") == ""
    assert filesystems.why_not(tmp_path / "not" / "yet" / "events.sqlite3") == ""
    (tmp_path / "empty").touch()
    assert filesystems.why_not(tmp_path / "empty") == ""


def test_a_link_is_followed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    mounts = tmp_path / "mountinfo"
    mounts.write_text(f"1 0 0:1 / / rw - ext4 x rw\n2 1 0:2 / {tmp_path}/nas rw - nfs nas: rw\n")
    monkeypatch.setattr(filesystems, "MOUNTS", mounts)
    (tmp_path / "nas").mkdir()
    (tmp_path / "data").symlink_to(tmp_path / "nas")
    assert "network file system (nfs)" in filesystems.why_not(tmp_path / "data" / "events.sqlite3")


def test_a_file_that_is_no_database_is_refused(tmp_path: Path) -> None:
    (tmp_path / "events.sqlite3").write_text("hello")
    assert "no SQLite database" in filesystems.why_not(tmp_path / "events.sqlite3")
    assert filesystems.why_not(tmp_path) == "it is no file"


def test_a_folder_that_may_not_be_written_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "access", lambda *_: False)  # the tests may run as root, who may everything
    assert f"may not write the folder {tmp_path}" in filesystems.why_not(tmp_path / "events.sqlite3")
    (tmp_path / "events.sqlite3").touch()
    assert "may not read and write it" in filesystems.why_not(tmp_path / "events.sqlite3")


@pytest.fixture
def remote(tmp_path: Path) -> Iterator[Path]:
    """A mount of sshfs's kind, whose server is gone: what the kernel knows of it is all that is looked at."""
    if os.geteuid() != 0 or not os.access("/dev/fuse", os.R_OK | os.W_OK):
        pytest.xfail("only root may mount, and /dev/fuse must be there")
    folder = tmp_path / "remote"
    folder.mkdir()
    libc = ctypes.CDLL(None, use_errno=True)
    device = os.open("/dev/fuse", os.O_RDWR)
    options = f"fd={device},rootmode=40000,user_id=0,group_id=0".encode()
    is_mounted = libc.mount(b"nobody@nowhere:", bytes(folder), b"fuse.sshfs", 0, options) == 0
    os.close(device)
    if not is_mounted:
        pytest.xfail(f"cannot mount here: {os.strerror(ctypes.get_errno())}")
    yield folder
    libc.umount2(bytes(folder), 2)  # MNT_DETACH


@pytest.mark.parametrize("command", ["up", "web", "cluster", "migrate"])
def test_nothing_starts_on_a_network_file_system(remote: Path, tmp_path: Path, command: str) -> None:
    environment = os.environ | {
        "DATA_DIR": str(tmp_path / "keys"),
        "DATABASE_URL": f"sqlite:///{remote}/events.sqlite3",
    }
    start = [sys.executable, str(Path(settings.BASE_DIR) / "manage.py"), command]
    ended = subprocess.run(start, env=environment, capture_output=True, text=True, timeout=60, check=False)
    assert ended.returncode != 0
    last_line = ended.stderr.strip().splitlines()[-1]
    assert f"DATABASE_URL=sqlite:///{remote}/events.sqlite3 is not allowed" in last_line
    assert "a network file system (fuse.sshfs)" in last_line
    assert "PostgreSQL" in last_line
