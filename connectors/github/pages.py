"""Documents of a GitHub repository or of its wiki, which is a repository too; read by git."""

from collections.abc import Mapping

from pydantic import BaseModel, ConfigDict, Field, SecretStr

from bot.ports import DocumentSource, Room
from bot.wire.filetree import Files, checked
from bot.wire.trees import GitTree, Remote


class GitHubSource(BaseModel):
    """The own values of [knowledge.sources.NAME] with kind = "github" or "github-wiki"."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    repository: str = Field(pattern=r"^[\w.-]+/[\w.-]+$")
    path: str = ""
    branch: str = ""
    token: SecretStr | None = None
    url: str = Field("https://github.com", pattern=r"^https://[^\s@?#]+$|^http://(127\.0\.0\.1|localhost)(:\d+)?$")
    wiki: bool = False


def github_documents(values: Mapping[str, object], room: Room) -> DocumentSource:
    """The source; `token` is fine-grained with Contents: read-only, none is needed for a public repository."""
    settings = checked(GitHubSource, values, room)
    name = f"{settings.repository}.wiki" if settings.wiki else settings.repository
    token = settings.token.get_secret_value() if settings.token else ""
    remote = Remote(f"{settings.url.rstrip('/')}/{name}.git", settings.branch, token)
    return Files(GitTree(remote, room.own / "clone"), settings.path)
