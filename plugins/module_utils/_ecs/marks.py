# Copyright (c) 2026, wwhd
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""How the tasks of one run are told from all others, and how a call that starts some is made to do so once.

Private to wwhd.qdrant_ops. Pure functions.
"""

from __future__ import annotations

import hashlib
import re

__all__ = ["client_token", "started_by"]

_STARTED_BY_LIMIT = 128
_TOKEN_LIMIT = 64
_HASH_LENGTH = 16


def _fitting(text: str, *, allowed: str, limit: int) -> str:
    """`text` in an alphabet and a length; where that loses something, a hash of the whole keeps it unique."""
    plain = re.sub(f"[^{allowed}]", "-", text)
    if plain == text and len(text) <= limit:
        return text
    digest = hashlib.sha256(text.encode()).hexdigest()[:_HASH_LENGTH]
    return f"{plain[: limit - _HASH_LENGTH - 1]}-{digest}"


def started_by(run_id: str) -> str:
    """The mark by which the tasks of this run are found again."""
    return _fitting(run_id, allowed="A-Za-z0-9_/-", limit=_STARTED_BY_LIMIT)


def client_token(run_id: str, attempt: int = 1, *, first: int = 0) -> str:
    """The token that makes RunTask start nothing twice, for the batch that begins at the run's task number `first`.

    An attempt that ECS answered with failures has used its token up: the answer would be given again. So each attempt
    has its own, and the sequence is the same in every process that runs this run id.
    """
    batch = f"{run_id}+{first}" if first else run_id
    return _fitting(batch if attempt == 1 else f"{batch}#{attempt}", allowed="!-~", limit=_TOKEN_LIMIT)
