# Copyright (c) 2026, wwhd
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Restore saved collections: refuse what would lose points, put each in, and prove that it is what was saved.

Private to wwhd.qdrant_ops. Seconds everywhere, as floats.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from ansible_collections.wwhd.qdrant_ops.plugins.module_utils._ecs.errors import OperationFailed
from ansible_collections.wwhd.qdrant_ops.plugins.module_utils._interrupts import Interrupted
from ansible_collections.wwhd.qdrant_ops.plugins.module_utils._polling import Pace, WaitEnded, poll
from ansible_collections.wwhd.qdrant_ops.plugins.module_utils._qdrant.client import RefusedError
from ansible_collections.wwhd.qdrant_ops.plugins.module_utils._qdrant.reading import (
    aliases_by_collection,
    describe_collection,
    list_collections,
)
from ansible_collections.wwhd.qdrant_ops.plugins.module_utils._snapshots.files import local_faults
from ansible_collections.wwhd.qdrant_ops.plugins.module_utils._snapshots.manifest import Manifest, Place, read_set
from ansible_collections.wwhd.qdrant_ops.plugins.module_utils._snapshots.remote import Server, version_number
from ansible_collections.wwhd.qdrant_ops.plugins.module_utils._snapshots.words import counted

__all__ = ["Restoring", "restored_faults", "version_fault"]

_PACE = Pace(quick=0.5, slow=5.0)
# A collection that is at rest, and has another number of points, has it for good after so many looks.
_AT_REST = 3

Described = Mapping[str, Any]


@dataclass
class Restoring:
    """One run. `names` None means every collection of the set."""

    server: Server
    folder: Path
    names: Sequence[str] | None
    overwrite: bool
    version_mismatch: str
    with_aliases: bool
    check_mode: bool
    warnings: list[str] = field(default_factory=list)

    def run(self) -> dict[str, Any]:
        """The module's result. Raises OperationFailed, with what was restored by then in its details."""
        chosen = self._chosen()
        qdrant = self.server.qdrant
        version = qdrant.version()
        self._check_versions(chosen, version)
        found = self._found(chosen)
        kept = [] if self.overwrite else [name for name, one in chosen.items() if _is_there(one, found[name])]
        aliases = self._aliases_to_make(chosen) if self.with_aliases else {}
        self._check_targets(chosen, found, kept)
        done: dict[str, Described] = {name: found[name] or {} for name in kept}
        todo = [name for name in chosen if name not in kept]
        if not self.check_mode:
            for name in todo:
                try:
                    done[name] = self._restore(chosen[name], found[name], version)
                except (OperationFailed, Interrupted) as error:
                    raise self._unfinished(error, name, list(done), len(chosen)) from error
            self._make(aliases)
        return self._result(chosen, found, done, todo, aliases, version)

    def _chosen(self) -> dict[str, Manifest]:
        """The manifests of what is to be restored, each with its file whole."""
        saved = read_set(self.folder)
        wanted = list(saved) if self.names is None else list(dict.fromkeys(self.names))
        gone = [name for name in wanted if name not in saved]
        if gone or not wanted:
            raise OperationFailed(
                f"{self.folder} has no snapshot of {', '.join(gone) or 'what collections names'}: it has "
                f"{', '.join(saved)}. Nothing was changed."
            )
        with local_faults(f"read the snapshots in {self.folder}"):
            faults = [fault for name in wanted if (fault := Place(self.folder, name).fault(saved[name]))]
        if faults:
            raise OperationFailed(
                f"The snapshots in {self.folder} are not whole: {'; '.join(faults)}. Fetch them again from where they "
                "were copied from, or take them anew. Nothing was changed."
            )
        return {name: saved[name] for name in wanted}

    def _check_versions(self, chosen: Mapping[str, Manifest], version: str | None) -> None:
        faults = dict.fromkeys(version_fault(one.qdrant_version, version) for one in chosen.values())
        said = " ".join(fault for fault in faults if fault)
        if said and self.version_mismatch == "fail":
            raise OperationFailed(
                f"{said} Qdrant promises to read a snapshot only in the minor version that made it. Start the new "
                "store with that version, restore, and upgrade it one minor version at a time; or set version_mismatch "
                "to warn, if you want to try and trust the counts. Nothing was changed."
            )
        if said:
            self.warnings.append(f"{said} Qdrant does not promise to read it; what came of it was counted.")

    def _found(self, chosen: Mapping[str, Manifest]) -> dict[str, Described | None]:
        return {
            name: describe_collection(self.server.qdrant, name, exact=True, query=False, aliases=None)
            for name in chosen
        }

    def _check_targets(
        self, chosen: Mapping[str, Manifest], found: Mapping[str, Described | None], kept: Sequence[str]
    ) -> None:
        qdrant = self.server.qdrant
        listed = list_collections(qdrant)
        faults = []
        for name, manifest in chosen.items():
            there = found[name]
            if there is None or name in kept:
                continue
            if name not in listed:
                faults.append(f"{name!r} is an alias there: a collection of that name can't be made beside it.")
            elif there["status"] == "red" and not self.overwrite:
                faults.append(
                    f"The collection {name!r} is there and is red: it is broken, and nobody can say what it holds."
                )
            elif there["points_count"] and not self.overwrite:
                faults.append(
                    f"The collection {name!r} is there with {counted(there['points_count'], 'point')}, and the "
                    f"snapshot has {manifest.counts()}."
                )
        if faults:
            raise OperationFailed(
                f"Restoring to {qdrant.shown} would lose what is there: {' '.join(faults)} Check that this is the "
                "address that you mean. To replace what is there, save it first and set overwrite to true. Nothing was "
                "changed."
            )

    def _aliases_to_make(self, chosen: Mapping[str, Manifest]) -> dict[str, str]:
        """Alias to collection, for those that are not there yet; refuses one that leads elsewhere."""
        wanted = {alias: name for name, one in chosen.items() for alias in one.aliases or ()}
        if not wanted:
            return {}
        qdrant = self.server.qdrant
        there = {alias: name for name, aliases in (aliases_by_collection(qdrant) or {}).items() for alias in aliases}
        taken = {alias: there[alias] for alias, name in wanted.items() if there.get(alias, name) != name}
        taken.update({alias: alias for alias in wanted if alias in list_collections(qdrant)})
        if taken:
            said = ", ".join(f"{alias} leads to {name} there" for alias, name in taken.items())
            raise OperationFailed(
                f"Restoring to {qdrant.shown} would turn aliases: {said}. Remove them there, or set aliases to false "
                "and make them yourself. Nothing was changed."
            )
        return {alias: name for alias, name in wanted.items() if alias not in there}

    def _restore(self, manifest: Manifest, there: Described | None, version: str | None) -> Described:
        name, server = manifest.collection, self.server
        path = self.folder / manifest.file
        # Never the name of a snapshot that the server has: some versions keep what is uploaded beside their own.
        uploaded = f"restored-{manifest.sha256[:32]}.snapshot"
        before = {one.name for one in server.listed(name)} if there is not None else set()
        server.say(f"{name}: putting in {manifest.counts()}")
        with local_faults(f"read {path}"):
            lost = server.put_in(name, path, name=uploaded, sha256=manifest.sha256, version=version)
        if lost and there is not None and manifest.holds(there["points_count"]) and there["points_count"]:
            raise OperationFailed(
                f"The answer to the upload of {name!r} to {server.qdrant.shown} was lost ({lost}), and the collection "
                "had as many points before: nobody can say which ones it has now. See Qdrant's log."
            )
        after = self._verified(manifest, lost=lost)
        self._remove_upload(name, uploaded, before)
        return after

    def _verified(self, manifest: Manifest, *, lost: str | None) -> Described:
        name, qdrant = manifest.collection, self.server.qdrant
        wrong = [0]

        def look() -> Described | None:
            found = describe_collection(qdrant, name, exact=True, query=True, aliases=None)
            settled = not lost and found is not None and found["status"] != "yellow"
            wrong[0] = wrong[0] + 1 if settled and restored_faults(manifest, found) else 0
            return found

        try:
            found = poll(
                look,
                done=lambda found: not restored_faults(manifest, found),
                hopeless=lambda found: "it does not change any more" if wrong[0] >= _AT_REST else None,
                timeout=max(0.0, self.server.left()),
                tell=lambda found: restored_faults(manifest, found) or None,
                pace=_PACE,
                clock=self.server.clock,
            ).value
        except WaitEnded as ended:
            faults = " ".join(restored_faults(manifest, ended.observation.value))
            on_the_way = f" The answer to its upload was lost on the way: {lost}." if lost else ""
            raise OperationFailed(
                f"The collection {name!r} of {qdrant.shown} is not what was saved: {faults}{on_the_way} See Qdrant's "
                f"log; the snapshot itself is whole, in {self.folder}."
            ) from ended
        if found is None:
            raise RuntimeError(f"{name}: what is not there has a fault")
        return found

    def _remove_upload(self, name: str, uploaded: str, before: set[str]) -> None:
        """Older versions keep what was uploaded among their own snapshots, where it takes room for good."""
        try:
            for one in self.server.listed(name):
                if one.name == uploaded and one.name not in before:
                    self.server.delete(name, one.name)
        except OperationFailed as error:
            self.warnings.append(f"{error} The collection itself is restored.")

    def _make(self, aliases: Mapping[str, str]) -> None:
        if not aliases:
            return
        actions = [{"create_alias": {"alias_name": alias, "collection_name": name}} for alias, name in aliases.items()]
        qdrant = self.server.qdrant
        try:
            qdrant.call("POST", "/collections/aliases", body={"actions": actions}, doing="make the aliases")
        except RefusedError as refused:
            raise OperationFailed(
                f"The collections are restored at {qdrant.shown}, but their aliases {', '.join(aliases)} could not be "
                f"made: it answered {refused.status}, {refused.reason}. Make them yourself."
            ) from refused

    def _unfinished(
        self, error: OperationFailed | Interrupted, name: str, done: Sequence[str], wanted: int
    ) -> OperationFailed:
        said = f"Told to end by {error} while restoring {name!r}." if isinstance(error, Interrupted) else str(error)
        told = [
            said,
            f"Restored and verified: {len(done)} of {counted(wanted, 'collection')} ({', '.join(done) or 'none'}).",
            f"Don't use {name!r} at {self.server.qdrant.shown} before it is restored: run it again for it, with "
            "overwrite: true if it is there with points.",
        ]
        return OperationFailed(" ".join(told), details={"directory": str(self.folder), "restored_names": list(done)})

    def _result(
        self,
        chosen: Mapping[str, Manifest],
        found: Mapping[str, Described | None],
        done: Mapping[str, Described],
        todo: Sequence[str],
        aliases: Mapping[str, str],
        version: str | None,
    ) -> dict[str, Any]:
        shown = self.server.qdrant.shown
        saved = sum(one.points_count for one in chosen.values())
        if self.check_mode and todo:
            msg = f"Would restore {', '.join(todo)} to {shown}."
        elif todo:
            points = sum(one["points_count"] for one in done.values())
            same = "as many as were saved" if points == saved else f"{saved:,} were counted when they were saved"
            msg = (
                f"{len(done)} of {counted(len(chosen), 'collection')} "
                f"{'is' if len(done) == 1 else 'are'} restored at {shown}: {counted(points, 'point')}, {same}."
            )
        else:
            msg = f"Nothing was touched at {shown}: it has as many points as were saved in {', '.join(chosen)}."
        if aliases:
            msg += f" Aliases {'to make' if self.check_mode else 'made'}: {', '.join(aliases)}."
        return {
            "changed": bool(todo or aliases),
            "msg": msg,
            "directory": str(self.folder),
            "version": version,
            "restored": [
                {
                    "collection": name,
                    "points_count": one["points_count"],
                    "saved_points_count": chosen[name].points_count,
                    "status": one["status"],
                    "query_hits": one["query_hits"],
                    "changed": name in todo,
                }
                for name, one in done.items()
            ],
            "aliases": dict(aliases),
            "diff": {
                "before": {"points": {name: one and one["points_count"] for name, one in found.items()}},
                "after": {
                    "points": {
                        name: one.points_count if name in todo else (found[name] or {})["points_count"]
                        for name, one in chosen.items()
                    }
                },
            },
        }


def _is_there(manifest: Manifest, there: Described | None) -> bool:
    """Whether the collection is there already, as far as can be told without comparing each point."""
    return bool(
        there
        and manifest.exact
        and there["points_count"] == manifest.points_count
        and there["vectors"] == manifest.vectors
        and there["status"] != "red"
    )


def restored_faults(manifest: Manifest, found: Described | None) -> list[str]:
    """In which ways a collection is not what its manifest says; one sentence each."""
    if found is None:
        return ["It is not there."]
    faults = []
    if not manifest.holds(found["points_count"]):
        count = found["points_count"]
        said = "no number of points" if count is None else counted(count, "point")
        faults.append(f"It has {said}, and {manifest.counts()} were saved.")
    if found["status"] != "green" and found["status"] != manifest.status:
        faults.append(f"Its status is {found['status']}.")
    if found["vectors"] != manifest.vectors:
        faults.append(f"Its vectors are {found['vectors']}, and {dict(manifest.vectors)} were saved.")
    lost = [name for name in manifest.payload_indexes if name not in found["payload_indexes"]]
    if lost:
        faults.append(f"It has no index on {', '.join(lost)}.")
    if found["query_hits"] == 0:
        faults.append(f"It does not answer a test query: {found['query_note']}.")
    return faults


def version_fault(saved: str | None, target: str | None) -> str | None:
    """What is to be told of the version that made a snapshot and the one that is to read it."""
    made, reads = version_number(saved), version_number(target)
    if made is None or reads is None:
        known = saved or "a version that was not told"
        return f"The snapshot was made by Qdrant {known}, and the new store's is {target or 'not told'}."
    if made[:2] != reads[:2]:
        return f"The snapshot was made by Qdrant {saved}, and the new store is {target}."
    return None
