# Copyright (c) 2026, wwhd
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Name patterns: which are accepted, whether one of locks could match a file that Qdrant needs, and whether one of
folders to leave out could match a folder in which Qdrant's locks lie.

Private to wwhd.qdrant_ops. Pure.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Sequence

__all__ = ["faults_of_pattern", "faults_of_prune_pattern", "intersect"]

_ALLOWED = frozenset("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789._-*?[]!")
_NAME = frozenset("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789._-")
_DIGITS = frozenset("0123456789")
_HEX = frozenset("0123456789abcdef")

# A pattern is a list of tokens (characters that fit here, may repeat any number of times).
_Token = tuple[frozenset[str], bool]

# Files that a Qdrant store or an SQLite database beside it cannot do without (facts.md F.5). `<n>` is a number, `<h>` a
# hexadecimal one, `<x>` any name that does not begin with a dot. A family is spelt as its real names are, not wider:
# `*.lock` must not count as a danger to `MANIFEST-000012` only because MANIFEST-* as a pattern could be followed by
# anything.
_NEEDED = (
    "CURRENT MANIFEST-<n> OPTIONS-<n> IDENTITY LOG LOG.old.<n> <n>.sst <n>.log <x>.sst "
    "open-<n> closed-<n> first-index tmp-open-<n> "
    "segment.json config.json version.info raft_state raft_state.json data.json replica_state.json shard_config.json "
    "shard_key_mapping.json payload_index.json meta.json "
    "<x>.dat <x>.data <x>.bin <x>.mmap <x>.json <x>.wal <x>.dbtmp data.mdb id_tracker.deleted "
    "id_tracker.mappings id_tracker.versions id_tracker.data mutable_id_tracker.mappings mutable_id_tracker.versions "
    "deleted.dat <x>.db <x>.db-wal <x>.db-shm storage.sqlite <x>.sqlite <x>.sqlite-wal <x>.sqlite-shm <x>.snapshot "
    ".qdrant-initialized .nfs<h>"
).split()

# The folders on the way to Qdrant's locks (facts.md F.2), but for collections, which may have any name and which the
# cleaner never leaves out. A shard is a number, a segment a UUID.
_WAY_TO_LOCKS = "collections segments payload_index <n> <h>-<h>-<h>-<h>-<h>".split()

_PLACEHOLDERS = {"<n>": (_DIGITS, _DIGITS), "<h>": (_HEX, _HEX), "<x>": (_NAME - {"."}, _NAME)}


def _family_tokens(family: str) -> list[_Token]:
    tokens: list[_Token] = []
    rest = family
    while rest:
        if rest[:3] in _PLACEHOLDERS:
            first, more = _PLACEHOLDERS[rest[:3]]
            tokens += [(first, False), (more, True)]
            rest = rest[3:]
        else:
            tokens.append((frozenset(rest[0]), False))
            rest = rest[1:]
    return tokens


def _bracket(pattern: str, start: int) -> tuple[frozenset[str], int] | None:
    """The set of a [...] that opens at `start`, and the index after it; None if it does not close or is not plain."""
    index = start + 1
    negated = pattern[index : index + 1] == "!"
    index += negated
    end = pattern.find("]", index + 1)
    if end < 0:
        return None
    body = pattern[index:end]
    if "[" in body:
        return None  # find takes [[.C.]] for a C
    chars: set[str] = set()
    position = 0
    while position < len(body):
        if body[position + 1 : position + 2] == "-" and position + 2 < len(body):
            chars.update(chr(code) for code in range(ord(body[position]), ord(body[position + 2]) + 1))
            position += 3
        else:
            chars.add(body[position])
            position += 1
    return (_NAME - chars if negated else frozenset(chars)), end + 1


def _glob_tokens(pattern: str) -> list[_Token] | None:
    """The tokens of a file name pattern; None if a bracket does not close or is not plain."""
    tokens: list[_Token] = []
    index = 0
    while index < len(pattern):
        char = pattern[index]
        if char == "[":
            found = _bracket(pattern, index)
            if found is None:
                return None
            tokens.append((found[0], False))
            index = found[1]
            continue
        tokens.append((_NAME, True) if char == "*" else (_NAME if char == "?" else frozenset(char), False))
        index += 1
    return tokens


def intersect(left: Sequence[_Token], right: Sequence[_Token]) -> str | None:
    """A shortest name that fits both token lists, or None: a walk over the pairs of positions that both can be at."""
    pending = deque([(0, 0, "")])
    seen = {(0, 0)}

    def visit(i: int, j: int, name: str) -> None:
        if (i, j) not in seen:
            seen.add((i, j))
            pending.append((i, j, name))

    while pending:
        i, j, name = pending.popleft()
        if i == len(left) and j == len(right):
            return name
        left_repeats = i < len(left) and left[i][1]
        right_repeats = j < len(right) and right[j][1]
        if left_repeats:
            visit(i + 1, j, name)
        if right_repeats:
            visit(i, j + 1, name)
        common = left[i][0] & right[j][0] if i < len(left) and j < len(right) else None
        if common:
            char = max(common)  # letters sort after punctuation, and read better in an example
            visit(i if left_repeats else i + 1, j if right_repeats else j + 1, name + char)
    return None


def _tokens_or_fault(pattern: str, *, what: str, variable: str) -> tuple[list[_Token], str | None]:
    """The tokens of a pattern, or the sentence that says what is wrong with its form."""
    shown = f"The {what} pattern {pattern!r}"
    if not pattern:
        return [], f"{variable} has an empty pattern: leave it out."
    if "/" in pattern:
        return [], (
            f"{shown} has a slash: patterns match {'file' if what == 'lock' else 'folder'} names only;"
            " set qdrant_unlock_scan_path to look in one folder."
        )
    strange = sorted(set(pattern) - _ALLOWED)
    if strange:
        return [], (
            f"{shown} has {', '.join(repr(char) for char in strange)} in it:"
            " use letters, digits, and . _ - * ? [ ] ! only."
        )
    tokens = _glob_tokens(pattern)
    if tokens is None:
        return [], f"{shown} has a [ that is not closed, or a second [ within it: close it or leave it out."
    return tokens, None


def faults_of_prune_pattern(pattern: str) -> list[str]:
    """What is wrong with a pattern of folders that are not looked into; empty if it misses no lock of Qdrant's."""
    tokens, fault = _tokens_or_fault(pattern, what="prune", variable="qdrant_unlock_prune_patterns")
    if fault:
        return [fault]
    for family in _WAY_TO_LOCKS:
        example = intersect(tokens, _family_tokens(family))
        if example is not None:
            return [
                f"The prune pattern {pattern!r} could match a folder in which Qdrant's locks lie, such as {example}:"
                " name the folders to leave out more closely, such as snapshots or vector_storage*."
            ]
    return []


def faults_of_pattern(pattern: str) -> list[str]:
    """What is wrong with a pattern, as sentences; an empty list means that it is safe to use."""
    tokens, fault = _tokens_or_fault(pattern, what="lock", variable="qdrant_unlock_lock_patterns")
    if fault:
        return [fault]
    shown = repr(pattern)
    for family in _NEEDED:
        example = intersect(tokens, _family_tokens(family))
        if example is not None:
            return [
                f"The lock pattern {shown} could match a file that Qdrant or a database needs, such as {example}:"
                " name the lock files more closely, such as LOCK or *.lock."
            ]
    return []
