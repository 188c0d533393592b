# Copyright (c) 2026, wwhd
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Archives, sizes, versions and manifests: the pure parts of saving and restoring."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from ansible_collections.wwhd.qdrant_ops.plugins.module_utils._ecs.errors import OperationFailed
from ansible_collections.wwhd.qdrant_ops.plugins.module_utils._snapshots.files import human_size, tar_fault
from ansible_collections.wwhd.qdrant_ops.plugins.module_utils._snapshots.manifest import Manifest, read_set
from ansible_collections.wwhd.qdrant_ops.plugins.module_utils._snapshots.restoring import (
    restored_faults,
    version_fault,
)
from ansible_collections.wwhd.qdrant_ops.tests.unit.snapshot_server import archive

WHOLE = archive({1: [0.1, 0.2]}, padding=3000)
# Two members: 512 + 512, and 512 + 3072; zeros from here on.
END = 512 + 512 + 512 + 3072
MANIFEST = Manifest(
    collection="documents",
    file="documents.snapshot",
    size=1,
    sha256="0" * 64,
    points_count=24,
    points_before=24,
    status="green",
    created_at="2026-11-23T15:04:05.678Z",
    source="http://qdrant",
    vectors={"": {"size": 2, "distance": "Cosine"}},
    payload_indexes={"source": "keyword"},
)
FOUND: dict[str, Any] = {
    "points_count": 24,
    "status": "green",
    "vectors": {"": {"size": 2, "distance": "Cosine"}},
    "payload_indexes": {"source": "keyword"},
    "query_hits": 10,
    "query_note": None,
}


@pytest.mark.parametrize(
    ("content", "fault"),
    [
        (WHOLE, None),
        (WHOLE[: END + 512], None),
        (WHOLE[:END], "its end is missing"),
        (WHOLE[: END - 600], "it can't be read as an archive (unexpected end of data)"),
        (WHOLE[: 512 + 512 + 100], "it is no whole archive"),
        (WHOLE[:END] + b"x" * 512, "it is no whole archive"),
        (b"", "it can't be read as an archive (empty file)"),
        (b"<html>Bad Gateway</html>" * 100, "it can't be read as an archive (invalid header)"),
    ],
)
def test_an_archive_is_whole_or_not(tmp_path: Path, content: bytes, fault: str | None) -> None:
    path = tmp_path / "x.snapshot"
    path.write_bytes(content)
    assert tar_fault(path) == fault


@pytest.mark.parametrize(
    ("size", "said"), [(0, "0 B"), (999, "999 B"), (1000, "1.0 kB"), (1_450_000_000, "1.4 GB"), (10**16, "10000.0 TB")]
)
def test_sizes(size: int, said: str) -> None:
    assert human_size(size) == said


@pytest.mark.parametrize(
    ("made", "reads", "fault"),
    [
        ("1.15.1", "1.15.4", None),
        ("1.15.1", "1.15.0", None),
        ("1.7.4", "1.15.1", "The snapshot was made by Qdrant 1.7.4, and the new store is 1.15.1."),
        ("1.15.1", "1.15.1-dev", None),
        (None, "1.15.1", "The snapshot was made by Qdrant a version that was not told, and the new store's is 1.15.1."),
        ("1.15.1", None, "The snapshot was made by Qdrant 1.15.1, and the new store's is not told."),
    ],
)
def test_versions(made: str | None, reads: str | None, fault: str | None) -> None:
    assert version_fault(made, reads) == fault


@pytest.mark.parametrize(
    ("change", "faults"),
    [
        ({}, []),
        ({"points_count": 23}, ["It has 23 points, and 24 points were saved."]),
        ({"points_count": None}, ["It has no number of points, and 24 points were saved."]),
        ({"status": "yellow"}, ["Its status is yellow."]),
        ({"payload_indexes": {}}, ["It has no index on source."]),
        ({"query_hits": None, "query_note": "the collection is empty"}, []),
        (
            {"query_hits": 0, "query_note": "point 1 is not found"},
            ["It does not answer a test query: point 1 is not found."],
        ),
    ],
)
def test_what_a_restored_collection_lacks(change: dict[str, Any], faults: list[str]) -> None:
    assert restored_faults(MANIFEST, {**FOUND, **change}) == faults


def test_a_collection_that_is_not_there() -> None:
    assert restored_faults(MANIFEST, None) == ["It is not there."]


@pytest.mark.parametrize(
    "change",
    [
        lambda content: "{",
        lambda content: "[]",
        lambda content: json.dumps({**content, "format": 2}),
        lambda content: json.dumps({**content, "file": "../../etc/passwd"}),
        lambda content: json.dumps({**content, "points_count": "24"}),
        lambda content: json.dumps({key: value for key, value in content.items() if key != "sha256"}),
    ],
)
def test_a_manifest_that_is_none(tmp_path: Path, change: Callable[[dict[str, Any]], str]) -> None:
    (tmp_path / "documents.snapshot.json").write_text(change(json.loads(MANIFEST.text())))
    with pytest.raises(OperationFailed, match=r"Could not read the manifest .*: .+ Take the snapshot again"):
        read_set(tmp_path)


def test_a_manifest_of_a_later_version_may_say_more(tmp_path: Path) -> None:
    (tmp_path / "documents.snapshot.json").write_text(json.dumps({**json.loads(MANIFEST.text()), "more": 1}))
    assert read_set(tmp_path) == {"documents": MANIFEST}
