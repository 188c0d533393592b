#!/usr/bin/python
# Copyright (c) 2026, wwhd
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a Qdrant holds, and whether it is what was expected."""

from __future__ import annotations

DOCUMENTATION = r"""
module: qdrant_collections_info
version_added: 0.1.0
short_description: Read the collections of a Qdrant and compare them with what they should be
description:
  - Returns the collections of a Qdrant with their exact point counts, states, shards, settings and aliases, and
    searches each with a vector of its own.
  - A status of V(green) and an answer of 200 say nothing of the data. An emptied collection is green too.
    So this module counts, and it compares with O(expected) or with an earlier result in O(baseline).
  - Besides what O(expected) and O(baseline) say, it fails where a test query misses its own point, where a shard is
    dead on every peer, and where C(/readyz) says that shards are not ready.
  - Works with Qdrant 1.7 and later. What an older version, a key with few rights, or what lies between does not tell
    (aliases, shards, C(/readyz), the version) is returned as null and not compared.
author:
  - wwhd team (@wwhd)
options:
  url:
    description:
      - The base address of Qdrant's REST API.
      - A user, a password and the values of a query in it are masked in everything that the module returns.
    type: str
    required: true
  api_key:
    description:
      - The API key, where Qdrant wants one, or a token (JWT) of Qdrant 1.9 and later. A read-only one is enough.
      - It is masked in everything that the module returns. One of less than eight characters is masked only among the
        module's arguments, as it would otherwise blank parts of names and counts.
    type: str
  collections:
    description:
      - The names of the collections, or of aliases. Every collection where this is left out.
      - A name that does not exist is an error.
    type: list
    elements: str
  exact:
    description:
      - Whether the points are counted one by one. The other count is quick, but approximate, and not comparable.
    type: bool
    default: true
  query:
    description:
      - Whether to take one point of each collection and to search with its own vector. The point must be found.
      - What is empty or has no vectors can't be asked; RV(collections[].query_note) says so.
    type: bool
    default: true
  expected:
    description:
      - What each collection must be, by name. A number is its exact count of points, and null means that it must only
        exist.
      - A mapping has tests of what RV(collections) tells of it, by path, as O(wwhd.qdrant_ops.http_health#module:json)
        takes them, for example C(points_count) with V(at_least), C(status) with V(one_of), or C(vectors.text.size).
      - The module fails, naming each difference, if they are not met. Other collections are no difference.
    type: dict
    default: {}
  baseline:
    description:
      - The RV(collections) of an earlier result, to compare with.
      - These are differences. A collection that is gone, that is new, that has become red or whose optimiser fails now,
        or that has more or fewer points. A vector that is gone, new, or of another size or distance. An index on the
        payload that is gone or of another type. An alias that leads elsewhere. A shard with fewer active replicas.
      - What the earlier result does not have is not compared.
    type: list
    elements: dict
  tolerate:
    description:
      - The kinds of difference from O(baseline) that are expected and not told, such as V(more_points) of a service
        that is in use.
    type: list
    elements: str
    default: []
    choices:
      - aliases
      - fewer_points
      - missing_collection
      - more_points
      - new_collection
      - optimizer
      - payload_indexes
      - shards
      - status
      - vectors
  fail_on_difference:
    description:
      - Whether a difference from O(baseline) is an error. O(expected) that is not met and what is broken always are.
    type: bool
    default: true
  wait:
    description:
      - Whether to look again, until nothing is wrong or O(timeout) is over, where something is. It is for what gets
        well by itself, as a status or shards do after a start.
    type: bool
    default: false
  timeout:
    description:
      - For how many seconds to go on. Until then, what a starting service answers (connection refused, 502, 503 and the
        like) is asked again.
      - What has begun by then may be ended, so that all of it takes this and O(attempt_timeout) at most.
    type: float
    default: 60
    aliases: [wait_timeout]
  attempt_timeout:
    description:
      - How many seconds one request may take. An exact count of millions of points takes a while.
    type: float
    default: 15
extends_documentation_fragment:
  - wwhd.qdrant_ops.attributes
  - wwhd.qdrant_ops.progress
  - wwhd.qdrant_ops.qdrant_options
  - wwhd.qdrant_ops.http_options
attributes:
  check_mode:
    support: full
    details: It only reads, so it does in check mode what it does otherwise.
  diff_mode:
    support: none
  idempotent:
    support: full
seealso:
  - module: wwhd.qdrant_ops.http_health
"""

EXAMPLES = r"""
- name: Remember what is there
  wwhd.qdrant_ops.qdrant_collections_info:
    url: http://qdrant.internal:6333
    api_key: "{{ lookup('ansible.builtin.env', 'QDRANT_API_KEY') }}"
  register: before

- name: See that nothing was lost
  wwhd.qdrant_ops.qdrant_collections_info:
    url: http://qdrant.internal:6333
    api_key: "{{ lookup('ansible.builtin.env', 'QDRANT_API_KEY') }}"
    baseline: "{{ before.collections }}"
    timeout: 300

- name: See after a release that nothing was lost while others went on writing
  wwhd.qdrant_ops.qdrant_collections_info:
    url: https://gateway.example.com/qdrant
    api_key: "{{ lookup('ansible.builtin.env', 'QDRANT_TOKEN') }}"
    api_key_scheme: bearer
    baseline: "{{ before.collections }}"
    tolerate: [more_points, new_collection]

- name: Compare with known numbers
  wwhd.qdrant_ops.qdrant_collections_info:
    url: http://qdrant.internal:6333
    expected:
      documents: 240
      conversations: null

- name: Wait until a collection is optimised and has enough points of the right kind
  wwhd.qdrant_ops.qdrant_collections_info:
    url: http://qdrant.internal:6333
    collections: [documents]
    expected:
      documents:
        status: green
        points_count:
          at_least: 200
        vectors[*].size: 384
        shards[*].state: Active
    wait: true
    timeout: 600
"""

RETURN = r"""
collections:
  description: The collections that were asked for, in the order of their names where none were given.
  returned: always, once they could be read
  type: list
  elements: dict
  sample:
    - name: documents
      aliases: [production]
      status: green
      optimizer_status: ok
      warnings: []
      points_count: 240
      indexed_vectors_count: 0
      segments_count: 2
      vectors: {"": {"size": 384, "distance": "Cosine"}}
      sparse_vectors: []
      payload_indexes: {"source": "keyword"}
      shard_number: 1
      replication_factor: 1
      shards:
        - shard_id: 0
          peer_id: 8254862430143042
          local: true
          state: Active
          points_count: 240
      shard_transfers: 0
      query_hits: 10
      query_note: null
  contains:
    name:
      description: The name of the collection.
      returned: always
      type: str
    aliases:
      description: The aliases that lead to it; null if they can't be read.
      returned: always
      type: list
      elements: str
    status:
      description: V(green), V(yellow) (optimising), V(grey) (optimisations wait for an update) or V(red) (broken).
      returned: always
      type: str
    optimizer_status:
      description: V(ok), or the optimiser's error.
      returned: always
      type: str
    warnings:
      description: What Qdrant warns of in the collection's settings (newer versions).
      returned: always
      type: list
      elements: str
    points_count:
      description: The number of points; exact if O(exact).
      returned: always
      type: int
    indexed_vectors_count:
      description: The number of vectors in an index, which small collections don't have.
      returned: always
      type: int
    segments_count:
      description: The number of segments.
      returned: always
      type: int
    vectors:
      description: Size and distance of each dense vector by name; the name is empty where the vector has none.
      returned: always
      type: dict
    sparse_vectors:
      description: The names of the sparse vectors.
      returned: always
      type: list
      elements: str
    payload_indexes:
      description: The type of the index on each field of the payload that has one.
      returned: always
      type: dict
    shard_number:
      description: The number of shards that the collection was made with.
      returned: always
      type: int
    replication_factor:
      description: The number of replicas that each shard should have.
      returned: always
      type: int
    shards:
      description:
        - Each replica of each shard with its peer, whether it is on the peer that was asked, its state (V(Active),
          V(Dead), V(Partial), V(Recovery) and others) and, for one on that peer, its approximate number of points.
        - Null if they can't be read.
      returned: always
      type: list
      elements: dict
    shard_transfers:
      description: The number of transfers of shards that are going on; null if they can't be read.
      returned: always
      type: int
    query_hits:
      description: How many points the test query hit, ten at most; null if there was none.
      returned: always
      type: int
    query_note:
      description: Why there was no test query, or what was odd about it.
      returned: always
      type: str
version:
  description: Qdrant's version; null if what lies between does not pass its root on.
  returned: always, once they could be read
  type: str
  sample: 1.7.4
ready:
  description: What C(/readyz) says of all shards; null if what lies between does not pass it on.
  returned: always, once they could be read
  type: bool
  sample: true
differences:
  description: What differs from O(expected) and O(baseline), and what is broken; one sentence each.
  returned: always, once they could be read
  type: list
  elements: str
  sample: ["The collection 'documents' has 230 points, but 240 were there before (10 fewer)."]
difference_details:
  description:
    - The same for programs. RV(difference_details[].kind) is one of O(tolerate), V(expectation), V(no_count),
      V(not_ready) or V(query).
  returned: always, once they could be read
  type: list
  elements: dict
  sample:
    - kind: fewer_points
      collection: documents
      text: The collection 'documents' has 230 points, but 240 were there before (10 fewer).
      before: 240
      after: 230
  contains:
    kind:
      description: What kind of difference it is.
      returned: always
      type: str
    collection:
      description: The name of the collection; null for what concerns the whole Qdrant.
      returned: always
      type: str
    text:
      description: The sentence.
      returned: always
      type: str
    before:
      description: What was wanted or was there before, where that is a value.
      returned: always
      type: raw
    after:
      description: What is there, where that is a value.
      returned: always
      type: raw
started_at:
  description: When the module began to ask, in UTC.
  returned: always, once they could be read
  type: str
  sample: '2026-11-23T15:04:05.678Z'
elapsed:
  description: How many seconds it took.
  returned: always, once they could be read
  type: float
  sample: 0.314
"""

from collections.abc import Callable
from typing import Any

from ansible.module_utils.basic import AnsibleModule

from ansible_collections.wwhd.qdrant_ops.plugins.module_utils._http.options import run
from ansible_collections.wwhd.qdrant_ops.plugins.module_utils._http.transport import Transport
from ansible_collections.wwhd.qdrant_ops.plugins.module_utils._polling import Clock
from ansible_collections.wwhd.qdrant_ops.plugins.module_utils._progress import say
from ansible_collections.wwhd.qdrant_ops.plugins.module_utils._qdrant.baseline import TOLERABLE, parse_baseline
from ansible_collections.wwhd.qdrant_ops.plugins.module_utils._qdrant.client import Qdrant
from ansible_collections.wwhd.qdrant_ops.plugins.module_utils._qdrant.expected import parse_expected
from ansible_collections.wwhd.qdrant_ops.plugins.module_utils._qdrant.options import (
    params_without_secrets,
    qdrant_argument_spec,
)
from ansible_collections.wwhd.qdrant_ops.plugins.module_utils._qdrant.survey import Scope, collections_info


def argument_spec() -> dict[str, Any]:
    return {
        **qdrant_argument_spec(),
        "collections": {"type": "list", "elements": "str"},
        "exact": {"type": "bool", "default": True},
        "query": {"type": "bool", "default": True},
        "expected": {"type": "dict", "default": {}},
        "baseline": {"type": "list", "elements": "dict"},
        "tolerate": {"type": "list", "elements": "str", "choices": list(TOLERABLE), "default": []},
        "fail_on_difference": {"type": "bool", "default": True},
        "wait": {"type": "bool", "default": False},
        "timeout": {"type": "float", "default": 60.0, "aliases": ["wait_timeout"]},
        "attempt_timeout": {"type": "float", "default": 15.0},
    }


def read_collections(
    params: dict[str, Any],
    *,
    clock: Clock,
    on_change: Callable[[str], None] = lambda text: None,
) -> dict[str, Any]:
    scope = Scope(
        names=params["collections"],
        exact=params["exact"],
        query=params["query"],
        expected=parse_expected(params["expected"], exact=params["exact"]),
        baseline=parse_baseline(params["baseline"], exact=params["exact"]),
        tolerate=params["tolerate"],
        fail_on_difference=params["fail_on_difference"],
        wait=params["wait"],
    )
    qdrant = Qdrant(
        url=params["url"],
        api_key=params["api_key"],
        bearer=params["api_key_scheme"] == "bearer",
        headers=params["headers"],
        transport=Transport.from_params(params),
        timeout=params["timeout"],
        attempt_timeout=params["attempt_timeout"],
        clock=clock,
        on_change=on_change,
    )
    return collections_info(qdrant, scope=scope, timeout=params["timeout"], clock=clock, on_change=on_change)


def main(clock: Clock | None = None) -> None:
    module = AnsibleModule(argument_spec=argument_spec(), supports_check_mode=True)
    given = params_without_secrets(module)
    run(module, lambda: read_collections(given, clock=clock or Clock(), on_change=say))


if __name__ == "__main__":
    main()
