"""One typed Settings, read once: defaults, then tocsin.toml, then the environment.

This is the only reader of the environment. `TOCSIN_<FIELD>` sets a top-level field, `TOCSIN_<SECTION>_<FIELD>` one of a
section, `TOCSIN_<CONNECTOR>_<FIELD>` one of a connector; `<NAME>_FILE` names a file that holds the value. Slack's own three
names are kept: SLACK_BOT_TOKEN, SLACK_APP_TOKEN, SLACK_SIGNING_SECRET; so are OPENAI_API_KEY and ANTHROPIC_API_KEY.
"""

from bot.settings.model import Settings
from bot.settings.reading import load, load_settings
from bot.settings.sections import SourceSettings, TopologySettings

__all__ = ["Settings", "SourceSettings", "TopologySettings", "load", "load_settings"]
