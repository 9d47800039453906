"""Who may send alerts, and where log lines are."""

import re
from typing import Self

from pydantic import Field, SecretStr, field_validator, model_validator

from bot.ports import WebhookSettings

_INDEX = re.compile(r"[a-z0-9*.][a-z0-9*._,:+-]{0,199}")
_FIELD = re.compile(r"@?[\w.@-]{1,100}")


class ElasticSettings(WebhookSettings):
    """Where Elasticsearch or OpenSearch is, which indices hold log lines, and their fields, by default those of ECS.

    `stream_fields` name the process that wrote a line, the first that a line has counts: frames of stack traces are joined
    within it.
    """

    url: str = ""
    api_key: SecretStr | None = None
    username: str = ""
    password: SecretStr | None = None
    index: str = "logs-*,filebeat-*"
    service_field: str = "service.name"
    time_field: str = "@timestamp"
    message_field: str = "message"
    level_field: str = "log.level"
    trace_field: str = "trace.id"
    stream_fields: tuple[str, ...] = ("container.id", "kubernetes.pod.name", "service.node.name", "host.name")
    timeout_seconds: float = Field(4.0, gt=0)
    limit: int = Field(1000, gt=0, le=10_000)

    @field_validator("index")
    @classmethod
    def _is_a_pattern(cls, value: str) -> str:
        if not _INDEX.fullmatch(value):
            raise ValueError(f'{value[:80]!r} is no pattern of indices; one looks like "logs-*,filebeat-*"')
        return value

    @field_validator("service_field", "time_field", "message_field", "level_field", "trace_field")
    @classmethod
    def _is_a_field(cls, value: str) -> str:
        if not _FIELD.fullmatch(value):
            raise ValueError(f'{value[:80]!r} is no field; one looks like "service.name"')
        return value

    @model_validator(mode="after")
    def _proves_who_asks_once(self) -> Self:
        if self.api_key and self.username:
            raise ValueError("give api_key, or username and password, not both")
        return self
