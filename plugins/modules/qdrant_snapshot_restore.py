#!/usr/bin/python
# Copyright (c) 2026, wwhd
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Restore saved collections to a Qdrant, and prove that they are what was saved."""

from __future__ import annotations

DOCUMENTATION = r"""
module: qdrant_snapshot_restore
version_added: 0.1.0
short_description: Restore saved collections to a Qdrant, and prove that they are what was saved
description:
  - Uploads what M(wwhd.qdrant_ops.qdrant_snapshot) saved to a Qdrant, usually another one, which makes the collections
    from it.
  - Before anything is changed, each file is read and compared with the SHA-256 in its manifest, the versions are
    compared, and the module looks what is there. A collection that is there with points is not replaced, unless
    O(overwrite). Then nothing at all is restored.
  - A collection that is there with exactly as many points and the same vectors as were saved is taken for restored and
    not touched, so that a run that failed can be finished by running it again.
  - Afterwards the points are counted one by one, a test query is made, and the status, the vectors and the indexes are
    compared with the manifest. The module fails if anything differs.
  - The shards of a collection that is restored lie on the server at O(url); Qdrant makes replicas of them as the
    collection's settings say.
author:
  - wwhd team (@wwhd)
options:
  directory:
    description:
      - The absolute path of the folder that M(wwhd.qdrant_ops.qdrant_snapshot) returned as
        RV(wwhd.qdrant_ops.qdrant_snapshot#module:directory), on the host that the module runs on.
    type: path
    required: true
  collections:
    description:
      - The names of the collections to restore. Every one that the folder has where this is left out.
    type: list
    elements: str
  overwrite:
    description:
      - Whether collections that are there with points are replaced. What they have now is lost then.
    type: bool
    default: false
  version_mismatch:
    description:
      - What to do if the Qdrant that made a snapshot and the one that is to read it differ in their minor version, or
        one of them can't be told.
    type: str
    default: fail
    choices:
      fail: Change nothing. Qdrant promises to read a snapshot only in the minor version that made it.
      warn: Try it. What comes of it is counted and queried all the same.
  aliases:
    description:
      - Whether the aliases that led to the collections are made as well. Qdrant's snapshots don't have them, the
        manifests do.
      - An alias that leads elsewhere there is an error, before anything is changed.
    type: bool
    default: true
extends_documentation_fragment:
  - wwhd.qdrant_ops.attributes
  - wwhd.qdrant_ops.progress
  - wwhd.qdrant_ops.snapshot_options
  - wwhd.qdrant_ops.qdrant_options
  - wwhd.qdrant_ops.http_options
notes:
  - With O(url_username), an upload sends the user and the password at once (basic authentication), whatever
    O(force_basic_auth) is.
attributes:
  check_mode:
    support: full
    details: It checks the files, the versions and what is there, and says what would be restored.
  diff_mode:
    support: full
    details: The number of points of each collection, before and after.
  idempotent:
    support: partial
    details: Without O(overwrite). With it, each run restores anew.
seealso:
  - module: wwhd.qdrant_ops.qdrant_snapshot
  - module: wwhd.qdrant_ops.qdrant_collections_info
"""

EXAMPLES = r"""
- name: Bring everything that was saved to a new store
  wwhd.qdrant_ops.qdrant_snapshot_restore:
    url: http://new-qdrant.internal:6333
    api_key: "{{ lookup('ansible.builtin.env', 'NEW_QDRANT_API_KEY') }}"
    directory: /var/backups/qdrant/20261123T150405Z

- name: Put back one collection as it was before the release
  wwhd.qdrant_ops.qdrant_snapshot_restore:
    url: http://qdrant.internal:6333
    directory: /var/backups/qdrant/before-release-42
    collections: [documents]
    overwrite: true
"""

RETURN = r"""
msg:
  description: What was restored, in one sentence.
  returned: always
  type: str
  sample: "2 of 2 collections are restored at http://new-qdrant.internal:6333: 300 points, as many as were saved."
directory:
  description: The folder that it was restored from.
  returned: success
  type: str
  sample: /var/backups/qdrant/20261123T150405Z
restored:
  description: Each collection as it is there now.
  returned: success
  type: list
  elements: dict
  sample:
    - collection: documents
      points_count: 240
      saved_points_count: 240
      status: green
      query_hits: 10
      changed: true
  contains:
    collection:
      description: The name of the collection.
      returned: always
      type: str
    points_count:
      description: The exact number of its points, counted there.
      returned: always
      type: int
    saved_points_count:
      description: The number that was counted when it was saved.
      returned: always
      type: int
    status:
      description: Its status.
      returned: always
      type: str
    query_hits:
      description: How many points a test query hit; null for one that was not touched, or that is empty.
      returned: always
      type: int
    changed:
      description: Whether this run restored it; false if it was there.
      returned: always
      type: bool
restored_names:
  description: What was restored and verified before the module failed.
  returned: failure, once something was to be restored
  type: list
  elements: str
  sample: [documents]
aliases:
  description: The aliases that were made, and where they lead.
  returned: success
  type: dict
  sample: {production: documents}
version:
  description: Qdrant's version there; null if what lies between does not pass its root on.
  returned: success
  type: str
  sample: 1.15.1
"""

from typing import Any

from ansible.module_utils.basic import AnsibleModule

from ansible_collections.wwhd.qdrant_ops.plugins.module_utils._polling import Clock
from ansible_collections.wwhd.qdrant_ops.plugins.module_utils._snapshots.options import (
    folder_of,
    snapshot_argument_spec,
)
from ansible_collections.wwhd.qdrant_ops.plugins.module_utils._snapshots.restoring import Restoring
from ansible_collections.wwhd.qdrant_ops.plugins.module_utils._snapshots.running import Call, run_snapshot


def argument_spec() -> dict[str, Any]:
    return {
        **snapshot_argument_spec(),
        "overwrite": {"type": "bool", "default": False},
        "version_mismatch": {"type": "str", "choices": ["fail", "warn"], "default": "fail"},
        "aliases": {"type": "bool", "default": True},
    }


def prepare(call: Call) -> Restoring:
    params = call.params
    folder = folder_of(params["directory"])
    server, _cleaner = call.servers()
    return Restoring(
        server=server,
        folder=folder,
        names=params["collections"],
        overwrite=params["overwrite"],
        version_mismatch=params["version_mismatch"],
        with_aliases=params["aliases"],
        check_mode=call.check_mode,
    )


def untouched(told: str) -> str:
    return f"Told to end by {told}, and no collection was begun. Run it again."


def main(clock: Clock | None = None) -> None:
    module = AnsibleModule(argument_spec=argument_spec(), supports_check_mode=True)
    run_snapshot(module, prepare=prepare, untouched=untouched, clock=clock)


if __name__ == "__main__":
    main()
