"""Which version an image is, and which image a version is. https://distribution.github.io/distribution/spec/api/#overview"""

from bot.domain.payload import Node
from bot.errors import BadSettings

SHORT = 12  # characters of a digest


def version_of(image: str) -> str:
    """The tag, or the beginning of the digest; "latest" where there is neither, as Kubernetes reads it."""
    name, _, digest = image.partition("@")
    tag = name.rpartition("/")[2].partition(":")[2]
    return (tag or digest.rpartition(":")[2][:SHORT] or "latest") if image else ""


def image_for(pattern: str, present: str, version: str) -> str:
    """The image of a version: by the pattern, else the present one with another tag and without its digest."""
    if pattern:
        return pattern.replace("{version}", version)
    name = present.partition("@")[0]
    folder, slash, last = name.rpartition("/")
    return f"{folder}{slash}{last.partition(':')[0]}:{version}"


def container_of(template: Node, wanted: str, service: str) -> Node:
    """The container that holds the version. Raises BadSettings where nobody can tell which it is."""
    containers = list(template["spec"]["containers"].items())
    named = wanted.replace("{service}", service) or service
    found = next((c for c in containers if c["name"].text() == named), None)
    if found is not None:
        return found
    if len(containers) == 1 and not wanted:
        return containers[0]
    names = ", ".join(c["name"].text() for c in containers)
    raise BadSettings(f"No container is named {named!r}; there are {names}. Set `container` in the deployer's table.")
