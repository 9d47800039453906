"""tocsin serve, as far as it refuses to start."""

from pathlib import Path

import pytest

from bot.cli import main


def test_a_port_for_spans_without_a_token_is_refused_before_anything_starts(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SLACK_BOT_TOKEN", "xoxb-1")
    (tmp_path / "tocsin.toml").write_text("[topology]\notlp_port = 4318\n")
    assert main(["--config", str(tmp_path), "serve"]) == 2
    assert "set TOCSIN_TOPOLOGY_OTLP_TOKEN" in capsys.readouterr().err
    assert not (tmp_path / ".tocsin").exists()
