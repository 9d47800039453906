"""The `metrics` section of a service in services.yaml: where its numbers are, checked as far as text can be."""

import re
from typing import Annotated

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, StringConstraints

from bot.domain.service import CloudResource, ServiceMetrics

LONGEST = 1500  # characters of one query
MOST = 20  # golden signals or resources of one service
# What the four words that everybody uses are called as series, so that it is known which way each is bad.
NAMED = {
    "errors": "error_ratio",
    "latency": "latency_seconds",
    "traffic": "requests_per_second",
    "saturation": "saturation_ratio",
}
_MATCHER = r'\s*[a-zA-Z_][a-zA-Z0-9_]*\s*(?:=~|!~|!=|=)\s*"(?:[^"\\\n]|\\.)*"\s*'
_SELECTOR = re.compile(rf"\{{{_MATCHER}(?:,{_MATCHER})*,?\s*\}}")
_TAG = re.compile(r"[a-z][\w./-]{0,199}:[^\s,{}()\"']{1,200}", re.IGNORECASE)
_TEXTS = re.compile(r'"(?:[^"\\\n]|\\.)*"|\'(?:[^\'\\\n]|\\.)*\'|`[^`]*`')
_PAIRS = {")": "(", "]": "[", "}": "{"}


def _selector(text: str) -> str:
    if not _SELECTOR.fullmatch(text):
        raise ValueError('a selector is matchers in braces, such as {app="checkout"}')
    return text


def _promql(text: str) -> str:
    if fault := unbalanced(text):
        raise ValueError(f"this is no PromQL: {fault}")
    return text


def _tag(text: str) -> str:
    if not _TAG.fullmatch(text):
        raise ValueError("a tag of Datadog looks like service:checkout")
    return text


def unbalanced(text: str) -> str:
    """Which bracket or quote of a query has no other half; "" if all have."""
    opened: list[str] = []
    bare = _TEXTS.sub("", text)
    for quote in "\"'`":
        if quote in bare:
            return f"a {quote} is never closed"
    for sign in bare:
        if sign in _PAIRS.values():
            opened.append(sign)
        elif sign in _PAIRS and (not opened or opened.pop() != _PAIRS[sign]):
            return f"a {sign} closes nothing"
    return f"a {opened[-1]} is never closed" if opened else ""


Text = Annotated[str, StringConstraints(min_length=1, max_length=LONGEST, strip_whitespace=True)]
Short = Annotated[str, StringConstraints(min_length=1, max_length=255, strip_whitespace=True, pattern=r"^[^\x00-\x1f]+$")]
Signal = Annotated[str, StringConstraints(pattern=r"^[a-z][a-z0-9_]{1,79}$")]


class ResourceEntry(BaseModel):
    """One resource of CloudWatch."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    namespace: Short
    dimensions: Annotated[dict[Short, Short], Field(min_length=1, max_length=10)]


class MetricsEntry(BaseModel):
    """Where the numbers of one service are."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    selector: Annotated[Text, AfterValidator(_selector)] | None = None
    golden: Annotated[dict[Signal, Annotated[Text, AfterValidator(_promql)]], Field(max_length=MOST)] = {}
    datadog: Annotated[tuple[Annotated[Text, AfterValidator(_tag)], ...], Field(max_length=MOST)] = ()
    cloudwatch: Annotated[tuple[ResourceEntry, ...], Field(max_length=MOST)] = ()

    def said(self) -> ServiceMetrics:
        """The same in our words."""
        return ServiceMetrics(
            selector=self.selector or "",
            golden=tuple((NAMED.get(name, name), query) for name, query in self.golden.items()),
            datadog=self.datadog,
            cloudwatch=tuple(CloudResource(r.namespace, tuple(r.dimensions.items())) for r in self.cloudwatch),
        )
