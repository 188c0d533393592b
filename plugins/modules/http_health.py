#!/usr/bin/python
# Copyright (c) 2026, wwhd
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Wait until an HTTP address answers as wanted, several times in a row."""

from __future__ import annotations

DOCUMENTATION = r"""
module: http_health
version_added: 0.1.0
short_description: Wait until an HTTP address is healthy
description:
  - Asks an HTTP address until it has answered as wanted a number of times in a row, or until the time is up.
  - An answer can be judged by its status, by values in its JSON, and by how long it took.
  - A failed attempt begins the row anew. What can't get better by waiting (an invalid certificate) fails at once.
author:
  - wwhd team (@wwhd)
options:
  url:
    description:
      - The address, beginning with C(http://) or C(https://).
      - A user, a password and the values of a query in it are masked in everything that the module returns.
    type: str
    required: true
  method:
    description:
      - The method of the request.
      - The module counts as reading only, and asks in check mode too, so that a V(POST) should not change anything.
    type: str
    choices: [GET, HEAD, OPTIONS, POST]
    default: GET
  headers:
    description:
      - Headers to send, by name.
      - Their values are masked in what the module returns, but for harmless ones such as C(Accept) and C(Host).
    type: dict
    default: {}
  body:
    description:
      - What to send, as text or as a mapping or list.
    type: raw
  body_format:
    description:
      - How O(body) is sent. Text is sent as V(raw) and all else as V(json) where this is left out.
    type: str
    choices: [json, raw]
  status:
    description:
      - The statuses that count as healthy.
    type: list
    elements: int
    default: [200]
  json:
    description:
      - What the answer's JSON must hold, by path. A path is written V(a.b[0].c), with V(["a name"]) for names with a
        dot in them, and V($) for the whole document.
      - A value is either what the path must be equal to, or a mapping of tests, all of which must pass.
      - The tests are V(equals), V(at_least) and V(at_most) (numbers), V(matches) (a regular expression that is searched
        for), V(contains) (a part of a text, an item of a list, a key of a mapping) and V(exists) (true or false).
    type: dict
    default: {}
  max_latency:
    description:
      - An answer that took longer than this many seconds does not count as healthy.
    type: float
  successes:
    description:
      - How many healthy answers in a row are wanted.
    type: int
    default: 1
  interval:
    description:
      - How many seconds to wait between two attempts, at least 0.05.
    type: float
    default: 1
  timeout:
    description:
      - For how many seconds to go on. No attempt begins after that; there is always one.
    type: float
    default: 60
  attempt_timeout:
    description:
      - How many seconds one attempt may take, from the look-up of the name to the last byte of the body.
    type: float
    default: 5
extends_documentation_fragment:
  - wwhd.qdrant_ops.attributes
  - wwhd.qdrant_ops.progress
  - wwhd.qdrant_ops.http_options
attributes:
  check_mode:
    support: full
    details: It only asks, so it does in check mode what it does otherwise.
  diff_mode:
    support: none
  idempotent:
    support: full
seealso:
  - module: wwhd.qdrant_ops.qdrant_collections_info
  - module: ansible.builtin.uri
"""

EXAMPLES = r"""
- name: Wait until the backend answers three times in a row
  wwhd.qdrant_ops.http_health:
    url: http://wwhd-alb-1530831557.us-west-2.elb.amazonaws.com/health
    successes: 3
    timeout: 300

- name: Wait until it says by itself that its store is fine
  wwhd.qdrant_ops.http_health:
    url: https://backend.example.com/health
    headers:
      Authorization: "Bearer {{ lookup('ansible.builtin.env', 'BACKEND_TOKEN') }}"
    json:
      status: healthy
      checks.qdrant.collections:
        at_least: 2
      version:
        matches: '^1\.'
    max_latency: 0.5
"""

RETURN = r"""
attempts:
  description: How many times the address was asked.
  returned: always, once the arguments are valid
  type: int
  sample: 4
successes:
  description: How many healthy answers in a row came last.
  returned: always, once the arguments are valid
  type: int
  sample: 3
last:
  description: The last answer.
  returned: always, once the arguments are valid
  type: dict
  sample:
    status: 200
    latency: 0.021
    url: http://wwhd-alb-1530831557.us-west-2.elb.amazonaws.com/health
    content_type: application/json
    body: '{"status": "healthy", "qdrant": "ok"}'
    json: {"status": "healthy", "qdrant": "ok"}
    error: null
  contains:
    status:
      description: Its HTTP status, null if there was no HTTP answer.
      returned: always
      type: int
    latency:
      description: How many seconds it took.
      returned: always
      type: float
    url:
      description: The address that answered, after redirects.
      returned: always
      type: str
    content_type:
      description: What the answer says that it is.
      returned: always
      type: str
    body:
      description: The first 1,000 characters of its body.
      returned: always
      type: str
    json:
      description: The body parsed, null if it is not JSON or larger than 64 KiB.
      returned: always
      type: raw
    error:
      description: What was wrong with it, null if it was healthy.
      returned: always
      type: str
history:
  description: The last ten attempts, oldest first.
  returned: always, once the arguments are valid
  type: list
  elements: dict
  sample:
    - at: '2026-11-23T15:04:05.678Z'
      status: 503
      error: '503'
      latency: 0.012
    - at: '2026-11-23T15:04:06.691Z'
      status: 200
      error: null
      latency: 0.021
started_at:
  description: When the module began to ask, in UTC.
  returned: always, once the arguments are valid
  type: str
  sample: '2026-11-23T15:04:05.678Z'
elapsed:
  description: How many seconds it took.
  returned: always, once the arguments are valid
  type: float
  sample: 3.214
"""

from typing import Any

from ansible.module_utils.basic import AnsibleModule

from ansible_collections.wwhd.qdrant_ops.plugins.module_utils._health import (
    Rules,
    Wanted,
    parse_expectations,
    request_body,
    wait_for_health,
)
from ansible_collections.wwhd.qdrant_ops.plugins.module_utils._http import (
    HIDDEN,
    Request,
    Transport,
    http_argument_spec,
    keep_secrets,
    mask,
    run,
    secrets_of_headers,
    secrets_of_login,
    secrets_of_url,
    shown_headers,
)
from ansible_collections.wwhd.qdrant_ops.plugins.module_utils._polling import Clock


def argument_spec() -> dict[str, Any]:
    return {
        "url": {"type": "str", "required": True, "no_log": True},
        "method": {"type": "str", "choices": ["GET", "HEAD", "OPTIONS", "POST"], "default": "GET"},
        "headers": {"type": "dict", "default": {}, "no_log": True},
        "body": {"type": "raw"},
        "body_format": {"type": "str", "choices": ["json", "raw"]},
        "status": {"type": "list", "elements": "int", "default": [200]},
        "json": {"type": "dict", "default": {}},
        "max_latency": {"type": "float"},
        "successes": {"type": "int", "default": 1},
        "interval": {"type": "float", "default": 1.0},
        "timeout": {"type": "float", "default": 60.0},
        "attempt_timeout": {"type": "float", "default": 5.0},
        **http_argument_spec(),
    }


def check_health(params: dict[str, Any], headers: dict[str, str], clock: Clock) -> dict[str, Any]:
    data, content_type = request_body(params["body"], params["body_format"])
    if content_type and "content-type" not in {name.lower() for name in headers}:
        headers = {**headers, "Content-Type": content_type}
    return wait_for_health(
        Request(url=params["url"], method=params["method"], headers=headers, data=data),
        wanted=Wanted(
            status=params["status"], json=parse_expectations(params["json"]), max_latency=params["max_latency"]
        ),
        rules=Rules(
            successes=params["successes"],
            interval=params["interval"],
            timeout=params["timeout"],
            attempt_timeout=params["attempt_timeout"],
        ),
        transport=Transport.from_params(params),
        clock=clock,
    )


def main(clock: Clock | None = None) -> None:
    module = AnsibleModule(argument_spec=argument_spec(), supports_check_mode=True)
    params = module.params
    headers = {str(name): str(value) for name, value in module.params["headers"].items()}
    given = keep_secrets(
        module,
        secrets_of_headers(headers)
        | secrets_of_url(params["url"])
        | secrets_of_login(params["url_username"], params["url_password"]),
        url=mask(params["url"]),
        url_password=HIDDEN,
        headers=shown_headers(headers),
    )
    run(module, lambda: check_health(given, headers, clock or Clock()))


if __name__ == "__main__":
    main()
