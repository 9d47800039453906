"""Innocent changes: what ships in a shop on an ordinary day, harmless however suspicious it may look."""

from bot.demo.changes import INES, MAREK, PRIYA, TOM, YUKI, Author, Change, Edit


def _decoy(key: str, service: str | None, author: Author, message: str, *edits: Edit) -> Change:
    return Change(key, service, message, author, edits)


def _app(service: str, old: str, new: str) -> Edit:
    return Edit(f"services/{service}/app.py", old, new)


def _setting(service: str, name: str, old: str, new: str) -> Edit:
    return Edit(f"services/{service}/settings.json", f'"{name}": {old}', f'"{name}": {new}')


SHIPPED = (
    _decoy(
        "storefront-title",
        "storefront",
        YUKI,
        "storefront: Sunday opening in the title",
        _setting("storefront", "title", '"The Corner Shop"', '"The Corner Shop, open on Sundays"'),
    ),
    _decoy(
        "storefront-page-size",
        "storefront",
        YUKI,
        "storefront: fifteen products per page",
        _setting("storefront", "page_size", "12", "15"),
    ),
    _decoy(
        "storefront-wording",
        "storefront",
        INES,
        "storefront: kinder words for missing products",
        _app("storefront", "we do not sell {sku}", "we do not sell {sku} any more"),
    ),
    _decoy(
        "checkout-declined",
        "checkout",
        INES,
        "checkout: tell customers to retry with another card",
        _app("checkout", '"the card was declined"', '"the card was declined, please retry with another one"'),
    ),
    _decoy(
        "checkout-basket",
        "checkout",
        MAREK,
        "checkout: baskets of up to sixty lines",
        _setting("checkout", "max_lines", "50", "60"),
    ),
    _decoy(
        "checkout-number",
        "checkout",
        INES,
        "checkout: name the order number",
        _app(
            "checkout",
            '@service.route("POST", "/checkout")\n',
            "def new_order_number() -> str:\n"
            '    """Unique in the shop: every instance counts its own."""\n'
            '    return f"{service.log.instance}-{next(numbers)}"\n\n\n'
            '@service.route("POST", "/checkout")\n',
        ),
        _app(
            "checkout",
            '    order = f"{service.log.instance}-{next(numbers)}"\n',
            "    order = new_order_number()\n",
        ),
    ),
    _decoy(
        "payments-log",
        "payments",
        PRIYA,
        "payments: clearer log line for a charge",
        _app("payments", 'service.log.info("charged"', 'service.log.info("card charged"'),
    ),
    _decoy(
        "payments-rates",
        "payments",
        TOM,
        "payments: exchange rates of this week",
        _app("payments", '"SEK": 11.4}', '"SEK": 11.38}'),
    ),
    _decoy(
        "inventory-low-stock",
        "inventory",
        MAREK,
        "inventory: warn earlier about low stock",
        _setting("inventory", "low_stock", "5", "8"),
    ),
    _decoy(
        "inventory-log",
        "inventory",
        MAREK,
        "inventory: say stock in the log",
        _app("inventory", 'service.log.info("reserved"', 'service.log.info("stock reserved"'),
    ),
    _decoy(
        "store-vacuum",
        "store",
        PRIYA,
        "store: vacuum an hour later",
        _setting("store", "vacuum_hour", "3", "4"),
    ),
    _decoy(
        "store-wording",
        "store",
        PRIYA,
        "store: name the key of a missing row",
        _app("store", "no row {request.query['key']}", "no row with key {request.query['key']}"),
    ),
)
"""Innocent changes that are deployed."""

PUSHED = (
    _decoy(
        "docs-operations",
        None,
        TOM,
        "docs: payments retries and timeouts explained",
        Edit(
            "docs/operations.md",
            "If in doubt, roll back first",
            "Retries and timeouts of each client are in the service's settings.json.\n\nIf in doubt, roll back first",
        ),
    ),
    _decoy(
        "docs-readme",
        None,
        INES,
        "docs: how a deployment takes over",
        Edit(
            "README.md",
            "finishes what it had begun.",
            "finishes what it had begun. Nobody is refused meanwhile.",
        ),
    ),
    _decoy(
        "docs-provider",
        None,
        PRIYA,
        "docs: acmepay status page",
        Edit(
            "docs/payments.md",
            "weekdays 08:00-18:00 CET.",
            "weekdays 08:00-18:00 CET; status page: see the wiki.",
        ),
    ),
    _decoy(
        "tests-totals",
        None,
        YUKI,
        "tests: an empty basket costs nothing",
        Edit(
            "tests/test_totals.py",
            "    def test_a_coupon",
            "    def test_an_empty_basket_costs_nothing(self) -> None:\n        self.assertEqual(total([]), 0)\n\n"
            "    def test_a_coupon",
        ),
    ),
    _decoy(
        "ci-makefile",
        None,
        MAREK,
        "ci: one command for the tests",
        Edit("Makefile", "", "test:\n\tpython -m unittest discover -s tests -p 'test_*.py'\n"),
    ),
)
"""Innocent changes that are only pushed: documentation, tests, CI."""

DECOYS = {change.key: change for change in (*SHIPPED, *PUSHED)}
