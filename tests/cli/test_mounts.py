"""The file system of a folder is the file system of the nearest mount above the folder."""

from __future__ import annotations

from pathlib import Path

import pytest

from connector.cli.mounts import file_system_type, network_file_system

MOUNTS = r"""22 27 0:21 / /proc rw,relatime - proc proc rw
27 1 254:0 / / rw,relatime shared:1 - ext4 /dev/vda rw
36 27 0:50 / /data rw,noatime master:1 - nfs4 server:/export rw,vers=4.2
37 36 8:1 / /data/local rw - xfs /dev/sda1 rw
38 27 0:51 / /mnt/my\040disk rw - cifs //server/share rw
39 27 0:52 / /twice rw - nfs server:/ rw
40 39 0:53 / /twice rw - tmpfs tmpfs rw
"""


@pytest.mark.parametrize(
    ("folder", "kind"),
    [
        ("/var/lib/connector.journal", "ext4"),
        ("/data", "nfs4"),
        ("/data/connector.journal", "nfs4"),
        ("/data/local/connector.journal", "xfs"),
        ("/database", "ext4"),
        ("/mnt/my disk/connector.journal", "cifs"),
        ("/twice/connector.journal", "tmpfs"),
    ],
)
def test_the_file_system_of_a_folder_is_the_nearest_mount_above_it(folder: str, kind: str) -> None:
    assert file_system_type(Path(folder), MOUNTS) == kind


def test_the_disk_of_these_tests_is_a_local_file_system(tmp_path: Path) -> None:
    assert network_file_system(tmp_path) is None


def test_a_system_that_does_not_list_its_mounts_is_trusted(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("connector.cli.mounts.MOUNTS", tmp_path / "missing")
    assert network_file_system(tmp_path) is None
