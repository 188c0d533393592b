# Copyright (c) 2026, wwhd
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Qdrant's own side of snapshots: make one, list them, fetch one, remove one, put one in.

Private to wwhd.qdrant_ops. Works with Qdrant 1.7 and later. Seconds everywhere, as floats.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from http import HTTPStatus
from pathlib import Path
from typing import Any
from urllib.parse import quote, urlencode

from ansible_collections.wwhd.qdrant_ops.plugins.module_utils._ecs.errors import OperationFailed
from ansible_collections.wwhd.qdrant_ops.plugins.module_utils._http.exchange import Answer, Request, fetch
from ansible_collections.wwhd.qdrant_ops.plugins.module_utils._http.transfer import Form, Sink, download
from ansible_collections.wwhd.qdrant_ops.plugins.module_utils._http.words import advice, one_line, seconds
from ansible_collections.wwhd.qdrant_ops.plugins.module_utils._polling import Clock, Pace, TimedOut, poll
from ansible_collections.wwhd.qdrant_ops.plugins.module_utils._qdrant.client import Qdrant, RefusedError
from ansible_collections.wwhd.qdrant_ops.plugins.module_utils._qdrant.probe import collection_path
from ansible_collections.wwhd.qdrant_ops.plugins.module_utils._snapshots.files import human_size

__all__ = ["Remote", "Server", "count_points", "version_number"]

_PACE = Pace(quick=1.0, slow=10.0)
_RETRY_PACE = Pace(quick=0.5, slow=8.0, growth=2.0)
# So many attempts in a row that bring nothing new mean that something lies in the way.
_FRUITLESS = 5
# Seconds between two lines about a transfer.
_PROGRESS = 10.0
# What a proxy or a load balancer answers for a server that may well be at work.
_UNCERTAIN = frozenset({HTTPStatus.BAD_GATEWAY, HTTPStatus.GATEWAY_TIMEOUT, HTTPStatus.REQUEST_TIMEOUT})
_CHECKSUM_SINCE = (1, 8)


@dataclass(frozen=True)
class Remote:
    """A snapshot on the server. `checksum` is Qdrant's own SHA-256, which came with 1.8."""

    name: str
    size: int
    checksum: str | None

    @classmethod
    def of(cls, told: Any) -> Remote:
        """As Qdrant describes it. Raises OperationFailed for what is no description."""
        try:
            return cls(str(told["name"]), int(told["size"]), told.get("checksum"))
        except (KeyError, TypeError, ValueError, AttributeError) as error:
            raise OperationFailed(
                f"Qdrant described a snapshot in a way that can't be read ({one_line(str(told))}): check what lies "
                "between here and Qdrant, and its version (1.7 or later)."
            ) from error


def version_number(version: str | None) -> tuple[int, ...] | None:
    """`1.7.4` as numbers; None for what is no version."""
    parts = (version or "").partition("-")[0].split(".")
    return tuple(map(int, parts)) if len(parts) >= 2 and all(part.isdigit() for part in parts) else None


def count_points(qdrant: Qdrant, collection: str) -> int:
    """The exact number of points. Raises RefusedError where there is no such collection."""
    doing = f"count the points of the collection {collection!r}"
    path = collection_path(collection, "/points/count")
    return int(qdrant.call("POST", path, body={"exact": True}, doing=doing)["count"])


def _lost(answer: Answer) -> bool:
    """Whether the server may have done what it was asked, and its answer did not come here."""
    if answer.status is None:
        return not answer.hopeless and answer.label not in ("connection refused", "name not resolved")
    return answer.status in _UNCERTAIN


@dataclass
class Server:
    """One Qdrant. `timeout` counts from now, over all that is done; `stall` is for a silence in between."""

    qdrant: Qdrant
    clock: Clock
    timeout: float
    stall: float
    say: Callable[[str], None]

    def __post_init__(self) -> None:
        self.deadline = self.clock.monotonic() + self.timeout

    def left(self) -> float:
        return self.deadline - self.clock.monotonic()

    def listed(self, collection: str) -> list[Remote]:
        path = collection_path(collection, "/snapshots")
        listed = self._asked("GET", path, f"list the snapshots of {collection!r}")
        return [Remote.of(told) for told in (listed if isinstance(listed, list) else [listed])]

    def create(self, collection: str, before: frozenset[str]) -> Remote:
        """Have one made, once: where the answer gets lost, it is looked for rather than asked for again."""
        doing = f"have a snapshot of the collection {collection!r} made"
        path = collection_path(collection, "/snapshots")
        answer = self.qdrant.once("POST", f"{path}?wait=true", limit=max(1.0, self.left()))
        if not _lost(answer):
            return Remote.of(self._result(answer, path, doing))
        self.say(f"The answer for the snapshot of {collection!r} was lost ({answer.label}): looking for it")

        def new() -> list[Remote]:
            return sorted((one for one in self.listed(collection) if one.name not in before), key=lambda one: one.name)

        seen: list[list[Remote]] = []

        def look() -> list[Remote]:
            seen.append(new())
            return seen[-1]

        try:
            # A snapshot may be listed while it is still being moved into its place: it must look the same twice.
            found = poll(
                look,
                done=lambda names: bool(names) and seen[-2:-1] == [names],
                timeout=max(0.0, self.left()),
                fingerprint=tuple,
                pace=_PACE,
                clock=self.clock,
            ).value
        except TimedOut as ended:
            raise OperationFailed(
                f"Could not {doing} by {self.qdrant.shown} within {seconds(self.timeout)}: its answer was lost "
                f"({answer.error or f'status {answer.status}'}), and no new snapshot appeared. {advice(answer)} Give a "
                "longer timeout if the collection is large; look with "
                f"GET {self.qdrant.shown}{path} whether one is still being made, before you run it again."
            ) from ended
        if len(found) > 1:
            raise OperationFailed(
                f"Could not {doing} by {self.qdrant.shown}: its answer was lost, and there are {len(found)} new "
                f"snapshots ({', '.join(one.name for one in found)}), so somebody else makes some too. Run it again "
                f"when nobody else does; remove what is not needed with DELETE {self.qdrant.shown}{path}/NAME."
            )
        return found[0]

    def fetch(self, collection: str, remote: Remote, sink: Sink, *, on_progress: Callable[[int], None]) -> None:
        """Download it whole; a connection that breaks is taken up where it broke."""
        doing = f"download the snapshot {remote.name} of the collection {collection!r}"
        path = collection_path(collection, f"/snapshots/{quote(remote.name, safe='')}")
        request = self.qdrant.request("GET", path)
        fruitless = 0
        while True:
            before = sink.size
            answer = download(
                request,
                sink,
                transport=self.qdrant.transport,
                stall=self.stall,
                deadline=self.deadline,
                clock=self.clock,
                on_progress=on_progress,
            )
            if answer.status in (200, 206):
                return
            if answer.status == HTTPStatus.NOT_FOUND:
                raise OperationFailed(
                    f"Could not {doing}: {self.qdrant.shown} has just made it, and does not have it now. Several "
                    "servers answer at that address, or somebody removed it: give the address of one server."
                )
            if answer.status is not None and answer.status not in (*_UNCERTAIN, 429, 503):
                self._result(answer, path, doing)
                raise OperationFailed(f"Could not {doing} of {self.qdrant.shown}: it answered {answer.status}.")
            fruitless = fruitless + 1 if sink.size <= before else 0
            said = answer.error or f"status {answer.status}"
            if answer.hopeless or fruitless >= _FRUITLESS or self.left() <= 0:
                of = f" of {remote.size:,}" if remote.size else ""
                raise OperationFailed(
                    f"Could not {doing} from {self.qdrant.shown}: {said}, after {sink.size:,}{of} bytes. "
                    f"{advice(answer)}"
                )
            self.say(
                f"The download of {collection!r} broke off ({said}) after {sink.size:,} bytes: going on from there"
            )
            self.clock.sleep(_RETRY_PACE.after(fruitless))

    def delete(self, collection: str, name: str) -> None:
        """Remove one from the server; one that is gone already is fine."""
        path = collection_path(collection, f"/snapshots/{quote(name, safe='')}")
        doing = f"remove the snapshot {name} of {collection!r}"
        try:
            self.qdrant.call("DELETE", f"{path}?wait=true", doing=doing)
        except RefusedError as refused:
            if refused.status != HTTPStatus.NOT_FOUND:
                raise OperationFailed(
                    f"Could not {doing} of {self.qdrant.shown}: it answered {refused.status}, {refused.reason}."
                ) from refused

    def progress(self, collection: str, whole: int, where: str) -> Callable[[int], None]:
        """Tells now and then how much of a file is `where`."""
        last = [self.clock.monotonic()]

        def told(size: int) -> None:
            if self.clock.monotonic() - last[0] >= _PROGRESS:
                last[0] = self.clock.monotonic()
                self.say(f"{collection}: {human_size(size)} of {human_size(whole)} are {where}")

        return told

    def put_in(self, collection: str, path: Path, *, name: str, sha256: str, version: str | None) -> str | None:
        """Upload a snapshot and have the collection made from it; a reason where it is not known what came of it.

        `name` is what the server calls it while it has it.
        """
        doing = f"restore the collection {collection!r} from {path}"
        where = collection_path(collection, "/snapshots/upload")
        options = {"priority": "snapshot", "wait": "true"}
        if (version_number(version) or (0,)) >= _CHECKSUM_SINCE:
            options["checksum"] = sha256
        # A server that asks for the login first would have to be sent the whole file twice.
        transport = replace(self.qdrant.transport, force_basic_auth=bool(self.qdrant.transport.url_username))
        for attempt in range(1, _FRUITLESS + 1):
            told = self.progress(collection, path.stat().st_size, "sent")
            form = Form(path, field="snapshot", filename=name, on_progress=told)
            try:
                plain = self.qdrant.request("POST", f"{where}?{urlencode(options)}")
                request = Request(
                    plain.url,
                    method="POST",
                    headers={**plain.headers, **form.headers},
                    data=form,
                    address=plain.address,
                )
                limit = max(1.0, self.left())
                answer = fetch(request, transport=transport, timeout=limit, clock=self.clock)
                if not _lost(answer) and answer.status not in (429, 503):
                    self._result(answer, where, doing)
                    return None
                if form.whole and _lost(answer):
                    return answer.error or f"status {answer.status}"
            finally:
                form.close()
            # A form without its end is refused by the server: nothing has come of it, and it may be sent again.
            said = answer.error or f"status {answer.status}"
            if attempt == _FRUITLESS or answer.hopeless or self.left() <= 0:
                break
            self.say(f"The upload of {collection!r} broke off ({said}): sending it again")
            self.clock.sleep(_RETRY_PACE.after(attempt))
        raise OperationFailed(f"Could not {doing} to {self.qdrant.shown}: {said}. {advice(answer)}")

    def _asked(self, method: str, path: str, doing: str) -> Any:
        try:
            return self.qdrant.call(method, path, doing=doing)
        except RefusedError as refused:
            raise OperationFailed(
                f"Could not {doing} of {self.qdrant.shown}: it answered {refused.status}, {refused.reason}. "
                "Check the url."
            ) from refused

    def _result(self, answer: Answer, path: str, doing: str) -> Any:
        shown = self.qdrant.shown
        if answer.status in (HTTPStatus.UNAUTHORIZED, HTTPStatus.FORBIDDEN):
            raise OperationFailed(
                f"Could not {doing} of {shown}: it answered {answer.status}. Snapshots need a key that may manage the "
                "collections (QDRANT__SERVICE__API_KEY), not a read-only one: give it in api_key."
            )
        if answer.status is None:
            raise OperationFailed(f"Could not {doing} of {shown}: {answer.error}. {advice(answer)}")
        if answer.status == HTTPStatus.REQUEST_ENTITY_TOO_LARGE:
            raise OperationFailed(
                f"Could not {doing}: {answer.url} answered 413, so a proxy before {shown} takes no body of that size. "
                "Give an address that leads to Qdrant itself."
            )
        try:
            return self.qdrant.result(answer, path=path, doing=doing)
        except RefusedError as refused:
            raise OperationFailed(
                f"Could not {doing} of {shown}: it answered {refused.status}, {refused.reason}. See Qdrant's log."
            ) from refused
