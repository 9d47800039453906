"""python -m bot is the command `tocsin`."""

import sys

from bot.cli import main

sys.exit(main())
