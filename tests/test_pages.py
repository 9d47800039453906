"""Which hosts messages may link to: those that are listed, and where the deployers' runs can be looked at."""

from bot.settings import Settings
from bot.wiring.pages import link_hosts


def test_the_pages_of_deployers_are_on_the_list_of_hosts() -> None:
    settings = Settings(
        slack={"link_hosts": ["wiki.example.com"]},
        deployers={
            "shop": {"kind": "github", "token": "x"},
            "old": {"kind": "jenkins", "url": "https://ci.example.com:8443/jenkins", "user": "u"},
            "own": {"kind": "gitlab", "url": "https://api.git.example.com"},
            "odd": {"kind": "command", "url": "https://[half", "start": ["x"]},
            "plain": {"kind": "argocd", "url": "http://argo.internal"},
        },
    )
    assert link_hosts(settings) == (
        "wiki.example.com",
        "github.com",
        "ci.example.com",
        "api.git.example.com",
        "git.example.com",
    )
