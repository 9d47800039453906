"""Where Prometheus is, and how it is asked."""

import re
from typing import Self

from pydantic import BaseModel, ConfigDict, Field, SecretStr, field_validator, model_validator

# The labels that name a service, the most telling first: by convention of instrumentation, of Kubernetes and of scraping.
LABELS = ("service", "service_name", "app_kubernetes_io_name", "app", "application", "deployment", "workload", "job")
_LABEL = re.compile(r"[a-zA-Z_][a-zA-Z0-9_]*")


class PrometheusSettings(BaseModel):
    """Where Prometheus is and how a service is selected; `{service}` in the selector is the service's name.

    `golden` asks for golden signals by the conventions of instrumentation; `labels` are those whose value is a service's name.
    `scrape_seconds` is how far samples lie apart: rates are taken over four of them. `link` is where its pages for people are.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    url: str = ""
    token: SecretStr | None = None
    username: str = ""
    password: SecretStr | None = None
    tenant: str = ""
    link: str = ""
    selector: str = '{{service="{service}"}}'
    golden: bool = True
    labels: tuple[str, ...] = LABELS
    scrape_seconds: float = Field(15.0, gt=0, le=300)
    timeout_seconds: float = Field(4.0, gt=0)
    max_series: int = Field(300, gt=0, le=10_000)
    max_hours: float = Field(48.0, gt=0)

    @field_validator("selector")
    @classmethod
    def _names_the_service(cls, value: str) -> str:
        if not value:
            return value
        if "{service}" not in value:
            raise ValueError('has to hold {service}, such as {{app="{service}"}}; "" asks for golden signals alone')
        try:
            value.format(service="x")
        except (KeyError, IndexError, ValueError):
            raise ValueError("braces of the query are doubled: {{...}}; only {service} is filled in") from None
        return value

    @field_validator("labels")
    @classmethod
    def _are_labels(cls, labels: tuple[str, ...]) -> tuple[str, ...]:
        for label in labels:
            if not _LABEL.fullmatch(label):
                raise ValueError(f'{label[:40]!r} is no label of Prometheus; one looks like "app"')
        return labels

    @property
    def auth(self) -> tuple[str, str] | None:
        """Who asks, for basic auth; None without a user name."""
        return (self.username, self.password.get_secret_value() if self.password else "") if self.username else None

    @model_validator(mode="after")
    def _asks_for_something(self) -> Self:
        if not self.selector and not (self.golden and self.labels):
            raise ValueError("without a selector, golden has to be true and labels have to name some")
        if self.username and self.token:
            raise ValueError("either token or username and password proves who asks, not both")
        return self
