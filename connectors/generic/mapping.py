"""How the settings map a payload of any shape: JMESPath expressions by field (https://jmespath.org/specification.html)."""

from collections.abc import Iterator, Mapping
from typing import Annotated, Literal

import jmespath
from jmespath.exceptions import JMESPathError
from pydantic import AfterValidator, BaseModel, ConfigDict, Field, model_validator

from bot.domain.payload import Node
from bot.errors import BadPayload

MOST_EVENTS = 500


def _compiles(expression: str) -> str:
    try:
        jmespath.compile(expression)
    except JMESPathError as error:
        said = " ".join(str(error).split())[:160]
        raise ValueError(f"{expression!r} is no JMESPath expression ({said}); such as alert.title or labels.service") from None
    return expression


Expression = Annotated[str, AfterValidator(_compiles)]


class _Mapping(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)

    def expressions(self) -> dict[str, str]:
        """The fields that are mapped, and how."""
        return {field: told for field in type(self).model_fields if (told := getattr(self, field))}


class AlertMapping(_Mapping):
    """Where an alert's fields stand; a field without an expression is empty."""

    name: Expression
    service: Expression = ""
    environment: Expression = ""
    severity: Expression = ""
    status: Expression = ""
    summary: Expression = ""
    description: Expression = ""
    labels: Expression = ""
    starts_at: Expression = ""
    ends_at: Expression = ""
    link: Expression = ""
    runbook_url: Expression = ""
    fingerprint: Expression = ""


class ChangeMapping(_Mapping):
    """Where a change's fields stand; a field without an expression is empty."""

    service: Expression
    id: Expression = ""
    kind: Expression = ""
    status: Expression = ""
    at: Expression = ""
    title: Expression = ""
    environment: Expression = ""
    version: Expression = ""
    commit: Expression = ""
    repository: Expression = ""
    author: Expression = ""
    url: Expression = ""
    files: Expression = ""


class Skip(BaseModel):
    """Entries that are of no use: those for which `when` gives true, and why."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    when: Expression
    reason: str


class Source(BaseModel):
    """How one sender's payloads are read: `each` finds the alerts or changes in a payload, `values` translates words.

    `prefixes` are taken off the front of a field, `skip` says which entries are ignored. `hmac_header` names a header with
    the HMAC of the body (with "sha256=" before it or not); without it the sender shows the secret as a bearer token, or as
    the parameter `token_query` of the URL, for senders that can do nothing else.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    title: str = ""
    prove: str = ""  # how the sender is told the secret, for people
    each: Expression = "@"
    alert: AlertMapping | None = None
    change: ChangeMapping | None = None
    values: Mapping[str, Mapping[str, str]] = Field(default_factory=dict)
    prefixes: Mapping[str, tuple[str, ...]] = Field(default_factory=dict)
    skip: tuple[Skip, ...] = ()
    hmac_header: str = ""
    hmac_algorithm: Literal["sha1", "sha256", "sha512"] = "sha256"
    hmac_encoding: Literal["hex", "base64"] = "hex"
    token_query: Literal["", "token", "secret"] = ""  # the door keeps no parameter of these names

    @model_validator(mode="after")
    def _one_kind(self) -> "Source":
        if (self.alert is None) == (self.change is None):
            raise ValueError("it needs either a table `alert` or a table `change`, with at least a name or a service in it")
        for table, fields in (("values", self.values), ("prefixes", self.prefixes)):
            for field in fields:
                if field not in self.mapping.expressions():
                    raise ValueError(f"{table}.{field} translates a field that is not mapped")
        return self

    @property
    def mapping(self) -> _Mapping:
        """The one of `alert` and `change` that is there."""
        return self.alert or self.change or _Mapping()


PLAIN = Source(
    each="alerts || @",
    alert=AlertMapping(**{field: field for field in AlertMapping.model_fields}),
)


def entries_of(payload: Node, source: Source) -> Iterator[Node]:
    """The alerts or changes of a payload. Raises BadPayload."""
    if not isinstance(payload.value, dict | list):
        payload.object()  # says what is there instead
    found = looked_up(payload, "each", source.each)
    if isinstance(found.value, list):
        if not found.value:
            raise BadPayload("the list of entries is empty", path=found.path)
        if len(found.value) > MOST_EVENTS:
            raise BadPayload(f"{len(found.value)} entries in one delivery; at most {MOST_EVENTS} are read", path=found.path)
        yield from (Node(value, f"{found.path}[{n}]") for n, value in enumerate(found.value))
    else:
        yield found.object()


def looked_up(entry: Node, field: str, expression: str) -> Node:
    """What an expression gives, or a Node of None. Raises BadPayload where it cannot be applied."""
    try:
        return Node(jmespath.search(expression, entry.value), entry.path if field == "each" else f"{entry.path}.{field}")
    except (JMESPathError, RecursionError, TypeError, ValueError, ArithmeticError) as error:
        said = " ".join(str(error).split())[:160]
        raise BadPayload(f"{expression!r} cannot be applied here: {said}", path=f"{entry.path}.{field}") from None


def skipped(entry: Node, source: Source) -> str:
    """Why an entry is of no use, or ""."""
    return next((rule.reason for rule in source.skip if looked_up(entry, "skip", rule.when).value is True), "")


def translated(source: Source, field: str, found: Node) -> Node:
    """The value by the source's own words for the field; as it is where there are none."""
    words = source.values.get(field, {})
    for prefix in source.prefixes.get(field, ()):
        if isinstance(found.value, str) and found.value.startswith(prefix):
            found = Node(found.value[len(prefix) :], found.path)
    if isinstance(found.value, bool):
        return Node(words.get(str(found.value).lower(), str(found.value).lower()), found.path)
    return Node(words[found.text()], found.path) if found.text() in words else found
