"""Where a SQLite database may lie: on a disk of this machine, in a file of its own."""

from __future__ import annotations

import os
import re
from pathlib import Path

# By the names that Linux gives them. Locks there are another machine's word, or nobody's, and the memory that all
# processes of SQLite share (its -shm file) is not shared: https://sqlite.org/wal.html, https://sqlite.org/howtocorrupt.html
NETWORK = frozenset(
    {
        *("nfs", "nfs4", "cifs", "smb3", "smbfs", "9p", "afs", "ncpfs", "coda", "davfs"),
        *("ceph", "glusterfs", "lustre", "beegfs", "orangefs", "pvfs2", "panfs", "gpfs"),
        # Folders of a host that its guest is let into.
        *("vboxsf", "vmhgfs", "prl_fs", "fuse.vmhgfs-fuse", "fuse.osxfs", "fuse.grpcfuse"),
        *("fuse.sshfs", "fuse.nfs", "fuse.smbnetfs", "fuse.curlftpfs", "fuse.davfs", "fuse.davfs2", "fuse.rclone"),
        *(
            "fuse.ceph",
            "fuse.ceph-fuse",
            "fuse.glusterfs",
            "fuse.mfs",
            "fuse.lizardfs",
            "fuse.seaweedfs",
            "fuse.juicefs",
        ),
        *(
            "fuse.s3fs",
            "fuse.s3ql",
            "fuse.goofys",
            "fuse.mountpoint-s3",
            "fuse.gcsfuse",
            "fuse.blobfuse",
            "fuse.blobfuse2",
        ),
    }
)
MOUNTS = Path("/proc/self/mountinfo")
_HEADER = b"SQLite format 3\0"
_ESCAPED = re.compile(r"\\([0-7]{3})")


def kind_of(path: str, mountinfo: str) -> str:
    """Return the kind of file system that an absolute path lies on, "" when it is not known.

    `mountinfo` is the text of /proc/self/mountinfo, see proc(5).
    """
    found, longest = "", -1
    for line in mountinfo.splitlines():
        before, _, after = line.partition(" - ")
        fields = before.split(" ")
        if len(fields) < 5 or not after:
            continue
        place = _ESCAPED.sub(lambda match: chr(int(match[1], 8)), fields[4])
        # Of two at one place the later hides the former.
        if len(place) >= longest and (path == place or path.startswith(place.rstrip("/") + "/")):
            found, longest = after.split(" ")[0], len(place)
    return found


def why_not(path: Path) -> str:
    """Return why SQLite cannot keep its database at this path, in words, or "" when nothing speaks against it."""
    try:
        kind = kind_of(os.path.realpath(path), MOUNTS.read_text(encoding="utf-8", errors="surrogateescape"))
    except OSError:
        kind = ""  # no Linux
    if kind in NETWORK:
        return f"it lies on a network file system ({kind}), where SQLite loses data"
    try:
        return _why_not_this_file(path) if path.exists() else _why_not_in_folder(path.parent)
    except OSError as error:
        return f"it cannot be read: {error.strerror}"


def _why_not_in_folder(folder: Path) -> str:
    if folder.exists() and not os.access(folder, os.W_OK | os.X_OK):
        return f"this user may not write the folder {folder}"
    return ""


def _why_not_this_file(path: Path) -> str:
    """Its beginning only: to look through all of it (PRAGMA quick_check) takes minutes for a large one."""
    if not path.is_file():
        return "it is no file"
    if not os.access(path, os.R_OK | os.W_OK):
        return "this user may not read and write it"
    with open(path, "rb") as file:
        head = file.read(len(_HEADER))
    if head not in (b"", _HEADER):
        return "it is no SQLite database, or its beginning is damaged: restore a backup"
    return _why_not_in_folder(path.parent)  # where the write-ahead log stands beside it
