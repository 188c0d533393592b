# Copyright (c) 2026, wwhd
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A release that shares its stop with an unlock: what it will run, whether it may, and whether there is a way back.

Private to wwhd.qdrant_ops. Pure. A task definition is named `family:revision` here, as it is in the tags that a run
writes on the service before it stops it.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

__all__ = ["plan_release", "release_notes", "release_refusals", "retreat", "unfinished_release"]

_TAG_LENGTH = 256
# What the tag of the earlier definition says of Qdrant's image: without it nobody could tell after a kill.
_SAME, _OTHER = "same", "other"


def short(name: str) -> str:
    """`family:revision` of a task definition that may be given as an ARN."""
    return name.rsplit("/", 1)[-1]


def _store_images(volume: Mapping[str, Any], container: str | None) -> dict[str, str]:
    """The images that may change the store's format: Qdrant's, or all that mount the store where none is called so."""
    mounting = {str(c["name"]): str(c.get("image")) for c in volume.get("containers", []) if not c.get("read_only")}
    named = {name: image for name, image in mounting.items() if name == container or "qdrant" in image}
    return named or mounting


def _same_store(wanted: Mapping[str, Any], volume: Mapping[str, Any]) -> bool:
    return all(
        (wanted.get(key) or default) == (volume.get(key) or default)
        for key, default in (("file_system_id", ""), ("access_point_id", ""), ("root_directory", "/"))
    )


def _previous_of(tags: Mapping[str, str], *, key: str, current: str) -> tuple[str, str | None]:
    """What ran before the release, and what an unfinished run has noted of Qdrant's image in it."""
    name, _space, image = tags.get(key, "").partition(" ")
    return (name, image or None) if name else (current, None)


def unfinished_release(tags: Mapping[str, str], *, key: str) -> str | None:
    """What an unfinished run was to release."""
    return tags.get(key) or None


def plan_release(
    prepared: Mapping[str, Any] | None,
    *,
    info: Mapping[str, Any],
    options: Mapping[str, Any],
    tags: Mapping[str, str],
    keys: tuple[str, str],
    volume: Mapping[str, Any] | None,
) -> dict[str, Any] | None:
    """The release of a run, or None where there is none: nothing is asked for, or it is what ran before and runs now.

    `prepared` is what ecs_service_redeploy returned with `deploy: false` in check mode, or None if it was not asked.
    `keys` are the tags of the release and of what ran before it. `register`: a revision has to be registered first, so
    that `name` is a guess. `asked`: by this run's own variables, not only by what an unfinished run has written down.
    """
    if not prepared or not prepared.get("prepared"):
        return None
    current = short(str((info.get("task_definition") or {}).get("task_definition_arn") or ""))
    previous, image = _previous_of(tags, key=keys[1], current=current)
    register = bool(prepared.get("registered"))
    name = short(str(prepared["task_definition_arn"]))
    if name == current == previous and not register and not unfinished_release(tags, key=keys[0]):
        return None
    images: Mapping[str, str] = prepared["prepared"]["images"]
    if previous == current and volume:
        now = _store_images(volume, options.get("container"))
        image = _SAME if all(images.get(each) == its for each, its in now.items()) else _OTHER
    elif name != unfinished_release(tags, key=keys[0]):
        image = None
    return {
        "name": name,
        "task_definition": None if register else prepared["task_definition_arn"],
        "register": register,
        "asked": bool(options.get("task_definition") or options.get("images")),
        "deployed": name == current and not register,
        "noted": name == unfinished_release(tags, key=keys[0]) and not register,
        "previous": previous,
        "changes": list(prepared["prepared"]["changes"]),
        "leaves_aside": prepared["prepared"].get("newer_task_definition"),
        "way_back": image == _SAME,
        "tags": {keys[0]: name, keys[1]: f"{previous} {image or _OTHER}"},
    }


def release_notes(
    release: Mapping[str, Any] | None, tags: Mapping[str, str], *, keys: tuple[str, str], only_tidy: bool, name: str
) -> Iterable[str]:
    """What there is to say of a release: what it leaves aside, and what an unfinished run has written down."""
    if release and release.get("leaves_aside"):
        yield (
            f"The release is made from what {name} runs now. Its family has the newer revision"
            f" {release['leaves_aside']}, which is not in it (qdrant_prevent leaves one like that for the next"
            f" deployment): to release that, pass -e qdrant_unlock_task_definition={release['leaves_aside']} as well."
        )
    kept = unfinished_release(tags, key=keys[0])
    if kept is None:
        return
    earlier = tags.get(keys[1], "").partition(" ")[0]
    again = f"-e qdrant_unlock_task_definition={kept}"
    if release is None or release["deployed"]:
        yield f"The unfinished run was to release {kept}, which {name} has now."
    elif only_tidy:
        yield (
            f"The unfinished run was to release {kept}, and had not come to it. {name} is healthy without it, so it is"
            f" not stopped for that now: to release it, run this again with {again}."
        )
    elif release["name"] == kept:
        yield (
            f"The unfinished run was to release {kept}, and this one does it. To go back to {earlier} instead, pass"
            f" -e qdrant_unlock_task_definition={earlier}."
        )
    else:
        yield f"The unfinished run was to release {kept}; this one has {release['name']} instead, as its variables say."


def release_refusals(
    release: Mapping[str, Any] | None, prepared: Mapping[str, Any] | None, volume: Mapping[str, Any] | None
) -> Iterable[str]:
    """Why the release must not be started: one sentence each. Another store would look like an empty one."""
    if release is None or volume is None or prepared is None:
        return
    name = release["name"]
    too_long = [value for value in release["tags"].values() if len(value) > _TAG_LENGTH]
    if too_long:
        yield f"The name {too_long[0]} is too long to be noted in a tag of the service: use a shorter family."
    volumes: Sequence[Mapping[str, Any]] = prepared["prepared"]["volumes"]
    same = [wanted for wanted in volumes if _same_store(wanted, volume)]
    if not same:
        told = "; ".join(map(_store_text, volumes)) or "no EFS volume"
        yield (
            f"The task definition {name} mounts {told}, but the store lies on {_store_text(volume)}: Qdrant would start"
            " on another store, and look as if all data were gone. Correct the task definition. If the store is to"
            " move, deploy it by itself with wwhd.qdrant_ops.ecs_service_redeploy."
        )
        return
    mounts = {
        str(c["name"]): (c.get("container_path"), bool(c.get("read_only")))
        for wanted in same
        for c in wanted.get("containers", [])
    }
    for container in volume.get("containers", []):
        its, there = str(container["name"]), (container.get("container_path"), bool(container.get("read_only")))
        if mounts.get(its) != there and not there[1]:
            found = mounts.get(its)
            how = f"at {found[0]}{' read-only' if found[1] else ''}" if found else "not at all"
            yield (
                f"The task definition {name} mounts the store in container {its} {how}, until now at {there[0]}: it"
                " would start without its data. Correct the task definition. If that is meant, deploy it by itself with"
                " wwhd.qdrant_ops.ecs_service_redeploy."
            )


def _store_text(volume: Mapping[str, Any]) -> str:
    through = f" through {volume['access_point_id']}" if volume.get("access_point_id") else ""
    root = volume.get("root_directory") or "/"
    return f"{volume['file_system_id']}{through}" + (f" at {root}" if root != "/" else "")


def _has_run(deployment: Mapping[str, Any]) -> bool:
    """Whether a container of the deployment may have run; only where everything is known of it, it has not."""
    if not deployment.get("outcome") or deployment.get("has_run"):
        return True
    tasks = [*(deployment.get("failures") or []), *(deployment.get("tasks") or [])]
    return any(
        task.get("started_at")
        or any(
            container.get("exit_code") is not None or container.get("last_status") not in (None, "PENDING", "STOPPED")
            for container in task.get("containers") or []
        )
        for task in tasks
    )


def retreat(
    release: Mapping[str, Any],
    *,
    current: str,
    deployment: Mapping[str, Any] | None,
    completed: bool,
    stopped_before: bool = False,
) -> dict[str, str]:
    """What a failed run does with its release: `action`, and the sentence that `said` tells.

    `none`: the service does not have the release. `back`: it goes back to what ran before. Where a newer Qdrant may
    have opened the store, an older one may not read it any more, so nobody but a person decides: `stop` leaves the
    service stopped, `stay` leaves it as it is, since its tasks are up.
    """
    name, previous = str(release["name"]), str(release["previous"])
    there = short(current)
    word = f"pass -e qdrant_unlock_task_definition={previous}"
    if there == previous:
        if name == previous:
            return {"action": "none", "said": f"The service has {previous}, as it was to have."}
        if (deployment or {}).get("deployment"):
            return {"action": "none", "said": _taken_back(release, deployment or {})}
        return {
            "action": "none",
            "said": f"The release of {name} did not happen: the service has {previous}, as before.",
        }
    if release.get("way_back") or (deployment and not _has_run(deployment)):
        return {"action": "back", "said": f"The service goes back from {there} to {previous}, which it had before."}
    why = (
        f"It was not taken back to {previous}: the Qdrant of {there} may have opened the store, and an older one may"
        f" not read what it wrote. If you know that it does, {word}."
    )
    if completed and not stopped_before:
        return {"action": "stay", "said": f"The service goes on running {there}. {why}"}
    return {
        "action": "stop",
        "said": f"{why} To go on with a release that is put right, name it in qdrant_unlock_task_definition or"
        " qdrant_unlock_images.",
    }


def _taken_back(release: Mapping[str, Any], deployment: Mapping[str, Any]) -> str:
    """The release was started, and somebody else has gone back from it: the circuit breaker of ECS, for one."""
    name, previous = release["name"], release["previous"]
    said = f"The release of {name} failed, and the service has {previous} again: ECS, or somebody else, took it back."
    if release.get("way_back") or not _has_run(deployment):
        return said
    return (
        f"{said} The Qdrant of {name} may have opened the store before, and an older one may not read what it wrote:"
        f" look at its log, and count the points, before you rely on it. To go forward again, release {name} once more"
        " when it is put right."
    )
