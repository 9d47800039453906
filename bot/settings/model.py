"""All settings as one typed value, and the forms in which the stories use them."""

from collections.abc import Mapping
from datetime import timedelta
from pathlib import Path
from zoneinfo import ZoneInfo, available_timezones

from pydantic import Field, SecretStr, field_validator

from bot.domain.care import CareLimits
from bot.domain.noise import NoiseLimits
from bot.domain.watch import WatchLimits
from bot.flows.desk import Budgets, Limits, Ticketing
from bot.settings.sections import (
    BudgetSettings,
    ExecutorSettings,
    HealthSettings,
    IncidentSettings,
    IntakeSettings,
    KnowledgeSettings,
    NoiseSettings,
    RetentionSettings,
    Section,
    SlackSettings,
    TelemetrySettings,
    TicketSettings,
    TopologySettings,
    WatchSettings,
)


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
