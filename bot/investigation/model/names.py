"""A model's name says which vendor makes it and what has to be installed to ask it."""

import re
from dataclasses import dataclass
from importlib.util import find_spec
from urllib.parse import urlsplit

from bot.errors import BadSettings

LARGE = 30.0  # billions of parameters from which a model is trusted to choose tools
_SIZE = re.compile(r"(?:(\d{1,3})x)?(\d{1,4}(?:\.\d{1,3})?)b(?![a-z0-9])", re.IGNORECASE)
_FAMOUS = re.compile(
    r"gpt-[4-9](?!.*(?:mini|nano))|claude-|gemini-.*pro|deepseek-(?:chat|v\d|r1)$|grok-|mistral-large|kimi-k", re.IGNORECASE
)


@dataclass(frozen=True, slots=True)
class Vendor:
    """Whom to ask: LangChain's provider, the package that speaks to it, our extra that installs it, where it lives."""

    provider: str
    package: str
    extra: str
    url: str  # "" where only the user knows it
    large: bool = False  # its models may be trusted with tools unless settings say otherwise


VENDORS = {
    "openai": Vendor("openai", "langchain_openai", "openai", "https://api.openai.com/v1", large=True),
    "anthropic": Vendor("anthropic", "langchain_anthropic", "anthropic", "https://api.anthropic.com", large=True),
    "ollama": Vendor("ollama", "langchain_ollama", "ollama", "http://127.0.0.1:11434"),
    "openai-compatible": Vendor("openai", "langchain_openai", "openai", ""),
}
_EXAMPLE = "openai:gpt-5.1, anthropic:claude-sonnet-4-5, ollama:qwen3:8b or openai-compatible:<name> with TOCSIN_MODEL_URL"


@dataclass(frozen=True, slots=True)
class Named:
    """A model as it was asked for; `model` is "" where the server decides, `url` ends without a slash."""

    kind: str  # a key of VENDORS
    model: str
    url: str

    @property
    def vendor(self) -> Vendor:
        """Who makes it."""
        return VENDORS[self.kind]

    @property
    def host(self) -> str:
        """Where it lives, without a password: "127.0.0.1:8080"."""
        return urlsplit(self.url).netloc.rpartition("@")[2]

    @property
    def looks_small(self) -> bool:
        """A model on somebody's own machine is small unless its name tells otherwise."""
        if self.vendor.large:
            return False
        if sizes := _SIZE.findall(self.model):
            return max(float(times or 1) * float(size) for times, size in sizes) < LARGE
        return not _FAMOUS.search(self.model.rpartition("/")[2])


def named(name: str, url: str = "") -> Named:
    """The model of a setting such as "openai:gpt-5.1". Raises BadSettings that shows good values, or what to install."""
    kind, _, model = name.strip().partition(":")
    if kind not in VENDORS:
        raise BadSettings(f"model: {name[:80]!r} names no vendor that Tocsin knows. Good values: {_EXAMPLE}.")
    vendor = VENDORS[kind]
    if not model and kind != "openai-compatible":
        raise BadSettings(f"model: {name[:80]!r} lacks the model's name. Good values: {_EXAMPLE}.")
    if find_spec(vendor.package) is None:
        raise BadSettings(f"model: {name[:80]!r} needs a package that is not installed. Do: pip install 'tocsin[{vendor.extra}]'")
    return Named(kind, model, _address(kind, url or vendor.url))


def _address(kind: str, url: str) -> str:
    if not url:
        raise BadSettings("model_url: an OpenAI-compatible server needs its address. A good value: http://127.0.0.1:8080/v1")
    parts = urlsplit(url)
    if parts.scheme not in ("http", "https") or not parts.hostname:
        raise BadSettings("model_url: not an address of http or https. A good value: http://127.0.0.1:8080/v1")
    bare = url.rstrip("/")
    return f"{bare}/v1" if kind in ("openai", "openai-compatible") and not parts.path.strip("/") else bare
