"""Where a GitHub deployer deploys from, and as whom: its table in tocsin.toml."""

from typing import Literal

import httpx
from pydantic import BaseModel, ConfigDict, Field, SecretStr, field_validator

from bot.wire.rest import Rest

INPUTS = ("service", "version", "environment", "tocsin_key")


class GitHubDeploys(BaseModel):
    """One `[deployers.<name>]` table with `kind = "github"`; {service} may stand in repository and workflow, {version} in tag."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    repository: str = Field(pattern=r"^[\w.{}-]+/[\w.{}-]+$")
    mode: Literal["workflow", "deployments"] = "workflow"
    workflow: str = Field("deploy.yml", pattern=r"^[\w.{}-]+$")
    ref: str = Field("main", min_length=1)  # whose workflow file runs
    inputs: dict[str, str] = Field(default_factory=dict)
    tag: str = "{version}"
    run_details: bool = True  # an Enterprise Server that does not know the parameter yet needs false
    required_checks: bool = True  # deployments: GitHub refuses a commit whose checks have not passed
    token: SecretStr | None = Field(None, repr=False)
    api_url: str = Field("https://api.github.com", pattern=r"^https?://[^\s@]+$")
    timeout_seconds: float = Field(10, gt=0, le=300)

    @field_validator("inputs")
    @classmethod
    def _free(cls, given: dict[str, str]) -> dict[str, str]:
        if taken := sorted(set(given) & set(INPUTS)):
            raise ValueError(f"{taken[0]} is filled in by Tocsin")
        return given

    def repository_of(self, service: str) -> str:
        """Where the service is deployed from."""
        return self.repository.replace("{service}", service)


def api_of(settings: GitHubDeploys, transport: httpx.AsyncBaseTransport | None) -> Rest:
    """GitHub, asked with the deployer's own token."""
    headers = {"accept": "application/vnd.github+json", "x-github-api-version": "2022-11-28", "user-agent": "tocsin"}
    if settings.token:
        headers["authorization"] = f"Bearer {settings.token.get_secret_value()}"
    return Rest("GitHub", settings.api_url, headers, timeout=settings.timeout_seconds, quotes=True, transport=transport)
