"""The words that vendors use for the same few things: which label names the service, how bad "critical" is."""

import re
from collections.abc import Mapping, Sequence
from itertools import chain, islice
from typing import TypeVar

from bot.domain.alert import Severity

SERVICE_LABELS = (
    "service", "service_name", "app", "app_kubernetes_io_name", "application", "component", "deployment", "statefulset",
    "daemonset", "container", "job", "namespace",
)  # fmt: skip
ENVIRONMENT_LABELS = ("environment", "env", "deployment_environment", "stage")
SEVERITY_LABELS = ("severity", "priority", "level")
IDENTITY = ("alertname", *SERVICE_LABELS, *ENVIRONMENT_LABELS, *SEVERITY_LABELS, "cluster", "instance", "pod", "node",
            "summary", "description", "title", "message", "runbook_url")  # fmt: skip
SEVERITIES = {
    Severity.SEV1: ("sev1", "sev-1", "p0"),
    Severity.SEV2: ("sev2", "sev-2", "p1", "critical", "crit", "page", "fatal", "emergency", "disaster", "high"),
    Severity.SEV3: ("sev3", "sev-3", "p2", "error", "major", "warning", "warn", "average", "medium", "minor"),
    Severity.SEV4: ("sev4", "sev-4", "p3", "p4", "p5", "info", "information", "informational", "notice", "low", "none", "debug"),
}
LONG_WORD = 16  # characters; the shortest shape of a secret has 19
_Value = TypeVar("_Value")
_REPOSITORY = re.compile(r"(?:(?:https?|ssh|git)://(?:[^/@\s]+@)?[^/@\s]+/|[\w.-]+@[\w.-]+:)([\w.~-]+(?:/[\w.~-]+)+?)/?")
_SEVERITY = {word: severity for severity, words in SEVERITIES.items() for word in words}


def severity_of(word: str) -> Severity:
    """How bad a vendor's word is; SEV3 for a word that nobody knows. SEV1 only if it says so."""
    return _SEVERITY.get(word.strip().lower(), Severity.SEV3)


def service_of(labels: Mapping[str, str]) -> tuple[str, str]:
    """The service that labels name, and how it was found, for people; "unknown" where none names one."""
    key, value = first(labels, SERVICE_LABELS)
    if key == "job":
        value = value.rpartition("/")[2] or value  # Kubernetes writes namespace/name
    return (value, f"label {key}") if value else ("unknown", "no label names one")


def environment_of(labels: Mapping[str, str]) -> str:
    """The environment that labels name, or ""."""
    return first(labels, ENVIRONMENT_LABELS)[1]


def first(values: Mapping[str, str], keys: Sequence[str]) -> tuple[str, str]:
    """The first of these keys with a value that is not blank, and that value; two empty texts for none."""
    for key in keys:
        if (value := values.get(key)) and (bare := value.strip()):
            return key, bare
    return "", ""


def identity(labels: Mapping[str, _Value], most: int) -> dict[str, _Value]:
    """At most so many of the labels, in their order after those that tell what an alert is and where."""
    names = dict.fromkeys(name for name in IDENTITY if name in labels)
    return {name: labels[name] for name in islice(chain(names, (n for n in labels if n not in names)), most)}


def line(text: str, most: int = 300) -> str:
    """The first line of a text, cut to size. A long word is left out rather than cut in two: half a secret is known as none."""
    whole = text.strip().partition("\n")[0].strip()
    kept = whole[:most]
    word = kept.rpartition(" ")[2]
    cut_in_two = len(whole) > most and whole[most] != " " and LONG_WORD <= len(word) < most
    return kept[: -len(word)].rstrip() if cut_in_two else kept


def link(url: str) -> str:
    """The URL if it is one of the web, else ""."""
    return url[:2000] if url.startswith(("http://", "https://")) else ""


def repository_of(url: str) -> str:
    """The full name of a repository in a URL that git takes: "acme/shop" of git@github.com:acme/shop.git; else ""."""
    found = _REPOSITORY.fullmatch(url.strip()[:500])
    return found[1].removesuffix(".git") if found else ""
