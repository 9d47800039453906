"""Whose alert it is: the catalogue's names, what people mapped, Kubernetes' way of naming, and repositories, in this order.

A name that merely looks like a service is used only if the catalogue knows that service; else the label's own word stays.
How Kubernetes names pods: https://kubernetes.io/docs/concepts/overview/working-with-objects/names/ and the suffixes that
`k8s.io/apimachinery/pkg/util/rand` makes, whose letters spell no words.
"""

import re
from collections.abc import Iterable, Iterator, Mapping
from collections.abc import Set as AbstractSet
from dataclasses import replace

from bot.domain.alert import Alert
from bot.domain.attribution import ALERT, NAMELESS, SERVICE, ServiceMapping
from bot.domain.service import Catalogue, Service, repository_name, spelling
from bot.domain.vocabulary import SERVICE_LABELS, environment_of, first

WORKLOADS = tuple(label for label in SERVICE_LABELS if label not in ("job", "namespace"))
POD_LABELS = ("pod", "pod_name", "kubernetes_pod_name", "k8s_pod_name", "exported_pod")
OWNER_LABELS = ("workload", "owner_name", "deployment", "statefulset", "daemonset", "k8s_deployment_name", "cronjob")
SET_LABELS = ("replicaset", "k8s_replicaset_name")
JOB_LABELS = ("job_name", "k8s_job_name")
NAMESPACE_LABELS = ("namespace", "kubernetes_namespace", "k8s_namespace_name", "exported_namespace")
REPOSITORY_LABELS = ("repository", "repo", "git_repository", "repository_url", "vcs_repository", "source_repository")
PATH_LABELS = ("repository_path", "git_path", "path")
IMAGE_LABELS = ("image", "container_image", "image_name", "image_spec", "container_image_name")
_KINDS = ((OWNER_LABELS, 0), (SET_LABELS, 1), (JOB_LABELS, 2), (POD_LABELS, 3))
_KIND = {label: kind for labels, kind in _KINDS for label in labels}
_SHIPPING = frozenset((*REPOSITORY_LABELS, *IMAGE_LABELS))
_TELLING = frozenset((*WORKLOADS, *_KIND, *_SHIPPING))
_WORD = "[bcdfghjklmnpqrstvwxz2456789]"
_POD = tuple(
    re.compile(rf"^(.+)-{ending}$")
    for ending in (rf"[0-9bcdfghjklmnpqrstvwxz]{{6,10}}-{_WORD}{{5}}", rf"\d{{8,10}}-{_WORD}{{5}}", rf"{_WORD}{{5}}", r"\d{1,4}")
)
_SET = (re.compile(r"^(.+)-[0-9bcdfghjklmnpqrstvwxz]{6,10}$"),)
_JOB = (re.compile(r"^(.+)-\d{8,10}$"),)
_ENDINGS = ((), _SET, _JOB, _POD)


class Attribution:
    """Finds the service of alerts, by one catalogue and by what people mapped; made for one batch, remembers names in it."""

    def __init__(self, catalogue: Catalogue, mappings: Iterable[ServiceMapping] = ()) -> None:
        self._catalogue = catalogue
        self._blank = not catalogue.services
        self._owners: dict[tuple[int, str, str, str], tuple[Service, str] | None] = {}
        self._mapped: dict[str, dict[str, str]] = {}
        for mapping in mappings:
            self._mapped.setdefault(mapping.label, {})[mapping.value] = mapping.service

    def of(self, alert: Alert) -> Alert:
        """The alert with its service and how that was found; the very same alert where its own word is all there is."""
        if self._catalogue.resolve(alert.service) is not None or not alert.readable or (self._blank and not self._mapped):
            return alert
        mapped = self._by_people(alert)
        if mapped is not None:
            service, why = mapped
            return replace(alert, service=service, service_from=why[:200], called=alert.called or alert.service)
        found = next(self._found(alert), None)
        if found is None:
            return alert
        known, why = found
        if alert.service not in NAMELESS and alert.service_from not in why:
            why = f"{why}; {alert.service_from} says {alert.service}, which is in no catalogue"
        return replace(alert, service=known.name, service_from=why[:200])

    def _by_people(self, alert: Alert) -> tuple[str, str] | None:
        for label, services in self._mapped.items():
            value = said(alert, label)
            if value in services:
                service = services[value]
                known = self._catalogue.resolve(service)
                return known.name if known else service, f"somebody said that {label}={value} is {service}"
        return None

    def _found(self, alert: Alert) -> Iterator[tuple[Service, str]]:
        if known := self._catalogue.spelt(alert.service):
            yield known, f"{alert.service_from}, written {alert.service}"
        telling = _TELLING & alert.labels.keys()
        if telling:
            yield from self._by_labels(alert, telling)
            yield from self._by_kubernetes(alert.labels, telling)
            if telling & _SHIPPING:
                yield from self._by_repository(alert.labels)
        if alert.called and alert.service in NAMELESS:
            yield from self._by_words(alert)

    def _by_labels(self, alert: Alert, telling: AbstractSet[str]) -> Iterator[tuple[Service, str]]:
        for label in WORKLOADS:
            if label in telling and alert.labels[label] != alert.service and (known := self._known(alert.labels[label])):
                yield known, f"label {label}"

    def _by_kubernetes(self, labels: Mapping[str, str], telling: AbstractSet[str]) -> Iterator[tuple[Service, str]]:
        names = sorted((_KIND[label], label) for label in telling if label in _KIND and labels[label])
        if not names:
            return
        namespace, environment = first(labels, NAMESPACE_LABELS)[1], environment_of(labels)
        for kind, label in names:
            key = (kind, labels[label], namespace, environment)
            if key not in self._owners:
                self._owners[key] = self._owner(*key)
            found = self._owners[key]
            if found is not None:
                yield found[0], f"label {label}: {labels[label]} belongs to {found[1]}"

    def _owner(self, kind: int, name: str, namespace: str, environment: str) -> tuple[Service, str] | None:
        """The service that a name of Kubernetes belongs to, and the part of the name that says so."""
        added = tuple(spelling(word) for word in (namespace, environment) if word)
        for base in _bases(spelling(name), _ENDINGS[kind]):
            for form in _forms(base, added):
                if known := self._catalogue.of_spelling(form):
                    return known, form
        return None

    def _by_words(self, alert: Alert) -> Iterator[tuple[Service, str]]:
        """The one service that a message names: where words are all there is, as in a chat."""
        words = re.findall(r"[\w.-]+", f"{alert.name} {alert.summary}"[:600])
        named = {known.name: (known, word) for word in words if (known := self._known(word.strip(".-")))}
        if len(named) == 1:
            known, word = next(iter(named.values()))
            yield known, f"{alert.service_from}, but its words name {word}"

    def _by_repository(self, labels: Mapping[str, str]) -> Iterator[tuple[Service, str]]:
        label, repository = first(labels, REPOSITORY_LABELS)
        if repository and (known := self._shipped(repository, first(labels, PATH_LABELS)[1])):
            yield known, f"label {label}: {repository} is its repository"
        label, image = first(labels, IMAGE_LABELS)
        if image:
            bare = re.sub(r":[\w.-]+$", "", image.removeprefix("docker-pullable://").partition("@")[0])
            known = self._known(bare.rpartition("/")[2]) or self._shipped("/".join(bare.split("/")[-2:]), "")
            if known:
                yield known, f"label {label}: {bare} is its image"

    def _known(self, name: str) -> Service | None:
        return (self._catalogue.resolve(name) or self._catalogue.spelt(name)) if name else None

    def _shipped(self, repository: str, path: str) -> Service | None:
        """The one service of a repository, or the one whose paths hold this path."""
        services = self._catalogue.of_repository(repository_name(repository))
        if len(services) > 1 and path:
            services = tuple(s for s in services if any(path == p or path.startswith(p.rstrip("/") + "/") for p in s.paths))
        return services[0] if len(services) == 1 else None


def said(alert: Alert, label: str) -> str:
    """What an alert says under a label: a real one, the word for its service, or its name."""
    if label == SERVICE:
        return alert.service
    return alert.name if label == ALERT else alert.labels.get(label, "")


def in_common(alert: Alert) -> tuple[str, str]:
    """What an alert can best be told by, for a mapping: its word for the service, else where it runs, else its name."""
    if alert.service not in NAMELESS:
        return SERVICE, alert.service
    keys = ("namespace", "job", "project", "team", "host", "hostname", "node", "instance", "cluster")
    label, value = first(alert.labels, keys)
    return (label, value) if label and len(value) <= 200 else (ALERT, alert.name)


def _bases(name: str, endings: Iterable[re.Pattern[str]]) -> Iterator[str]:
    """What a name is made from: itself first, then without what Kubernetes adds to it."""
    yield name
    for ending in endings:
        if match := ending.match(name):
            yield match[1]


def _forms(base: str, added: Iterable[str]) -> Iterator[str]:
    """How a catalogue may write it, with or without the namespace and the environment."""
    yield base
    for word in added:
        yield f"{word}/{base}"
        yield f"{word}-{base}"
        if base.startswith(f"{word}-"):
            yield base[len(word) + 1 :]
        if base.endswith(f"-{word}"):
            yield base[: -len(word) - 1]
