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
  - Returns the collections of a Qdrant with their exact point counts, and searches each with a vector of its own.
  - A status of V(green) and an answer of 200 say nothing of the data. An emptied collection is green too.
    So this module counts, and it compares with O(expected) or with an earlier result in O(baseline).
  - Works with Qdrant 1.7 and later.
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
      - The API key, where Qdrant wants one. A read-only key is enough.
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
      - The number of points of each collection by name; null for one that must only exist.
      - The module fails, naming each difference, if they are not met. Other collections are no difference.
    type: dict
    default: {}
  baseline:
    description:
      - The RV(collections) of an earlier result, to compare with.
      - A collection that is gone, that is new, that has become red, or that has more or fewer points is a difference.
    type: list
    elements: dict
  fail_on_difference:
    description:
      - Whether a difference from O(baseline) is an error. O(expected) that is not met and a test query that misses
        always are.
    type: bool
    default: true
  timeout:
    description:
      - How many seconds all of it may take. Until then, what a starting service answers (connection refused, 502, 503
        and the like) is asked again.
    type: float
    default: 60
  attempt_timeout:
    description:
      - How many seconds one request may take. An exact count of millions of points takes a while.
    type: float
    default: 15
extends_documentation_fragment:
  - wwhd.qdrant_ops.attributes
  - wwhd.qdrant_ops.progress
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

- name: Compare with known numbers
  wwhd.qdrant_ops.qdrant_collections_info:
    url: http://qdrant.internal:6333
    expected:
      documents: 240
      conversations: null
"""

RETURN = r"""
collections:
  description: The collections that were asked for, in the order of their names where none were given.
  returned: always, once they could be read
  type: list
  elements: dict
  sample:
    - name: documents
      status: green
      optimizer_status: ok
      points_count: 240
      indexed_vectors_count: 0
      segments_count: 2
      query_hits: 10
      query_note: null
  contains:
    name:
      description: The name of the collection.
      returned: always
      type: str
    status:
      description: V(green), V(yellow) (optimising), V(grey) (optimisations wait for an update) or V(red) (broken).
      returned: always
      type: str
    optimizer_status:
      description: V(ok), or the optimiser's error.
      returned: always
      type: str
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
differences:
  description: What differs from O(expected) and O(baseline), and test queries that missed; one sentence each.
  returned: always, once they could be read
  type: list
  elements: str
  sample: ["The collection 'documents' has 230 points, but 240 were there before (10 fewer)."]
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

from typing import Any

from ansible.module_utils.basic import AnsibleModule

from ansible_collections.wwhd.qdrant_ops.plugins.module_utils._http import (
    HIDDEN,
    Transport,
    http_argument_spec,
    keep_secrets,
    mask,
    run,
    secrets_of_login,
    secrets_of_url,
)
from ansible_collections.wwhd.qdrant_ops.plugins.module_utils._polling import Clock
from ansible_collections.wwhd.qdrant_ops.plugins.module_utils._qdrant import (
    Scope,
    collections_info,
    parse_baseline,
    parse_expected,
)


def argument_spec() -> dict[str, Any]:
    return {
        "url": {"type": "str", "required": True, "no_log": True},
        "api_key": {"type": "str", "no_log": True},
        "collections": {"type": "list", "elements": "str"},
        "exact": {"type": "bool", "default": True},
        "query": {"type": "bool", "default": True},
        "expected": {"type": "dict", "default": {}},
        "baseline": {"type": "list", "elements": "dict"},
        "fail_on_difference": {"type": "bool", "default": True},
        "timeout": {"type": "float", "default": 60.0},
        "attempt_timeout": {"type": "float", "default": 15.0},
        **http_argument_spec(),
    }


def read_collections(params: dict[str, Any], clock: Clock) -> dict[str, Any]:
    return collections_info(
        url=params["url"],
        api_key=params["api_key"],
        scope=Scope(
            names=params["collections"],
            exact=params["exact"],
            query=params["query"],
            expected=parse_expected(params["expected"], exact=params["exact"]),
            baseline=parse_baseline(params["baseline"], exact=params["exact"]),
            fail_on_difference=params["fail_on_difference"],
        ),
        transport=Transport.from_params(params),
        timeout=params["timeout"],
        attempt_timeout=params["attempt_timeout"],
        clock=clock,
    )


def main(clock: Clock | None = None) -> None:
    module = AnsibleModule(argument_spec=argument_spec(), supports_check_mode=True)
    params = module.params
    given = keep_secrets(
        module,
        secrets_of_url(params["url"])
        | secrets_of_login(params["url_username"], params["url_password"])
        | {params["api_key"] or ""},
        url=mask(params["url"]),
        api_key=HIDDEN,
        url_password=HIDDEN,
    )
    run(module, lambda: read_collections(given, clock or Clock()))


if __name__ == "__main__":
    main()
