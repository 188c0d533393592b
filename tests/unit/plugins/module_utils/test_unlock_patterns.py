# Copyright (c) 2026, wwhd
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Which lock patterns are accepted."""

from __future__ import annotations

import fnmatch
import string

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ansible_collections.wwhd.qdrant_ops.plugins.module_utils._unlock.patterns import (
    faults_of_pattern,
    faults_of_prune_pattern,
)

SAFE = ["LOCK", "*.lock", "data.mdb.lock", ".lock", "lock.mdb", "?OCK", "*LOCK", "[Ll]ock", "[!a].lock"]
NEEDED = [
    "CURRENT", "MANIFEST-000004", "OPTIONS-000007", "IDENTITY", "000012.sst", "000004.log", "open-1", "closed-3",
    "first-index", "tmp-open-2", "segment.json", "config.json", "version.info", "vectors.dat", "chunk_0.mmap", "a.bin",
    "id_tracker.mappings", "mutable_id_tracker.versions", "deleted.dat", "raft_state.json", "replica_state.json",
    "shard_config.json", "payload_index.json", "app.db", "app.db-wal", "app.db-shm", "storage.sqlite", "data.mdb",
    "inverted_index.data",
]  # fmt: skip


@pytest.mark.parametrize("pattern", SAFE)
def test_lock_files_own_names_are_accepted(pattern: str) -> None:
    assert faults_of_pattern(pattern) == []


@pytest.mark.parametrize("name", NEEDED)
def test_a_needed_file_is_never_a_lock_pattern(name: str) -> None:
    for pattern in (name, name[:3] + "*", "*" + name[-3:], name[:-1] + "?", "*" + name[1:-1] + "*"):
        faults = faults_of_pattern(pattern)
        assert len(faults) == 1, pattern
        assert "needs" in faults[0], faults


@pytest.mark.parametrize(
    ("pattern", "said"),
    [
        ("", "empty pattern"),
        ("*", "such as CURRENT"),
        ("*.*", "needs"),
        ("a/b", "has a slash"),
        ("../LOCK", "has a slash"),
        ("it's.lock", 'has "\'" in it'),
        ('a".lock', "in it"),
        ("$(id).lock", "in it"),
        ("a\n.lock", "in it"),
        ("`id`", "in it"),
        ("LOCK ", "in it"),
        ("[abc", "not closed"),
        ("[]", "not closed"),
        ("[[.C.]]URRENT", "a second [ within it"),  # which find takes for CURRENT
        ("[a[]b", "a second [ within it"),
    ],
)
def test_a_pattern_that_is_refused_says_why(pattern: str, said: str) -> None:
    faults = faults_of_pattern(pattern)
    assert len(faults) == 1
    assert said in faults[0]
    assert "qdrant_unlock" in faults[0] or "pattern" in faults[0]


@given(st.text(alphabet="LOCKlock.*?[]!-a9", max_size=8), st.sampled_from(NEEDED))
def test_whatever_matches_a_needed_file_is_refused(pattern: str, name: str) -> None:
    if fnmatch.fnmatchcase(name, pattern):
        assert faults_of_pattern(pattern), (pattern, name)


@given(st.text(alphabet=string.ascii_letters + "_", min_size=1, max_size=12))
def test_a_plain_word_before_dot_lock_is_accepted(stem: str) -> None:
    assert faults_of_pattern(f"{stem}.lock") == []


@pytest.mark.parametrize(
    "pattern",
    ["snapshots", "vector_storage*", "vector_index*", "payload_storage*", "wal", "backup-?", "*.deleted"],
)
def test_folders_in_which_qdrant_locks_nothing_may_be_left_out(pattern: str) -> None:
    assert faults_of_prune_pattern(pattern) == []


@pytest.mark.parametrize(
    ("pattern", "said"),
    [
        ("", "qdrant_unlock_prune_patterns has an empty pattern"),
        ("*", "could match a folder in which Qdrant's locks lie"),
        ("collections", "such as collections"),
        ("seg*", "such as segments"),
        ("payload_*", "such as payload_index"),
        ("*_index", "such as payload_index"),
        ("0", "such as 0"),
        ("[0-9]", "such as"),
        ("3f2b*", "such as 3f2b"),
        ("?2b1c0de-0000-4000-8000-00000000000?", "such as"),
        ("collections/docs", "has a slash: patterns match folder names only"),
        ("$(id)", "in it"),
        ("a\nb", "in it"),
        ("[a", "not closed"),
    ],
)
def test_a_folder_on_the_way_to_a_lock_is_never_left_out(pattern: str, said: str) -> None:
    faults = faults_of_prune_pattern(pattern)
    assert len(faults) == 1
    assert said in faults[0]
