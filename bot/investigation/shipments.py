"""What reached production when: each change with the commits it carried, each commit with the deployment that took it along."""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from bot.domain.change import Change, ChangeKind, ChangeStatus, Commit
from bot.investigation.case import Case
from bot.investigation.picture import Picture
from bot.investigation.rules.rule import Text
from bot.signals.direction import bag, words

_SHARED = bag("pkg lib libs internal common shared core platform vendor util schema proto api config deploy")
TAKEN_ALONG = timedelta(hours=24)  # a commit ships with a deployment this long after it, or it shipped before all we know
_SUFFIX = re.compile(r"(?:service|svc|server|app)$")
_CUT = bag("service svc server app the")


@dataclass(frozen=True, slots=True)
class Shipment:
    """One thing that was shipped: a commit within a deployment, or a change without a commit. `at` None: it never was."""

    change: Change | None
    commit: Commit | None
    at: datetime | None
    services: tuple[str, ...]
    text: Text
    own: bool = True  # its own deployment; False: taken along by a later one

    @property
    def id(self) -> str:
        """The id of the change that shipped it, or the commit's."""
        return self.change.id if self.change else (self.commit.sha if self.commit else "")

    @property
    def title(self) -> str:
        """Its first line, as its author wrote it."""
        source = self.commit.message if self.commit else (self.change.title if self.change else "")
        return source.strip().split("\n", 1)[0]


def shipments(case: Case, picture: Picture) -> tuple[Shipment, ...]:
    """Everything that was shipped or merged, one per commit, oldest first."""
    shipped = [
        c for c in case.changes if c.kind not in (ChangeKind.COMMIT, ChangeKind.BUILD) and c.status is not ChangeStatus.FAILED
    ]
    found: dict[str, Shipment] = {}
    for change in sorted(shipped, key=lambda c: c.at):
        shas = case.carries.get(change.id) or ((change.commit,) if change.commit in case.commits else ())
        for sha in shas:
            commit = case.commits.get(sha)
            if commit and sha not in found:
                found[sha] = _of(change, commit)
        if not any(sha in case.commits for sha in shas):
            found[change.id] = Shipment(change, None, change.at, change.services, Text.of("", change.files))
    deploys = [c for c in shipped if c.kind is not ChangeKind.FLAG]
    for sha, commit in case.commits.items():
        if sha not in found:
            found[sha] = _taken_along(commit, deploys, case, picture)
    return tuple(sorted(found.values(), key=lambda s: (s.at or case.now, s.id)))


def linked(service: str, files: Sequence[str]) -> bool:
    """The files look like this service's own, by the names of their folders."""
    own = _essence(service)
    return bool(own) and any(own in _folded(part) for f in files for part in f.split("/"))


def known(shipment: Shipment) -> bool:
    """It is known to be in what was shipped: the deployment names it, or it is the service's own code; others may be."""
    return shipment.own or any(linked(s, shipment.text.files) for s in shipment.services)


def shared(files: Sequence[str]) -> bool:
    """The files belong to no one service: a library, a schema, the root of the repository."""
    return any("/" not in f or set(words(f.split("/", 1)[0])) & _SHARED for f in files)


def _of(change: Change, commit: Commit) -> Shipment:
    return Shipment(change, commit, change.at, change.services, Text.of(commit.diff, commit.files))


def _taken_along(commit: Commit, deploys: Sequence[Change], case: Case, picture: Picture) -> Shipment:
    """A commit without its own deployment ships with the next one of a service that its files point to."""
    text = Text.of(commit.diff, commit.files)
    if not deploys:
        services = next((c.services for c in case.changes if c.commit == commit.sha and c.services), ())
        return Shipment(None, commit, commit.at, services, text, own=False)
    later = [d for d in deploys if commit.at <= d.at <= commit.at + TAKEN_ALONG]
    own = [d for d in later if any(linked(s, commit.files) for s in d.services)]
    if own:
        return Shipment(own[0], commit, own[0].at, own[0].services, text, own=False)
    if shared(commit.files):
        wide = [d for d in later if set(d.services) & set(picture.affected)]
        if wide:
            return Shipment(wide[0], commit, wide[0].at, wide[0].services, text, own=False)
    return Shipment(None, commit, None, (), text, own=False)


def _essence(service: str) -> str:
    kept = [_SUFFIX.sub("", w) for w in words(service) if not w.isdigit() and w not in _CUT]
    joined = "".join(kept)
    return joined if len(joined) > 2 else service.lower()


def _folded(part: str) -> str:
    return "".join(_SUFFIX.sub("", w) for w in words(part))
