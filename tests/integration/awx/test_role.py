# Copyright (c) 2026, wwhd
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the role qdrant_awx leaves on a controller, what a second run does, and what check mode says."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import pytest
from chaos.virtual.role import Played
from integration.awx.stage import SECRETS, Awx, awx

OPEN = ["Qdrant: diagnose", "Qdrant: inspect", "Qdrant: unlock", "Qdrant: prevent"]
PROTECTED = [name.replace("Qdrant:", "Qdrant protected:") for name in OPEN]
UNLOCK, PREVENT = (f"Qdrant protected: {kind} with approval" for kind in ("unlock", "prevent"))


@pytest.fixture(scope="module")
def made() -> Iterator[Awx]:
    """All that the role makes, as its first run left it; tests that use it leave it so."""
    with awx() as found:
        played = found.play()
        assert not played.failed, played.msg
        found.bodies = [(one.path, json.dumps(one.body)) for one in found.controller.written]
        yield found


@pytest.fixture
def empty() -> Iterator[Awx]:
    with awx() as found:
        yield found


def changed(played: Played) -> list[str]:
    """The tasks that changed something; an item of a loop with its name."""
    found = []
    for name, result in played.results:
        rows = [(f"{name}: {label(row['item'])}", row) for row in result.get("results", [])] or [(name, result)]
        found += [title for title, row in rows if row.get("changed")]
    return found


def label(item: Any) -> str:
    return str(item.get("name") or item.get("role")) if isinstance(item, dict) else str(item)


def said(played: Played) -> str:
    return " ".join(str(result.get("msg")) for name, result in played.results if name == "Say what is next")


# --- What is there afterwards ----------------------------------------------------------------------------------------


def test_project_and_inventory_come_from_the_repository(made: Awx) -> None:
    project = made.controller.named("projects", "Qdrant operations").data
    assert (project["scm_url"], project["scm_branch"]) == ("https://git.example.org/qdrant.git", "main")
    assert project["scm_update_on_launch"]
    source = made.controller.named("inventory_sources", "Qdrant environments from the project").data
    assert source["source_project"] == project["id"]
    assert source["source_path"] == "playbooks/inventory/hosts.yml"
    assert source["update_on_launch"] and source["overwrite"] and source["overwrite_vars"]


def test_each_playbook_is_a_template_for_either_kind_of_environment(made: Awx) -> None:
    assert made.controller.names("job_templates") == [*OPEN, *PROTECTED]
    for name in [*OPEN, *PROTECTED]:
        template = made.controller.named("job_templates", name)
        kind = name.split(": ")[1]
        assert template.data["playbook"] == f"playbooks/{kind}.yml"
        # Two jobs that change one service never run at once, and nobody sets other variables than those asked for.
        assert template.data["allow_simultaneous"] is (kind == "diagnose")
        assert template.data["ask_variables_on_launch"] is False
        assert template.data["job_type"] == ("check" if kind == "prevent" else "run")
        assert template.data["timeout"] == 7200
        (environment,) = [one for one in template.survey["spec"] if one["variable"] == "env"]
        assert environment["choices"] == (["prod"] if name in PROTECTED else ["dev"])


def test_the_questions_of_an_unlock(made: Awx) -> None:
    spec = made.controller.named("job_templates", "Qdrant: unlock").survey["spec"]
    assert [one["variable"] for one in spec] == [
        "env", "qdrant_unlock_held_locks", "qdrant_unlock_when", "qdrant_unlock_takeover",
    ]  # fmt: skip
    assert {one["variable"]: one["default"] for one in spec[1:]} == {
        "qdrant_unlock_held_locks": "wait", "qdrant_unlock_when": "needed", "qdrant_unlock_takeover": "false",
    }  # fmt: skip


@pytest.mark.parametrize("name", ["Qdrant protected: unlock", "Qdrant protected: prevent", UNLOCK, PREVENT])
def test_what_changes_a_protected_environment_must_be_confirmed(made: Awx, name: str) -> None:
    kind = "workflow_job_templates" if name in (UNLOCK, PREVENT) else "job_templates"
    template = made.controller.named(kind, name)
    (confirm,) = [one for one in template.survey["spec"] if one["variable"] == "confirm"]
    assert confirm["required"] and confirm["min"] == 1 and confirm["default"] == ""
    if kind == "job_templates":
        # The role refuses a wrong answer, whatever the inventory says of the environment.
        assert json.loads(template.data["extra_vars"]) == {"qdrant_unlock_protected": True}


@pytest.mark.parametrize(
    ("name", "first", "first_type", "last", "last_type"),
    [
        (UNLOCK, "Qdrant protected: diagnose", None, "Qdrant protected: unlock", None),
        (PREVENT, "Qdrant protected: prevent", "check", "Qdrant protected: prevent", "run"),
    ],
)
def test_a_workflow_is_a_look_an_approval_and_the_change(
    made: Awx, name: str, first: str, first_type: str | None, last: str, last_type: str | None
) -> None:
    controller = made.controller
    flow = controller.named("workflow_job_templates", name)
    kind = name.split()[2]
    nodes = {
        part: controller.named("workflow_job_template_nodes", f"Qdrant {kind} {part}", by="identifier")
        for part in ("first", "approve", "last")
    }
    assert {node.data["workflow_job_template"] for node in nodes.values()} == {flow.data["id"]}
    templates = {
        part: controller.named("job_templates", of).data["id"] for part, of in (("first", first), ("last", last))
    }
    assert nodes["first"].data["unified_job_template"] == templates["first"]
    assert nodes["last"].data["unified_job_template"] == templates["last"]
    assert (nodes["first"].data["job_type"], nodes["last"].data["job_type"]) == (first_type, last_type)
    approval = controller.named("workflow_approval_templates", f"Approve: {kind}").data
    assert nodes["approve"].data["unified_job_template"] == approval["id"]
    assert approval["timeout"] == 3600
    assert nodes["first"].links == {"success_nodes": [nodes["approve"].data["id"]]}
    assert nodes["approve"].links == {"success_nodes": [nodes["last"].data["id"]]}
    # With a path for failure, a change that fails would be a workflow that succeeds.
    assert nodes["last"].links == {}
    for when in ("approvals", "success", "error"):
        assert controller.linked(flow, f"notification_templates_{when}") == ["Qdrant notification"]


def test_each_environment_has_a_schedule_that_is_off(made: Awx) -> None:
    for name, template in (("dev", "Qdrant: diagnose"), ("prod", "Qdrant protected: diagnose")):
        schedule = made.controller.named("schedules", f"Qdrant: diagnose {name}").data
        assert schedule["unified_job_template"] == made.controller.named("job_templates", template).data["id"]
        assert schedule["extra_data"] == {"env": name}
        assert schedule["enabled"] is False


def test_credentials_stay_with_their_kind_of_environment(made: Awx) -> None:
    for name in OPEN:
        template = made.controller.named("job_templates", name)
        assert made.controller.linked(template, "credentials") == ["dev in AWS", "dev in Qdrant"]
    for name in PROTECTED:
        assert made.controller.linked(made.controller.named("job_templates", name), "credentials") == []


def test_operators_cannot_go_past_the_approval(made: Awx) -> None:
    granted = made.controller.granted()
    assert {row[2] for row in granted if row[:2] == ("operators", "execute_role")} == {
        *OPEN, "Qdrant protected: diagnose", "Qdrant protected: inspect", UNLOCK, PREVENT,
    }  # fmt: skip
    assert {row[2] for row in granted if row[:2] == ("leads", "approval_role")} == {UNLOCK, PREVENT}
    assert not any(row[0] == "leads" and row[1] == "execute_role" for row in granted)


def test_secrets_go_where_awx_hides_them_and_nowhere_else(made: Awx) -> None:
    for secret in SECRETS:
        paths = {path for path, body in made.bodies if secret in body}
        assert paths == {"/api/v2/notification_templates/" if secret == SECRETS[2] else "/api/v2/credentials/"}
    assert not any(secret in repr(made.controller.objects) for secret in SECRETS)


# --- The second run, and what changed meanwhile ----------------------------------------------------------------------


def test_a_second_run_changes_only_what_somebody_changed_by_hand(made: Awx) -> None:
    """Check mode says the same before, and writes nothing."""
    made.writes()
    template = made.controller.named("job_templates", "Qdrant: unlock")
    template.survey = {**template.survey, "spec": template.survey["spec"][:1]}
    node = made.controller.named("workflow_job_template_nodes", "Qdrant unlock first", by="identifier")
    approve = node.links.pop("success_nodes")
    expected = ["Create the job templates: Qdrant: unlock", f"Begin with a look: {UNLOCK}"]
    assert changed(made.play(check=True)) == expected
    assert made.writes() == []
    played = made.play()
    assert not played.failed, played.msg
    assert changed(played) == expected
    assert made.writes() == [
        ("POST", template.data["related"]["survey_spec"]),
        ("POST", f"{node.data['url']}success_nodes/"),
    ]
    assert len(template.survey["spec"]) == 4
    assert node.links["success_nodes"] == approve


def test_secrets_are_sent_again_only_on_request(empty: Awx) -> None:
    small: dict[str, Any] = {"playbooks": [], "operator_teams": [], "approver_teams": []}
    assert not empty.play(**small).failed
    empty.writes()
    assert not empty.play(**small).failed
    assert empty.writes() == []
    played = empty.play(update_secrets=True, **small)
    assert not played.failed, played.msg
    assert [path.split("/")[3] for _method, path in empty.writes()] == [
        "notification_templates", "credentials", "credentials",
    ]  # fmt: skip


# --- Check mode ------------------------------------------------------------------------------------------------------


def test_check_mode_says_on_an_empty_controller_what_would_be_made(empty: Awx) -> None:
    played = empty.play(check=True)
    assert not played.failed, played.msg
    assert empty.writes() == []
    assert len([row for row in changed(played) if row.startswith("Say what would be made: ")]) == 27
    assert f"Say what would be made: workflow_job_templates/{UNLOCK}" in changed(played)
    assert "Say what would be made: organizations/Default" not in changed(played)
    assert "Say what would be granted: approval" in changed(played)


def test_check_mode_where_not_even_the_organization_is_there(empty: Awx) -> None:
    played = empty.play(check=True, organization="Platform")
    assert not played.failed, played.msg
    assert empty.writes() == []
    assert "Say what would be made: organizations/Platform" in changed(played)


def test_check_mode_on_a_controller_that_has_half_of_it(made: Awx) -> None:
    """What refers to an object that only a real run would make cannot be asked for by awx.awx's modules."""
    made.writes()
    new = {"name": "prod in AWS", "kind": "aws", "inputs": {"region": "x", "access_key": "x", "secret_key": "x"}}
    played = made.play(check=True, new_credentials=[new], credentials=[], protected_credentials=["prod in AWS"])
    assert not played.failed, played.msg
    assert made.writes() == []
    told = [row for row in changed(played) if row.startswith("Say what would be made")]
    assert told == [f"Say what would be made: {key}" for key in (
        "credentials/prod in AWS", *(f"job_templates/{name}" for name in PROTECTED),
    )]  # fmt: skip
    assert "Create the job templates: Qdrant: unlock" in changed(played)


# --- Less, and nothing -----------------------------------------------------------------------------------------------


def test_what_is_not_wanted_any_more_goes_and_others_things_stay(empty: Awx) -> None:
    assert not empty.play(playbooks=["diagnose", "unlock"]).failed
    assert empty.controller.names("workflow_job_templates") == [UNLOCK]
    played = empty.play(playbooks=["diagnose"], groups={"dev": ["b.dev"]})
    assert not played.failed, played.msg
    assert empty.controller.names("job_templates") == ["Qdrant: diagnose"]
    assert empty.controller.names("workflow_job_templates") == []
    assert [key for key in empty.controller.objects if key[0] == "workflow_job_template_nodes"] == []
    empty.writes()
    assert "Remove the project" in changed(empty.play(check=True, state="absent"))
    assert empty.writes() == []
    played = empty.play(state="absent", scm_url="")
    assert not played.failed, played.msg
    assert {method for method, _path in empty.writes()} == {"DELETE"}
    left = {kind for kind, _number in empty.controller.objects}
    assert left - {"project_updates", "workflow_approval_templates"} == {
        "organizations", "teams", "credential_types", "credentials", "execution_environments",
    }  # fmt: skip
    assert changed(empty.play(state="absent")) == []
    assert not empty.play(state="absent", organization="Nowhere").failed


# --- When it cannot be done ------------------------------------------------------------------------------------------


def test_without_credentials_it_says_what_is_next(empty: Awx) -> None:
    played = empty.play(check=True, credentials=[], new_credentials=[])
    assert "make one of the type Qdrant AWS role, name it in qdrant_awx_credentials" in said(played)


def test_a_controller_that_does_not_let_us_in_is_named(empty: Awx, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CONTROLLER_OAUTH_TOKEN", "wrong")
    played = empty.play()
    assert played.failed
    assert f"The controller {empty.server.url} could not be asked for what it has" in played.msg
    assert "HTTP 401" in played.msg
    assert "Set CONTROLLER_HOST to its address, and CONTROLLER_OAUTH_TOKEN" in played.msg


def test_a_playbook_that_the_repository_does_not_have() -> None:
    with awx(playbooks=frozenset({"playbooks/diagnose.yml"})) as found:
        played = found.play(playbooks=["unlock"], new_credentials=[], credentials=[])
    assert played.failed
    (result,) = [result for name, result in played.results if name == "Create the job templates"]
    assert "Playbook not found for project." in json.dumps(result)


def test_what_awx_says_of_a_secret_is_shown_and_the_secret_is_not(empty: Awx) -> None:
    wrong = {"name": "wrong", "kind": "key", "inputs": {"token": SECRETS[1]}}
    played = empty.play(new_credentials=[wrong], credentials=[])
    assert played.failed
    (told,) = [result for name, result in played.results if name == "Say why there is no credential"]
    assert "The credential wrong could not be made on" in told["results"][0]["msg"]
    assert "unknown or missing" in told["results"][0]["msg"]
    assert SECRETS[1] not in told["results"][0]["msg"]


def test_faults_are_told_before_the_controller_is_asked(empty: Awx) -> None:
    played = empty.play(scm_url="", job_timeout=600)
    assert played.failed
    assert "qdrant_awx_scm_url is not set: give the address of the repository" in played.msg
    assert "qdrant_awx_job_timeout is 600, but by the inventory's time-outs an unlock may take" in played.msg
    assert empty.server.asked == []
