#!/usr/bin/python
# Copyright (c) 2026, wwhd
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Save the collections of a Qdrant to a folder outside of it."""

from __future__ import annotations

DOCUMENTATION = r"""
module: qdrant_snapshot
version_added: 0.1.0
short_description: Save the collections of a Qdrant to a folder outside of it
description:
  - Has Qdrant make a snapshot of each collection, downloads it to a folder of the host that the module runs on, proves
    that it is whole, writes beside it what it holds (a manifest), and removes it from the server, whose disk it would
    fill.
  - Proof is the SHA-256 that Qdrant tells since 1.8. An older one does not tell it. Then the archive is read to its
    end.
  - The points are counted one by one before and after the snapshot is made. If somebody writes meanwhile, the module
    fails, unless O(tolerate_writes).
  - A snapshot gets its name only when all of it is there, and its manifest comes last. What is found without a manifest
    was not finished. A download that breaks off is taken up where it broke, if the server can do that.
  - A collection whose shards are not all on the server at O(url) is refused, since a snapshot has only that server's.
    Snapshots of the whole storage are not made; Qdrant can take those in at its start only.
  - Works with Qdrant 1.7 and later. M(wwhd.qdrant_ops.qdrant_snapshot_restore) brings the collections back.
author:
  - wwhd team (@wwhd)
options:
  directory:
    description:
      - The absolute path of the folder for all that is saved, on the host that the module runs on. Each run has a
        folder of its own in it, named O(name). What is missing is made, for its owner only.
      - It must have room for the snapshots. That is looked at before each download.
    type: path
    required: true
  name:
    description:
      - The name of what is saved. The time of the run in UTC where this is left out, so that each run saves anew.
      - With a name that is there already, what it has whole is left as it is, and only what is missing is saved. That
        is how a run that failed is finished.
    type: str
  collections:
    description:
      - The names of the collections. Every collection where this is left out.
    type: list
    elements: str
  tolerate_writes:
    description:
      - Whether somebody may write to a collection while its snapshot is made. The manifest then says between which two
        counts it lies.
    type: bool
    default: false
  keep_on_server:
    description:
      - Whether the snapshots stay on the server as well.
    type: bool
    default: false
extends_documentation_fragment:
  - wwhd.qdrant_ops.attributes
  - wwhd.qdrant_ops.progress
  - wwhd.qdrant_ops.snapshot_options
  - wwhd.qdrant_ops.qdrant_options
  - wwhd.qdrant_ops.http_options
attributes:
  check_mode:
    support: full
    details: It counts, refuses what can't be saved, and says what would be saved.
  diff_mode:
    support: full
    details: The names of the collections that are saved, before and after.
  idempotent:
    support: partial
    details: With O(name). Without it, each run saves anew.
seealso:
  - module: wwhd.qdrant_ops.qdrant_snapshot_restore
  - module: wwhd.qdrant_ops.qdrant_collections_info
"""

EXAMPLES = r"""
- name: Save every collection
  wwhd.qdrant_ops.qdrant_snapshot:
    url: http://qdrant.internal:6333
    api_key: "{{ lookup('ansible.builtin.env', 'QDRANT_API_KEY') }}"
    directory: /var/backups/qdrant

- name: Save one collection before a release, once, while others write to it
  wwhd.qdrant_ops.qdrant_snapshot:
    url: http://qdrant.internal:6333
    directory: /var/backups/qdrant
    name: before-release-42
    collections: [documents]
    tolerate_writes: true
    timeout: 7200
"""

RETURN = r"""
msg:
  description: What was saved, in one sentence.
  returned: always
  type: str
  sample: "2 of 2 collections are saved in /var/backups/qdrant/20261123T150405Z: 300 points, 134.4 MB."
directory:
  description: The folder of this run, which M(wwhd.qdrant_ops.qdrant_snapshot_restore) takes.
  returned: always, once the collections could be read
  type: str
  sample: /var/backups/qdrant/20261123T150405Z
name:
  description: The name of what is saved.
  returned: success
  type: str
  sample: 20261123T150405Z
saved:
  description: What is saved and whole, also where the module fails after some of it.
  returned: always, once the collections could be read
  type: list
  elements: dict
  sample:
    - collection: documents
      points_count: 240
      size: 67213312
      sha256: 9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08
      verified_by: checksum
      path: /var/backups/qdrant/20261123T150405Z/documents.snapshot
      created_at: '2026-11-23T15:04:05.678Z'
      changed: true
  contains:
    collection:
      description: The name of the collection.
      returned: always
      type: str
    points_count:
      description: The exact number of its points, counted right after the snapshot was made.
      returned: always
      type: int
    size:
      description: The size of the file in bytes.
      returned: always
      type: int
    sha256:
      description: The SHA-256 of the file.
      returned: always
      type: str
    verified_by:
      description: V(checksum) if Qdrant told its own SHA-256, V(archive) if the archive was read to its end.
      returned: always
      type: str
    path:
      description: The file. The manifest has the same path with C(.json) at its end.
      returned: always
      type: str
    created_at:
      description: When the snapshot was begun, in UTC.
      returned: always
      type: str
    changed:
      description: Whether this run saved it; false if it was there under this name.
      returned: always
      type: bool
points_count:
  description: The points of all that is saved.
  returned: success
  type: int
  sample: 300
size:
  description: The bytes of all that is saved.
  returned: success
  type: int
  sample: 134426624
version:
  description: Qdrant's version; null if what lies between does not pass its root on.
  returned: success
  type: str
  sample: 1.15.1
"""

import re
from typing import Any

from ansible.module_utils.basic import AnsibleModule

from ansible_collections.wwhd.qdrant_ops.plugins.module_utils._ecs.errors import OperationFailed
from ansible_collections.wwhd.qdrant_ops.plugins.module_utils._polling import Clock
from ansible_collections.wwhd.qdrant_ops.plugins.module_utils._snapshots.options import (
    folder_of,
    snapshot_argument_spec,
)
from ansible_collections.wwhd.qdrant_ops.plugins.module_utils._snapshots.running import Call, run_snapshot
from ansible_collections.wwhd.qdrant_ops.plugins.module_utils._snapshots.saving import Saving

# What is safe as the name of a folder, and as a word on a command line.
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,99}")


def argument_spec() -> dict[str, Any]:
    return {
        **snapshot_argument_spec(),
        "name": {"type": "str"},
        "tolerate_writes": {"type": "bool", "default": False},
        "keep_on_server": {"type": "bool", "default": False},
    }


def prepare(call: Call) -> Saving:
    params = call.params
    name = params["name"] or call.clock.utcnow().strftime("%Y%m%dT%H%M%SZ")
    if not _NAME.fullmatch(name):
        raise OperationFailed(f"name is {name!r}: give letters, digits, dots, hyphens and underscores, 100 at most.")
    folder = folder_of(params["directory"]) / name
    server, cleaner = call.servers()
    return Saving(
        server=server,
        cleaner=cleaner,
        folder=folder,
        names=params["collections"],
        keep_on_server=params["keep_on_server"],
        tolerate_writes=params["tolerate_writes"],
        check_mode=call.check_mode,
    )


def untouched(told: str) -> str:
    return f"Told to end by {told}, before anything was saved. Run it again."


def main(clock: Clock | None = None) -> None:
    module = AnsibleModule(argument_spec=argument_spec(), supports_check_mode=True)
    run_snapshot(module, prepare=prepare, untouched=untouched, clock=clock)


if __name__ == "__main__":
    main()
