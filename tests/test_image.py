"""The image and the compose file, as far as can be told without a container engine."""

import subprocess
from pathlib import Path
from sysconfig import get_path

import yaml

from bot.settings import load

ROOT = Path(__file__).parent.parent
COMPOSE = yaml.safe_load((ROOT / "compose.yaml").read_text())


def test_hadolint_has_nothing_to_say_of_the_dockerfile() -> None:
    words = [f"{get_path('scripts')}/hadolint", "--no-color", str(ROOT / "Dockerfile")]
    said = subprocess.run(words, capture_output=True, text=True, timeout=60, check=False)
    assert (said.returncode, said.stdout) == (0, "")


def test_the_image_runs_as_nobody_special_with_a_health_check_and_a_volume() -> None:
    lines = (ROOT / "Dockerfile").read_text().splitlines()
    assert "USER 10001" in lines
    assert any(line.startswith("HEALTHCHECK") for line in lines)
    assert 'VOLUME ["/data", "/config"]' in lines


def test_the_bot_accepts_every_setting_that_compose_gives_it(tmp_path: Path) -> None:
    bot = COMPOSE["services"]["bot"]
    environ = {}
    for name, value in bot["environment"].items():
        if name.endswith("_FILE"):
            secret = Path(value).name
            assert secret in bot["secrets"]
            (tmp_path / secret).write_text("postgresql+psycopg://tocsin:pw@postgres/tocsin" if secret == "database_url" else "x")
            value = str(tmp_path / secret)
        environ[name] = value
    settings = load(environ, tmp_path)
    assert settings.database.startswith("postgresql")
    assert settings.knowledge.vector_url == "http://chroma:8000"
    assert settings.slack.bot_token is not None


def test_every_secret_and_volume_that_compose_uses_is_declared() -> None:
    used = {secret for service in COMPOSE["services"].values() for secret in service.get("secrets", ())}
    assert used == set(COMPOSE["secrets"])
    named = {v.split(":")[0] for s in COMPOSE["services"].values() for v in s.get("volumes", ()) if not v.startswith(".")}
    assert named == set(COMPOSE["volumes"])
    assert set(COMPOSE["services"]["bot"]["depends_on"]) <= set(COMPOSE["services"])
