"""Five kinds of fault, each a plausible commit to one service's source whose harm is real once it runs under load.

Messages are what a person would write who does not know yet. The physics is in the services: limited workers, a
provider with limited capacity, a slow disk behind a cache.
"""

from dataclasses import dataclass

from bot.demo.changes import INES, MAREK, PRIYA, TOM, YUKI, Author, Change, Edit

RETRY_STORM = "retry-storm"
TIGHT_TIMEOUT = "tight-timeout"
MISSING_GUARD = "missing-guard"
CACHE_OFF = "cache-off"
SMALL_POOL = "small-pool"

KINDS = {
    RETRY_STORM: "Retry storm",
    TIGHT_TIMEOUT: "Timeout too tight",
    MISSING_GUARD: "Missing guard",
    CACHE_OFF: "Cache disabled",
    SMALL_POOL: "Too few workers",
}

_OWNERS = {"storefront": YUKI, "checkout": INES, "payments": TOM, "inventory": MAREK, "store": PRIYA}


@dataclass(frozen=True, slots=True)
class Fault:
    """A kind of fault on a service, as a commit."""

    kind: str
    service: str
    change: Change


def _settings(service: str) -> str:
    return f"services/{service}/settings.json"


def _client(target: str, timeout: int, retries: int, backoff: int) -> str:
    return f'"{target}": {{\n    "timeout_ms": {timeout},\n    "retries": {retries},\n    "backoff_ms": {backoff}\n  }}'


def _fault(kind: str, service: str, message: str, *edits: Edit, author: Author | None = None) -> Fault:
    change = Change(f"{kind}/{service}", service, f"{service}: {message}", author or _OWNERS[service], edits, guilty=True)
    return Fault(kind, service, change)


def _retuned(kind: str, service: str, message: str, target: str, old: tuple[int, int, int], new: tuple[int, int, int]) -> Fault:
    edit = Edit(_settings(service), _client(target, *old), _client(target, *new))
    return _fault(kind, service, message, edit)


def _setting(kind: str, service: str, message: str, name: str, old: object, new: object) -> Fault:
    return _fault(kind, service, message, Edit(_settings(service), f'"{name}": {old},', f'"{name}": {new},'))


_RETRY_STORMS = (
    _retuned(RETRY_STORM, "storefront", "do not lose orders on a hiccup", "checkout", (4000, 0, 200), (400, 10, 0)),
    _retuned(RETRY_STORM, "checkout", "tune the payments client", "payments", (3000, 0, 200), (240, 10, 0)),
    _retuned(RETRY_STORM, "payments", "tune the acmepay client", "acmepay", (1200, 2, 200), (150, 10, 0)),
    _retuned(RETRY_STORM, "inventory", "tune the store client", "store", (1500, 1, 100), (130, 10, 0)),
)

_TIGHT_TIMEOUTS = (
    _retuned(TIGHT_TIMEOUT, "storefront", "snappier checkout", "checkout", (4000, 0, 200), (380, 0, 200)),
    _retuned(TIGHT_TIMEOUT, "checkout", "align client settings", "payments", (3000, 0, 200), (180, 0, 200)),
    _retuned(TIGHT_TIMEOUT, "payments", "fail fast on acmepay", "acmepay", (1200, 2, 200), (90, 2, 200)),
    _retuned(TIGHT_TIMEOUT, "inventory", "stricter budget for the store", "store", (1500, 1, 100), (80, 1, 100)),
    _setting(TIGHT_TIMEOUT, "store", "bound the time of a commit", "commit_deadline_ms", 1000, 90),
)

_MISSING_GUARDS = (
    _fault(
        MISSING_GUARD,
        "storefront",
        "simplify the order",
        Edit(
            "services/storefront/app.py",
            '    wish = basket.get("gift") or {}\n',
            '    wish = basket["gift"]\n',
        ),
    ),
    _fault(
        MISSING_GUARD,
        "checkout",
        "tidy the totals",
        Edit(
            "services/checkout/app.py",
            '    percent = coupon["percent"] if coupon else 0\n    return full - full * percent // 100\n',
            '    return full - full * coupon["percent"] // 100\n',
        ),
        Edit(
            "services/checkout/app.py",
            "coupon: dict[str, Any] | None) -> int",
            "coupon: dict[str, Any]) -> int",
        ),
    ),
    _fault(
        MISSING_GUARD,
        "payments",
        "type the currency properly",
        Edit("services/payments/app.py", "currency: str | None) -> int", "currency: str) -> int"),
        Edit("services/payments/app.py", 'RATES[currency or "EUR"]', "RATES[currency]"),
    ),
    _fault(
        MISSING_GUARD,
        "inventory",
        "read bundles directly",
        Edit("services/inventory/app.py", 'found["row"].get("bundle") or []', 'found["row"]["bundle"]'),
    ),
    _fault(
        MISSING_GUARD,
        "store",
        "stock per bundle",
        Edit(
            "services/store/app.py",
            '        changed["stock"] -= quantity\n',
            '        changed["stock"] -= quantity * len(changed["bundle"])\n',
        ),
    ),
)

_CACHES_OFF = (
    _setting(CACHE_OFF, "storefront", "fresher catalogue", "page_cache_seconds", 20, 0),
    _setting(CACHE_OFF, "checkout", "always use current prices", "price_cache_seconds", 30, 0),
    _setting(CACHE_OFF, "payments", "new token per charge", "token_cache_seconds", 30, 0),
    _setting(CACHE_OFF, "inventory", "show exact stock", "row_cache_seconds", 30, 0),
    _setting(CACHE_OFF, "store", "save memory", "page_cache_seconds", 600, 0),
)

_SMALL_POOLS = (
    _setting(SMALL_POOL, "storefront", "smaller footprint", "workers", 16, 1),
    _setting(SMALL_POOL, "checkout", "fewer threads", "workers", 16, 1),
    _setting(SMALL_POOL, "payments", "right-size the service", "workers", 24, 1),
    _setting(SMALL_POOL, "inventory", "save some memory", "workers", 16, 1),
    _setting(SMALL_POOL, "store", "less contention on the disk", "workers", 3, 1),
)

FAULTS = {
    (fault.kind, fault.service): fault
    for fault in (*_RETRY_STORMS, *_TIGHT_TIMEOUTS, *_MISSING_GUARDS, *_CACHES_OFF, *_SMALL_POOLS)
}
"""Every fault by kind and service. The store calls nobody, so it has no retry storm."""
