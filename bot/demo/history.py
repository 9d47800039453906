"""What had happened in the shop's repository before the demo began: a month of ordinary work.

The last state of the history is the source in `shop_source/`; earlier states come from taking these edits back.
"""

from dataclasses import dataclass
from datetime import timedelta

from bot.demo.changes import INES, MAREK, PRIYA, TOM, YUKI, Author, Change, Edit, undone

FIRST_VERSION = {"storefront": 113, "checkout": 61, "payments": 37, "inventory": 27, "store": 11}
"""The version that the root commit is of each service; every later commit to a service is its next version."""

RETRIES_RAISED_AGO = timedelta(hours=511)
"""When payments retried too often, and was rolled back: three weeks before the demo's start."""

ROOT_AGO = timedelta(days=34)
ROOT_AUTHOR = INES
ROOT_MESSAGE = "The shop: five services and a small library"


@dataclass(frozen=True, slots=True)
class Past:
    """A change, and how long before the demo's start it was made."""

    ago: timedelta
    change: Change


def _past(hours: float, service: str | None, author: Author, message: str, *edits: Edit) -> Past:
    return Past(timedelta(hours=hours), Change(message, service, message, author, edits))


_MORE_RETRIES = Edit(
    "services/payments/settings.json",
    '"retries": 2,\n    "backoff_ms": 200',
    '"retries": 8,\n    "backoff_ms": 0',
)

HISTORY = (
    _past(
        24 * 29,
        "storefront",
        YUKI,
        "storefront: twelve products per page",
        Edit("services/storefront/settings.json", '"page_size": 9', '"page_size": 12'),
    ),
    _past(RETRIES_RAISED_AGO / timedelta(hours=1), "payments", TOM, "payments: be more patient with acmepay", _MORE_RETRIES),
    _past(
        RETRIES_RAISED_AGO / timedelta(hours=1) - 3,
        "payments",
        PRIYA,
        'Revert "payments: be more patient with acmepay"',
        undone(_MORE_RETRIES),
    ),
    _past(
        24 * 17,
        "inventory",
        MAREK,
        "inventory: count bundles when reserving",
        Edit(
            "services/inventory/app.py",
            '        taken[line["sku"]] = taken.get(line["sku"], 0) + line["quantity"]\n',
            '        bundle = found["row"].get("bundle") or []\n        for sku in [line["sku"], *bundle]:\n'
            '            taken[sku] = taken.get(sku, 0) + line["quantity"]\n',
        ),
    ),
    _past(
        24 * 13,
        "checkout",
        INES,
        "checkout: allow longer baskets",
        Edit("services/checkout/settings.json", '"max_lines": 30', '"max_lines": 50'),
    ),
    _past(
        24 * 9.5,
        "payments",
        PRIYA,
        "payments: take Swedish crowns",
        Edit("services/payments/app.py", '"GBP": 0.86}', '"GBP": 0.86, "SEK": 11.4}'),
    ),
    _past(
        24 * 8,
        None,
        TOM,
        "docs: who to call at acmepay",
        Edit(
            "docs/payments.md",
            "we keep one per process.\n",
            "we keep one per process.\n\nContact at the provider: support desk, weekdays 08:00-18:00 CET.\n",
        ),
    ),
    _past(
        24 * 6,
        "store",
        MAREK,
        "store: vacuum at night",
        Edit("services/store/settings.json", '"vacuum_hour": 13', '"vacuum_hour": 3'),
    ),
    _past(
        24 * 4,
        "storefront",
        YUKI,
        "storefront: greeting cards",
        Edit(
            "services/storefront/app.py",
            '        "currency": basket.get("currency"),\n    }\n',
            '        "currency": basket.get("currency"),\n        "greeting": wish.get("greeting", ""),\n    }\n',
        ),
        Edit(
            "services/storefront/app.py",
            "    order = {\n",
            '    wish = basket.get("gift") or {}\n    order = {\n',
        ),
    ),
    _past(
        50,
        "payments",
        PRIYA,
        "payments: log acmepay's id of a charge",
        Edit("services/payments/app.py", "amount=amount)", 'amount=amount, acmepay_id=answer["id"])'),
    ),
    _past(
        27,
        "payments",
        TOM,
        "payments: risk limit 0.9",
        Edit("services/payments/settings.json", '"risk_limit": 0.85', '"risk_limit": 0.9'),
    ),
    _past(
        6.5,
        None,
        INES,
        "docs: roll back first",
        Edit(
            "docs/operations.md",
            "| store      | team-platform   | worker pool, disk reads       |\n",
            "| store      | team-platform   | worker pool, disk reads       |\n\n"
            "If in doubt, roll back first and look for the reason after.\n",
        ),
    ),
)
