"""http_health shows no secret of its arguments or of what it is answered."""

from __future__ import annotations

import json

import pytest
from ansible.module_utils.basic import AnsibleModule

from ansible_collections.wwhd.qdrant_ops.tests.unit.health_client import OK, ask, health, script
from ansible_collections.wwhd.qdrant_ops.tests.unit.small_server import (
    Asked,
    Reply,
    serve,
)


def test_userinfo_is_masked_everywhere() -> None:
    with serve(lambda asked: Reply(503, f"you said {asked.headers.get('authorization')}")) as server:
        url = server.url.replace("//", "//operator:tops%40cret@") + "/health?token=qu3ry-t0ken&deep=1"
        outcome = health(url, timeout=1, force_basic_auth=True)
    text = json.dumps(outcome.result)
    assert outcome.failed
    sent = server.asked[0].headers["authorization"]
    assert sent.startswith("Basic ")
    assert server.asked[0].path == "/health?token=qu3ry-t0ken&deep=1"
    for secret in ("tops", "operator", "qu3ry", sent.split()[1]):
        assert secret not in text
    shown = f"http://***@127.0.0.1:{server.port}/health?token=***&deep=***"
    assert f"GET {shown}" in outcome.msg
    assert outcome.result["last"]["url"] == shown.replace("***@", "")
    assert outcome.result["invocation"]["module_args"]["url"] == shown


def test_nothing_secret_reaches_the_systems_log(monkeypatch: pytest.MonkeyPatch) -> None:
    logged: list[str] = []
    monkeypatch.setattr(AnsibleModule, "log", lambda self, msg, log_args=None: logged.append(f"{msg} {log_args}"))
    with serve(script(OK)) as server:
        headers = {"X-Own": "als0s3cret"}
        for url, login in (
            (server.url.replace("//", "//operator:tops%40cret@"), {}),
            (server.url, {"url_username": "u", "url_password": "pa55word"}),
        ):
            assert not health(f"{url}/health?token=qu3ry-t0ken", headers=headers, **login).failed
    assert "timeout" in "".join(logged)
    for secret in ("tops", "qu3ry", "als0s3cret", "pa55word"):
        assert secret not in "".join(logged)


def test_a_short_secret_blanks_nothing_but_itself() -> None:
    with serve(lambda asked: Reply(200, {"status": "true", "count": 240})) as server:
        url = f"{server.url}/health?t=4"
        outcome = health(url, headers={"X-Own": "true", "X-Other": "1"}, url_username="u", url_password="0")
    assert outcome.result["last"]["json"] == {"status": "true", "count": 240}
    assert outcome.result["last"]["status"] == 200
    arguments = outcome.result["invocation"]["module_args"]
    assert arguments["headers"] == {"X-Own": "***", "X-Other": "***"}
    assert (arguments["url_password"], arguments["url"]) == ("***", f"{server.url}/health?t=***")


def test_headers_that_may_be_secrets_are_masked_and_harmless_ones_are_not() -> None:
    def answer(asked: Asked) -> Reply:
        return Reply(503, {"token": asked.headers["authorization"].split()[1], "kind": asked.headers["accept"]})

    with serve(answer) as server:
        headers = {"Authorization": "Bearer tops3cret", "X-Own": "als0s3cret", "Accept": "application/json"}
        outcome = health(server.url, timeout=0, headers=headers, url_username="u", url_password="pa55word")
    text = json.dumps(outcome.result)
    assert server.asked[0].headers["authorization"] == "Bearer tops3cret"
    for secret in ("tops3cret", "als0s3cret", "pa55word"):
        assert secret not in text
    assert outcome.result["last"]["json"]["kind"] == "application/json"
    assert outcome.result["last"]["content_type"] == "application/json"
    assert outcome.result["invocation"]["module_args"]["headers"]["Accept"] == "application/json"


def test_a_cookie_of_the_answer_is_not_shown() -> None:
    outcome, _server = ask([Reply(503, "", {"Set-Cookie": "session=t0psecret"})], timeout=0)
    assert "t0psecret" not in json.dumps(outcome.result)
    assert outcome.result["last"]["headers"]["set-cookie"] == "***"
