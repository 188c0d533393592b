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
  - An answer can be judged by its status, its headers, values in its JSON, its body, and by how long it took.
  - A failed attempt begins the row anew. What can't get better by waiting (an invalid certificate, a status in
    O(give_up_status)) fails at once.
  - A failure says what was wanted, what the last answer was (status, latency, the headers that tell who answered, the
    beginning of its body) and how often each outcome came.
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
        V(PUT), V(PATCH) and V(DELETE) are not sent in check mode.
    type: str
    choices: [GET, HEAD, OPTIONS, POST, PUT, PATCH, DELETE]
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
      - With V(form-urlencoded), O(body) is a mapping, a list of pairs, or text that is encoded already. A list as a
        value sends its name once for each item.
      - Sets the header C(Content-Type) for V(json) and V(form-urlencoded) unless O(headers) has it.
    type: str
    choices: [form-urlencoded, json, raw]
  status:
    description:
      - The statuses that count as healthy, each a number, a range such as V(200-299), or a class such as V(2xx).
    type: list
    elements: str
    default: ['200']
    aliases: [status_code]
  give_up_status:
    description:
      - Statuses that no waiting will change, written as in O(status). One of them ends the wait at once.
    type: list
    elements: str
    default: []
  json:
    description:
      - What the answer's JSON must hold, by path. A path is written V(a.b[0].c), with V(["a name"]) for names with a
        dot in them, V([*]) for each item of a list or value of a mapping, and V($) for the whole document.
      - A value is either what the path must be equal to, or a mapping of tests, all of which must pass. With V([*])
        they must pass for each item, and there must be one.
      - The tests are V(equals), V(not_equals), V(one_of) (a list), V(at_least) and V(at_most) (numbers), V(matches)
        and V(not_matches) (a regular expression that is searched for), V(contains) and V(not_contains) (a part of a
        text, an item of a list, a key of a mapping), V(length) (of a text, list or mapping, a number or a mapping of
        V(equals), V(at_least) and V(at_most)) and V(exists) (true or false).
      - What a path leads to must be there for any test but V(exists) with false.
      - A body of more than 1 MiB does not count as JSON.
    type: dict
    default: {}
  response_headers:
    description:
      - What the answer's headers must hold, by name in any case, with a value or tests as in O(json).
      - A header that comes more than once has its values joined by a comma and a space. V(at_least) and V(at_most) read
        the number in its text.
    type: dict
    default: {}
  body_matches:
    description:
      - A regular expression of Python that must be found in the first MiB of the body. V((?s\)) before it lets a dot
        match line breaks, V((?i\)) ignores case.
    type: str
  body_not_matches:
    description:
      - A regular expression that must not be found there.
    type: str
  max_latency:
    description:
      - An answer that took longer than this many seconds does not count as healthy.
    type: float
  every_address:
    description:
      - Whether each address that the host of O(url) resolves to must answer as wanted, rather than the one that a
        connection happens to take. An attempt is healthy if all of them are.
      - They are asked one after the other. The server is told the host of O(url) as ever (C(Host) and TLS's server
        name), and its certificate must be for that host.
      - The name is looked up anew for each attempt. A proxy is not used and redirects are not followed.
    type: bool
    default: false
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
      - For how many seconds to go on. No attempt begins after that; there is always one. So all of it takes this and
        O(attempt_timeout) at most.
    type: float
    default: 60
    aliases: [wait_timeout]
  attempt_timeout:
    description:
      - How many seconds one attempt may take, from the look-up of the name to the last byte of the body. With
        O(every_address) it is for each address.
    type: float
    default: 5
extends_documentation_fragment:
  - wwhd.qdrant_ops.attributes
  - wwhd.qdrant_ops.progress
  - wwhd.qdrant_ops.http_options
attributes:
  check_mode:
    support: full
    details: It only asks, so it does in check mode what it does otherwise, but for V(PUT), V(PATCH) and V(DELETE).
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

- name: Wait until every node behind the name runs the new version and none reports a component that is down
  wwhd.qdrant_ops.http_health:
    url: https://backend.example.com/health
    every_address: true
    status: [200-299]
    give_up_status: [401, 403]
    json:
      components[*].status:
        one_of: [up, disabled]
    response_headers:
      X-Version:
        equals: 1.4.0
    body_not_matches: (?i)degraded

- name: See that a search answers
  wwhd.qdrant_ops.http_health:
    url: https://backend.example.com/search
    method: POST
    body:
      q: test
    body_format: form-urlencoded
    json:
      hits:
        length:
          at_least: 1
"""

RETURN = r"""
attempts:
  description: How many times the address was asked.
  returned: when the address was asked
  type: int
  sample: 4
successes:
  description: How many healthy answers in a row came last.
  returned: when the address was asked
  type: int
  sample: 3
outcomes:
  description: How often each outcome came, in the order in which they came first.
  returned: when the address was asked
  type: dict
  sample: {"connection refused": 9, "503": 3, "healthy": 3}
last:
  description: The last answer; with O(every_address) the worst one of the last attempt.
  returned: when the address was asked
  type: dict
  sample:
    status: 200
    latency: 0.021
    url: http://wwhd-alb-1530831557.us-west-2.elb.amazonaws.com/health
    content_type: application/json
    headers: {"content-type": "application/json", "content-length": "37", "server": "uvicorn"}
    body: '{"status": "healthy", "qdrant": "ok"}'
    json: {"status": "healthy", "qdrant": "ok"}
    error: null
    address: null
    addresses: []
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
    headers:
      description: Its headers, with names in lower case, 50 and 300 characters of each at most. Cookies are masked.
      returned: always
      type: dict
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
    address:
      description: The address that gave it, null without O(every_address).
      returned: always
      type: str
    addresses:
      description: What each address answered in the last attempt, empty without O(every_address).
      returned: always
      type: list
      elements: dict
      sample: [{"address": "10.0.1.5", "status": 200, "latency": 0.021, "error": null}]
history:
  description: The last ten attempts, oldest first. With O(every_address) each also has the C(address) that decided.
  returned: when the address was asked
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
  returned: when the address was asked
  type: str
  sample: '2026-11-23T15:04:05.678Z'
elapsed:
  description: How many seconds it took.
  returned: when the address was asked
  type: float
  sample: 3.214
"""

from collections.abc import Callable
from typing import Any

from ansible.module_utils.basic import AnsibleModule

from ansible_collections.wwhd.qdrant_ops.plugins.module_utils._health.bodies import BODY_FORMATS, request_body
from ansible_collections.wwhd.qdrant_ops.plugins.module_utils._health.expectations import (
    parse_expectations,
    parse_header_expectations,
)
from ansible_collections.wwhd.qdrant_ops.plugins.module_utils._health.judgement import Wanted, parse_statuses
from ansible_collections.wwhd.qdrant_ops.plugins.module_utils._health.wait import (
    Rules,
    check_arguments,
    wait_for_health,
)
from ansible_collections.wwhd.qdrant_ops.plugins.module_utils._http.exchange import Request
from ansible_collections.wwhd.qdrant_ops.plugins.module_utils._http.masking import (
    HIDDEN,
    keep_secrets,
    mask,
    secrets_of_headers,
    secrets_of_login,
    secrets_of_url,
    shown_headers,
)
from ansible_collections.wwhd.qdrant_ops.plugins.module_utils._http.options import http_argument_spec, run
from ansible_collections.wwhd.qdrant_ops.plugins.module_utils._http.transport import Transport
from ansible_collections.wwhd.qdrant_ops.plugins.module_utils._polling import Clock
from ansible_collections.wwhd.qdrant_ops.plugins.module_utils._progress import say

_READING = ("GET", "HEAD", "OPTIONS", "POST")
_WRITING = ("PUT", "PATCH", "DELETE")


def argument_spec() -> dict[str, Any]:
    return {
        "url": {"type": "str", "required": True, "no_log": True},
        "method": {"type": "str", "choices": [*_READING, *_WRITING], "default": "GET"},
        "headers": {"type": "dict", "default": {}, "no_log": True},
        "body": {"type": "raw"},
        "body_format": {"type": "str", "choices": list(BODY_FORMATS)},
        "status": {"type": "list", "elements": "str", "default": ["200"], "aliases": ["status_code"]},
        "give_up_status": {"type": "list", "elements": "str", "default": []},
        "json": {"type": "dict", "default": {}},
        "response_headers": {"type": "dict", "default": {}},
        "body_matches": {"type": "str"},
        "body_not_matches": {"type": "str"},
        "max_latency": {"type": "float"},
        "every_address": {"type": "bool", "default": False},
        "successes": {"type": "int", "default": 1},
        "interval": {"type": "float", "default": 1.0},
        "timeout": {"type": "float", "default": 60.0, "aliases": ["wait_timeout"]},
        "attempt_timeout": {"type": "float", "default": 5.0},
        **http_argument_spec(),
    }


def check_health(
    params: dict[str, Any],
    headers: dict[str, str],
    *,
    check_mode: bool,
    clock: Clock,
    on_change: Callable[[str], None] = lambda text: None,
) -> dict[str, Any]:
    data, content_type = request_body(params["body"], params["body_format"])
    if content_type and "content-type" not in {name.lower() for name in headers}:
        headers = {**headers, "Content-Type": content_type}
    request = Request(url=params["url"], method=params["method"], headers=headers, data=data)
    wanted = Wanted(
        status=parse_statuses(params["status"]),
        json=parse_expectations(params["json"]),
        headers=parse_header_expectations(params["response_headers"], option="response_headers"),
        body_matches=params["body_matches"],
        body_not_matches=params["body_not_matches"],
        max_latency=params["max_latency"],
    )
    rules = Rules(
        successes=params["successes"],
        interval=params["interval"],
        timeout=params["timeout"],
        attempt_timeout=params["attempt_timeout"],
        every_address=params["every_address"],
        give_up=parse_statuses(params["give_up_status"], option="give_up_status"),
    )
    transport = Transport.from_params(params)
    if check_mode and request.method in _WRITING:
        check_arguments(request, wanted=wanted, rules=rules, transport=transport)
        return {"changed": False, "skipped": True, "msg": f"{request.method} is not sent in check mode."}
    return wait_for_health(request, wanted=wanted, rules=rules, transport=transport, clock=clock, on_change=on_change)


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

    def work() -> dict[str, Any]:
        return check_health(given, headers, check_mode=module.check_mode, clock=clock or Clock(), on_change=say)

    run(module, work)


if __name__ == "__main__":
    main()
