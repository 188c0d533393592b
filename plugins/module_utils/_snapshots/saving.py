# Copyright (c) 2026, wwhd
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Save collections: have a snapshot of each made, bring it here, prove that it is whole, and say what it holds.

Private to wwhd.qdrant_ops. Seconds everywhere, as floats.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from ansible_collections.wwhd.qdrant_ops.plugins.module_utils._ecs.errors import OperationFailed
from ansible_collections.wwhd.qdrant_ops.plugins.module_utils._interrupts import Interrupted
from ansible_collections.wwhd.qdrant_ops.plugins.module_utils._qdrant.client import RefusedError
from ansible_collections.wwhd.qdrant_ops.plugins.module_utils._qdrant.probe import collection_path
from ansible_collections.wwhd.qdrant_ops.plugins.module_utils._qdrant.reading import (
    aliases_by_collection,
    describe_collection,
    list_collections,
)
from ansible_collections.wwhd.qdrant_ops.plugins.module_utils._snapshots.files import (
    Part,
    check_room,
    local_faults,
    tar_fault,
    write_whole,
)
from ansible_collections.wwhd.qdrant_ops.plugins.module_utils._snapshots.manifest import Manifest, Place, write_manifest
from ansible_collections.wwhd.qdrant_ops.plugins.module_utils._snapshots.remote import Remote, Server, count_points
from ansible_collections.wwhd.qdrant_ops.plugins.module_utils._snapshots.words import collections_saved

__all__ = ["Saving"]


@dataclass
class Saving:
    """One run. `names` None means every collection; `folder` is the set's own, and named after it."""

    server: Server
    folder: Path
    names: Sequence[str] | None
    keep_on_server: bool
    tolerate_writes: bool
    check_mode: bool
    # Its own, since what is to be cleaned up may be so after the time is over.
    cleaner: Server
    warnings: list[str] = field(default_factory=list)

    def run(self) -> dict[str, Any]:
        """The module's result. Raises OperationFailed, with what was saved by then in its details."""
        version = self.server.qdrant.version()
        found = self._found()
        places = {name: Place(self.folder, name) for name in found}
        kept: dict[str, Manifest] = {}
        for name, place in places.items():
            manifest = self._kept(place, found[name]["points_count"])
            if manifest:
                kept[name] = manifest
        missing = [name for name in places if name not in kept]
        saved = dict(kept)
        if not self.check_mode:
            for name in kept:
                self._remove_what_is_left(places[name])
        if not self.check_mode and missing:
            with local_faults(f"make the folder {self.folder}"):
                self.folder.mkdir(mode=0o700, parents=True, exist_ok=True)
            for name in missing:
                try:
                    saved[name] = self._save(places[name], found[name], version)
                except (OperationFailed, Interrupted) as error:
                    raise self._unfinished(error, name, saved, list(places)) from error
        return self._result(saved, kept, list(places), missing, version)

    def _kept(self, place: Place, points: int) -> Manifest | None:
        """What is saved of a collection under this name, and whole."""
        manifest = place.saved()
        if manifest is None:
            return None
        shown = self.server.qdrant.shown
        if manifest.source != shown:
            raise OperationFailed(
                f"{self.folder} has a snapshot of {place.collection!r} that was taken from {manifest.source}, and this "
                f"is {shown}: give another name, so that the two are not taken for each other."
            )
        with local_faults(f"read the snapshots in {self.folder}"):
            if place.fault(manifest):
                return None
        if not manifest.holds(points):
            self.warnings.append(
                f"The collection {place.collection!r} has {points:,} points now, and {manifest.counts()} are saved "
                f"under this name, as of {manifest.created_at}: give another name to save it as it is now."
            )
        return manifest

    def _found(self) -> dict[str, dict[str, Any]]:
        """Each collection to save, as it is described; refuses what can't be saved whole, before anything is made."""
        qdrant = self.server.qdrant
        listed = list_collections(qdrant)
        wanted = listed if self.names is None else list(dict.fromkeys(self.names))
        if not listed:
            raise OperationFailed(
                f"There is nothing to save: {qdrant.shown} has no collections. Check that url is the right one."
            )
        gone = [name for name in wanted if name not in listed]
        if gone or not wanted:
            raise OperationFailed(
                f"There is no collection {', '.join(gone) or 'named in collections'} at {qdrant.shown}: there are "
                f"{', '.join(listed)}. An alias can't be saved, only what it leads to."
            )
        aliases = aliases_by_collection(qdrant)
        found: dict[str, dict[str, Any]] = {}
        for name in wanted:
            described = describe_collection(qdrant, name, exact=True, query=False, aliases=aliases)
            if described is None:
                raise OperationFailed(f"The collection {name!r} of {qdrant.shown} was removed just now: run it again.")
            found[name] = described
        faults = [text for name, described in found.items() for text in _obstacles(name, described)]
        if faults:
            raise OperationFailed(f"{qdrant.shown} can't be saved whole: {' '.join(faults)} Nothing was made.")
        return found

    def _save(self, place: Place, described: Mapping[str, Any], version: str | None) -> Manifest:
        name, server = place.collection, self.server
        self._remove_leftover(place)
        before = frozenset(one.name for one in server.listed(name))
        points_before = self._count(name)
        created_at = server.clock.utc_text()
        pending = {"source": server.qdrant.shown, "before": sorted(before)}
        with local_faults(f"write {place.pending}"):
            write_whole(place.pending, json.dumps({**pending, "snapshot": None}))
        remote: Remote | None = None
        try:
            server.say(f"{name}: Qdrant makes a snapshot of {points_before:,} points")
            remote = server.create(name, before)
            with local_faults(f"write {place.pending}"):
                write_whole(place.pending, json.dumps({**pending, "snapshot": remote.name}))
            points = self._count(name)
            self._check_writes(name, points_before, points)
            check_room(self.folder, remote.size)
            name_there = remote.name
            return self._bring(
                place,
                remote,
                lambda part, verified: Manifest(
                    collection=name,
                    file=place.file.name,
                    size=part.size,
                    sha256=part.sha256(),
                    points_count=points,
                    points_before=points_before,
                    status=described["status"],
                    created_at=created_at,
                    source=server.qdrant.shown,
                    qdrant_version=version,
                    snapshot_name=name_there,
                    verified_by=verified,
                    vectors=described["vectors"],
                    payload_indexes=described["payload_indexes"],
                    aliases=described["aliases"],
                    config=self._config(name),
                ),
            )
        finally:
            self._clean_up(place, remote)

    def _bring(self, place: Place, remote: Remote, manifest_of: Any) -> Manifest:
        """Download it, prove it, and only then give it its name."""
        doing = f"write the snapshot of {place.collection!r} to {self.folder}"
        with local_faults(doing):
            part = Part(place.part)
        try:
            with local_faults(doing):
                told = self.server.progress(place.collection, remote.size, "here")
                self.server.fetch(place.collection, remote, part, on_progress=told)
            verified = _verified(place, remote, part)
            manifest: Manifest = manifest_of(part, verified)
            with local_faults(doing):
                # A manifest of an earlier snapshot must not stand beside this one.
                place.manifest.unlink(missing_ok=True)
                part.become(place.file)
                write_manifest(place, manifest)
            return manifest
        except BaseException:
            part.discard()
            raise

    def _count(self, name: str) -> int:
        try:
            return count_points(self.server.qdrant, name)
        except RefusedError as refused:
            raise OperationFailed(
                f"Could not count the points of the collection {name!r} of {self.server.qdrant.shown}: it answered "
                f"{refused.status}, {refused.reason}."
            ) from refused

    def _config(self, name: str) -> Mapping[str, Any]:
        doing = f"read the settings of the collection {name!r}"
        told = self.server.qdrant.optional(collection_path(name), doing=doing)
        config = told.get("config") if isinstance(told, dict) else None
        return config if isinstance(config, dict) else {}

    def _check_writes(self, name: str, before: int, after: int) -> None:
        if before == after:
            return
        said = f"The collection {name!r} had {before:,} points before its snapshot was made and {after:,} after it"
        if not self.tolerate_writes:
            raise OperationFailed(
                f"{said}: somebody writes to it, so nobody can say what the snapshot must hold. Stop the writers and "
                "run it again, or set tolerate_writes to true."
            )
        self.warnings.append(f"{said}: the snapshot holds something between the two.")

    def _remove_what_is_left(self, place: Place) -> None:
        """Of a collection that was saved, and whose snapshot could not be removed from the server."""
        try:
            self._remove_leftover(place)
            place.pending.unlink(missing_ok=True)
        except (OperationFailed, OSError) as error:
            self.warnings.append(str(error))

    def _remove_leftover(self, place: Place) -> None:
        """What an earlier run had made on the server, and died before it could take it away."""
        try:
            pending = json.loads(place.pending.read_text(encoding="utf-8"))
            source, name, before = pending["source"], pending["snapshot"], pending["before"]
        except (OSError, ValueError, TypeError, KeyError):
            return
        if source != self.server.qdrant.shown:
            return
        if name:
            self.server.delete(place.collection, name)
            return
        unknown = [one.name for one in self.server.listed(place.collection) if one.name not in before]
        if unknown:
            self.warnings.append(
                f"An earlier run of this name died while a snapshot of {place.collection!r} was made. These have come "
                f"since, and may be its own: {', '.join(unknown)}. Remove what is not needed with "
                f"DELETE {source}{collection_path(place.collection, '/snapshots')}/NAME: it takes room on its disk."
            )

    def _clean_up(self, place: Place, remote: Remote | None) -> None:
        try:
            if remote is not None and not self.keep_on_server:
                self.cleaner.delete(place.collection, remote.name)
            if remote is not None:
                place.pending.unlink(missing_ok=True)
        except (OperationFailed, OSError) as error:
            self.warnings.append(
                f"{error} It takes room on the server's disk until it is removed; the next run of this name tries "
                "again."
            )

    def _unfinished(
        self, error: OperationFailed | Interrupted, name: str, saved: Mapping[str, Manifest], wanted: Sequence[str]
    ) -> OperationFailed:
        said = f"Told to end by {error} while saving {name!r}." if isinstance(error, Interrupted) else str(error)
        told = [said, collections_saved(saved.values(), len(wanted), self.folder)]
        told.append("Nothing that is not whole was left there." if saved else "No half file was left there.")
        told.append(f"Run it again with name: {self.folder.name} to save what is missing.")
        details = {"saved": [_described(self.folder, one, changed=True) for one in saved.values()]}
        return OperationFailed(" ".join(told), details={**details, "directory": str(self.folder)})

    def _result(
        self,
        saved: Mapping[str, Manifest],
        kept: Mapping[str, Manifest],
        wanted: Sequence[str],
        missing: Sequence[str],
        version: str | None,
    ) -> dict[str, Any]:
        if self.check_mode and missing:
            msg = f"Would save {', '.join(missing)} in {self.folder}."
        else:
            msg = collections_saved(saved.values(), len(wanted), self.folder)
            if not missing:
                msg += " Nothing was done: they were saved before, under this name."
        return {
            "changed": bool(missing),
            "msg": msg,
            "directory": str(self.folder),
            "name": self.folder.name,
            "version": version,
            "saved": [_described(self.folder, one, changed=name not in kept) for name, one in saved.items()],
            "points_count": sum(one.points_count for one in saved.values()),
            "size": sum(one.size for one in saved.values()),
            "diff": {
                "before": {"saved": sorted(kept)},
                "after": {"saved": sorted(wanted)},
            },
        }


def _obstacles(name: str, described: Mapping[str, Any]) -> list[str]:
    """Why a snapshot of this collection, made by this server, would not be all of it."""
    if described["status"] == "red":
        return [f"The collection {name!r} is red: it is broken, and so would be its snapshot; see Qdrant's log."]
    shards = described["shards"]
    if not shards:
        return []
    numbers = {shard["shard_id"] for shard in shards}
    here = {shard["shard_id"] for shard in shards if shard["local"] and shard["state"] == "Active"}
    if numbers == here:
        return []
    return [
        f"This server has {len(here)} of the {len(numbers)} shards of the collection {name!r} in a good state, and a "
        "snapshot has only those of the server that makes it; a collection over several servers can't be saved by "
        "this module (see Qdrant's shard snapshots)."
    ]


def _verified(place: Place, remote: Remote, part: Part) -> str:
    """How it was proved that all of it came. Raises OperationFailed."""
    what = f"The snapshot {remote.name} of {place.collection!r} came damaged"
    then = "It was thrown away: run it again, and check the network and the server's disk if it happens twice."
    if remote.size and part.size != remote.size:
        raise OperationFailed(f"{what}: {part.size:,} bytes, and Qdrant says {remote.size:,}. {then}")
    if remote.checksum:
        if part.sha256() != remote.checksum.lower():
            raise OperationFailed(f"{what}: its SHA-256 is {part.sha256()}, and Qdrant says {remote.checksum}. {then}")
        return "checksum"
    fault = tar_fault(place.part)
    if fault:
        raise OperationFailed(f"{what}: {fault}. {then}")
    return "archive"


def _described(folder: Path, manifest: Manifest, *, changed: bool) -> dict[str, Any]:
    return {
        "collection": manifest.collection,
        "points_count": manifest.points_count,
        "size": manifest.size,
        "sha256": manifest.sha256,
        "verified_by": manifest.verified_by,
        "path": str(folder / manifest.file),
        "created_at": manifest.created_at,
        "changed": changed,
    }
