"""The handlers for Chef and Puppet that we ship say only what `tocsin change` understands."""

import argparse
import re
import shutil
import subprocess
from pathlib import Path

import pytest

from bot.commands import change

HANDLERS = sorted((Path(__file__).parents[2] / "docs" / "connectors" / "handlers").glob("*.rb"))
by_handler = pytest.mark.parametrize("handler", HANDLERS, ids=lambda h: h.stem)


def test_there_is_one_for_chef_and_one_for_puppet() -> None:
    assert [h.stem for h in HANDLERS] == ["tocsin_chef", "tocsin_puppet"]


@by_handler
def test_every_option_and_every_word_that_it_gives_is_one_of_the_command(handler: Path) -> None:
    parser = argparse.ArgumentParser()
    change.register(parser.add_subparsers())
    text = handler.read_text()
    options = re.findall(r'"(--[a-z-]+)"', text)
    assert {"--service", "--kind", "--status", "--id"} <= set(options)
    values = ["failed" if o == "--status" else "config" if o == "--kind" else "x" for o in options]
    told = parser.parse_args(["change", *(part for pair in zip(options, values, strict=True) for part in pair)])
    assert (told.service, told.kind, told.status) == ("x", "config", "failed")
    assert '"--kind", "config"' in text


@by_handler
def test_no_shell_sees_what_comes_from_outside(handler: Path) -> None:
    code = re.sub(r"#(?!\{).*", "", handler.read_text())
    assert re.findall(r"\b(?:system|exec|spawn)\(([^,]+), \"change\", \*", code), "system is called with a list"
    assert not re.search(r"%x|Open3|IO\.popen|eval", code)


@by_handler
def test_ruby_can_read_it(handler: Path) -> None:
    ruby = shutil.which("ruby")
    if ruby is None:
        pytest.skip("no ruby here: the handler's syntax is not checked")
    checked = subprocess.run([ruby, "-c", str(handler)], capture_output=True, text=True, timeout=60, check=False)
    assert checked.returncode == 0, checked.stderr
