"""Agreements that a change breaks: tables, fields, addresses, dependencies, variables, permissions, what is accepted."""

import re
from collections.abc import Iterator

from bot.investigation.diff import code, number
from bot.investigation.rules.rule import Found, Rule, Text, rule
from bot.investigation.vocabulary import Kind
from bot.signals.direction import bag, words

_SQL_TABLE = re.compile(r"(?i)\b(?:from|join|into|update|table(?: if (?:not )?exists)?)\s+[`\"]?([a-z_][\w.]*)[`\"]?")
_SQL = re.compile(r"(?i)\b(?:select\b.+\bfrom|insert\s+into|update\s+\w+\s+set|delete\s+from)\b")
_DDL = re.compile(r"(?i)\b(?:create table|add column|create_table|add_column)\b")
_BREAKS_DDL = re.compile(
    r"(?i)\b(?:drop (?:table|column)|rename (?:table|column|to)|alter column|set not null|drop_column|rename_column"
    r"|drop_table)\b"
)
_FIELD_TAG = re.compile(
    r"json:\"([\w-]+)|yaml:\"([\w-]+)|alias=[\"']([\w-]+)|@JsonProperty\(\"([\w-]+)|name\s*=\s*\"([\w-]+)\"\s*\)|protobuf:\""
)
_PROTO_FIELD = re.compile(r"^\s*(?:optional |repeated |required )?[\w.<>, ]+\s+(\w+)\s*=\s*(\d+)\s*(?:\[[^\]]*\])?;")
_LOCKFILES = re.compile(
    r"(?:go\.(?:mod|sum)|package(?:-lock)?\.json|yarn\.lock|pnpm-lock\.yaml|requirements[\w.-]*\.txt|poetry\.lock"
    r"|uv\.lock|Pipfile|pyproject\.toml|Cargo\.(?:toml|lock)|pom\.xml|build\.gradle\S*|Gemfile\S*|composer\.\w+"
    r"|Dockerfile\S*)$"
)
_PIN = re.compile(
    r"[\"']?(@?[A-Za-z][\w./@-]*?)[\"']?\s*(?:==|>=|~=|\^|:\s*[\"'][\^~]?|\s+v|\s*=\s*[\"']|:)\s*[\"']?(\d+(?:\.[\w-]+)+)"
)
_HOSTING = bag("github golang google gopkg module https com org net www types sdk client lib core")
_NEEDS_ENV = re.compile(
    r"os\.environ\[\s*[\"'](\w+)|(?:must\w*(?:getenv|env)|require\w*env|mustget|requiredenv"
    r"|getenv_or_fail)\w*\(\s*[\"'](\w+)|process\.env\.(\w+)!|env\([\"'](\w+)[\"']\)"
    r"|(?:settings|config|cfg|conf)\[\s*[\"'](\w+)|os\.Getenv\(\"(\w+)\"\)|env:\"(\w+),required",
    re.IGNORECASE,
)
_ADDRESS = re.compile(
    r"(?i)https?://|\b[a-z][\w-]*(?:\.[\w-]+)*\.[a-z]{2,}(?::\d+)?(?:/|$|[\"'])|:\d{2,5}\b"
    r"|^[\"']?/[\w/{}.-]+"
)


def schemas(text: Text) -> Iterator[Found]:
    """Code that asks for a table nobody made, or a migration that takes something away."""
    made = {m.lower() for h in text.hunks for t in h.added if _DDL.search(t) for m in _SQL_TABLE.findall(t)}
    for hunk in text.hunks:
        known = {m.lower() for t in hunk.removed for m in _SQL_TABLE.findall(t)}
        for line in hunk.added:
            if _BREAKS_DDL.search(line):
                yield Found(f"migration: {code(line)[:60]}", 0.9, path=hunk.path)
            elif _SQL.search(line):
                for table in (m for m in _SQL_TABLE.findall(line) if m.lower() not in known | made):
                    yield Found(
                        f"asks for the table {table}, which this change does not create", 0.9, named=(table,), path=hunk.path
                    )


def serialised_fields(text: Text) -> Iterator[Found]:
    """A field that has another name, number or type in what services exchange."""
    for hunk in text.hunks:
        old = {next(g for g in m if g) for t in hunk.removed for m in _FIELD_TAG.findall(t) if any(m)}
        new = {next(g for g in m if g) for t in hunk.added for m in _FIELD_TAG.findall(t) if any(m)}
        for gone in sorted(old - new):
            come = ", ".join(sorted(new - old))
            yield Found(
                f"field {gone} {'is now ' + come if come else 'removed'}", 1.0, named=(gone, *sorted(new - old)), path=hunk.path
            )
        numbers = {m[1]: m[2] for t in hunk.removed if (m := _PROTO_FIELD.match(t))}
        for name, tag in ((m[1], m[2]) for t in hunk.added if (m := _PROTO_FIELD.match(t))):
            if name in numbers and numbers[name] != tag:
                yield Found(f"field number of {name} {numbers[name]} → {tag}", 0.9, path=hunk.path)
        if re.search(
            r"(?i)schema|proto|avro|envelope|codec|seriali|message|event|contract|dto"
            r"|payload",
            hunk.path + hunk.header,
        ):
            gone = _quoted_keys(hunk.removed) - _quoted_keys(hunk.added)
            come_keys = _quoted_keys(hunk.added) - _quoted_keys(hunk.removed)
            if gone and come_keys and not old:
                named = (*sorted(gone), *sorted(come_keys))[:6]
                yield Found(f"field {sorted(gone)[0]} is now {sorted(come_keys)[0]}", 0.8, named=named, path=hunk.path)
    for edit in text.edits:
        if (
            set(words(edit.key)) & {"encoding", "format", "codec", "compression", "serializer", "acks", "contenttype"}
            and number(edit.new) is None
        ):
            yield Found(edit.text, 0.8, path=edit.path)


def _quoted_keys(lines: tuple[str, ...]) -> set[str]:
    return {m for t in lines for m in re.findall(r"[\"']([a-z][\w-]{1,40})[\"']", code(t))}


def endpoints(text: Text) -> Iterator[Found]:
    """Another address, port or path to call or to listen on."""
    for edit in text.edits:
        old, new = edit.old.strip("\"'`"), edit.new.strip("\"'`")
        addressed = set(words(edit.key)) & {
            "url",
            "host",
            "port",
            "endpoint",
            "addr",
            "address",
            "uri",
            "dsn",
            "target",
            "upstream",
            "topic",
            "queue",
            "bucket",
            "region",
            "path",
            "route",
            "peer",
            "base",
            "server",
        }
        if not _LOCKFILES.search(edit.path) and (
            (addressed and old and new)
            or (number(old) is None and number(new) is None and _ADDRESS.search(old) and _ADDRESS.search(new))
        ):
            hosts = tuple(w for w in re.findall(r"[A-Za-z][\w-]{3,}", new) if w not in ("http", "https"))[:4]
            yield Found(edit.text, 0.8, named=hosts, path=edit.path)


def dependencies(text: Text) -> Iterator[Found]:
    """Another version of a library or base image."""
    for hunk in text.hunks:
        if not _LOCKFILES.search(hunk.path) or hunk.path.endswith((".sum", ".lock", "package-lock.json")):
            continue
        old = dict(_PIN.findall("\n".join(hunk.removed)))
        for package, version in _PIN.findall("\n".join(hunk.added)):
            if package in old and old[package] != version:
                named = tuple(w for w in words(package) if len(w) > 2 and w not in _HOSTING)[-3:] or (package,)
                yield Found(f"{package} {old[package]} → {version}", _jump(old[package], version), named=named, path=hunk.path)
        froms = [re.findall(r"^FROM\s+(\S+)", "\n".join(lines), re.M) for lines in (hunk.removed, hunk.added)]
        for a, b in zip(*froms, strict=False):
            if a != b:
                yield Found(f"base image {a} → {b}", 0.6, path=hunk.path)


def _jump(old: str, new: str) -> float:
    a, b = re.findall(r"\d+", old), re.findall(r"\d+", new)
    if a[:1] != b[:1]:
        return 1.0
    return 0.8 if a[1:2] != b[1:2] else 0.4


def variables(text: Text) -> Iterator[Found]:
    """A variable or setting that must now be there, or one that went."""
    known = {g for h in text.hunks for t in h.removed for m in _NEEDS_ENV.findall(t) for g in m if g}
    for hunk in text.hunks:
        for line in hunk.added:
            for name in sorted({g for m in _NEEDS_ENV.findall(line) for g in m if g} - known):
                yield Found(f"needs the setting {name}", 0.8, named=(name,), path=hunk.path)
        if re.search(r"(?i)\.ya?ml$|\.env|\.json$|\.toml$|\.tf$|config|deploy", hunk.path):
            keys = [
                {m for t in lines for m in re.findall(r"^\s*-?\s*(?:name:\s*)?[\"']?([A-Z][A-Z0-9_]{3,})\b", t)}
                for lines in (hunk.removed, hunk.added)
            ]
            for gone in sorted(keys[0] - keys[1]):
                yield Found(f"setting {gone} removed", 0.9, named=(gone,), path=hunk.path)


def permissions(text: Text) -> Iterator[Found]:
    """Who may do what, and which secret proves it."""
    authy = {
        "role",
        "roles",
        "scope",
        "scopes",
        "permission",
        "permissions",
        "audience",
        "issuer",
        "token",
        "secret",
        "policy",
        "acl",
        "auth",
        "principal",
        "serviceaccount",
        "apikey",
        "rbac",
        "iam",
        "algorithm",
    }
    for edit in text.edits:
        if set(words(edit.key)) & authy and not number(edit.new):
            yield Found(f"{edit.key} changed", 0.8, path=edit.path)
    for hunk in text.hunks:
        gone = [
            t
            for t in hunk.removed
            if re.search(r"(?i)\b(?:allow|grant|authoriz|bearer|add_header|set_?header|verbs|resources)", code(t))
        ]
        if (
            gone
            and set(words(hunk.path + " " + hunk.header + " " + " ".join(hunk.removed))) & authy
            and len(hunk.added) < len(hunk.removed)
        ):
            yield Found(f"removed: {code(gone[0])[:60]}", 0.7, path=hunk.path)


def acceptance(text: Text) -> Iterator[Found]:
    """Requests that are refused now, or conditions that were turned round."""
    refuses = re.compile(
        r"(?i)\braise\b|\bthrow\b|return .*(?:err|status(?:bad|forbidden|unproc|conflict)|4\d\d|refus|reject|invalid)"
        r"|abort\(|http\.Error\("
    )
    hands_on = re.compile(r"return (?:[\w\"., ]*, ?)?err\b")
    for hunk in text.hunks:
        new = [t for t in hunk.added if refuses.search(code(t)) and not hands_on.search(t)]
        if len(new) > sum(bool(refuses.search(code(t))) for t in hunk.removed):
            named = tuple(w for t in new for w in re.findall(r"[\"'](.{8,60}?)[\"']", t))[:2]
            yield Found(f"refuses more: {code(new[0])[:60]}", 0.6, named=named, path=hunk.path)
        before, after = ([(_conditionless(t), t) for t in lines] for lines in (hunk.removed, hunk.added))
        for (was, old), (flat, now) in ((a, b) for a in before if a[0] for b in after):
            if was == flat and re.sub(r"\s", "", code(old)) != re.sub(r"\s", "", code(now)):
                yield Found(
                    f"condition changed: {code(now)[:60]}",
                    0.7,
                    (Kind.ERRORS, Kind.REJECTED, Kind.DATA, Kind.NULL),
                    path=hunk.path,
                )
                break


def _conditionless(line: str) -> str:
    """A line without what a condition may be turned round by."""
    return re.sub(r"[<>!=]=?|\bnot\b|&&|\|\||\band\b|\bor\b|\s", "", code(line))


RULES: tuple[Rule, ...] = (
    rule("schema", "schema", (Kind.SCHEMA,), schemas),
    rule("serialised_field", "serialization", (Kind.SERIALIZATION,), serialised_fields),
    rule("endpoint", "endpoint", (Kind.ENDPOINT, Kind.DNS, Kind.TIMEOUT, Kind.AUTH), endpoints),
    rule("dependency", "dependency", (Kind.STARTUP, Kind.NULL, Kind.SERIALIZATION, Kind.MEMORY), dependencies),
    rule("variable", "config", (Kind.CONFIG, Kind.STARTUP, Kind.NULL), variables),
    rule("permission", "auth", (Kind.AUTH,), permissions),
    rule("acceptance", "validation", (Kind.REJECTED,), acceptance),
)
