"""Each rule on small invented diffs: what it sees, what it leaves alone."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bot.investigation.rules import RULES, Text, read
from tests.investigation.cases import edit


def found(diff: str, *, without: tuple[str, ...] = ()) -> dict[str, str]:
    """The first text per rule."""
    return {f.rule: f.text for f in reversed(read(Text.of(diff), RULES, without=without))}


SEEN = [
    ("timeout", "timeout_ms 1200 → 150", edit("pay/settings.json", '"timeout_ms": 1200,', '"timeout_ms": 150,')),
    ("timeout", "WithTimeout 4 second → 250 millisecond", edit(
        "a/c.go", "ctx, f := context.WithTimeout(ctx, 4*time.Second)", "c, f := context.WithTimeout(ctx, 250*time.Millisecond)"
    )),
    ("retry", "max_attempts 2 → 10", edit("pay/c.py", "max_attempts = 2", "max_attempts = 10")),
    ("retry", "waiting between attempts removed", edit("lib/retry.go", "\ttime.Sleep(delay)", "", "for i := range retries {")),
    ("cache", "ttl 10m → 5s", edit("conf/cache.yaml", "  ttl: 10m", "  ttl: 5s")),
    ("cache", "price_cache_seconds 30 → 0", edit("x/settings.json", '"price_cache_seconds": 30,', '"price_cache_seconds": 0,')),
    ("cache", "no longer asks the cache", edit("a.py", "return cache.get(key) or load(key)", "return load(key)")),
    ("pool", "MaxConns 40 → 4", edit("db/pool.go", "\tMaxConns: 40,", "\tMaxConns: 4,")),
    ("pool", "workers 16 → 1", edit("x/settings.json", '"workers": 16,', '"workers": 1,')),
    ("pool", "a connection or handle is no longer given back", edit("db.py", "conn.close()\nreturn rows", "return rows")),
    ("limit", "rate_limit 500 → 50", edit("gate.yaml", "rate_limit: 500", "rate_limit: 50")),
    ("resources", "memory 512Mi → 128Mi", edit("deploy/books.yaml", "  memory: 512Mi", "  memory: 128Mi")),
    ("lock", "a lock was removed", edit("a.go", "\tc.mu.Lock()\n\tdefer c.mu.Unlock()\n\tc.n[k]++", "\tc.n[k]++")),
    ("lock", "a lock was removed", edit("a.py", "    with self._lock:\n        self.n += 1", "    self.n += 1")),
    ("guard", "check removed: if book.author is None:", edit(
        "a.py", "    if book.author is None:\n        return ''\n    return book.author.name", "    return book.author.name"
    )),
    ("guard", 'check removed: return RATES[c or "EUR"]', edit("a.py", '    return RATES[c or "EUR"]', "    return RATES[c]")),
    ("fan_out", "fetch_price is now called once per item", edit(
        "a.py", "prices = await client.fetch_prices(skus)", "for sku in skus:\n    prices.append(await client.fetch_price(sku))"
    )),
    ("leak", "seen grows and nothing takes from it", edit("a.py", "", "seen = []\ndef keep(x):\n    seen.append(x)")),
    ("schema", "asks for the table wishes, which this change does not create", edit(
        "dao.py", "", 'rows = db.execute("SELECT id FROM wishes WHERE user = 1")'
    )),
    ("schema", "migration: ALTER TABLE books DROP COLUMN isbn;", edit("m/7.sql", "", "ALTER TABLE books DROP COLUMN isbn;")),
    ("serialised_field", "field qty is now quantity", edit("a.go", '\tQty int `json:"qty"`', '\tQuantity int `json:"quantity"`')),
    ("endpoint", "stock_url http://stock:80 → http://stock-v2:80", edit(
        "c.yaml", 'stock_url: "http://stock:80"', 'stock_url: "http://stock-v2:80"'
    )),
    ("dependency", "example.org/pdf 1.4.0 → 2.0.0", edit("go.mod", "\texample.org/pdf v1.4.0", "\texample.org/pdf v2.0.0")),
    ("variable", "needs the setting STOCK_TOKEN", edit("a.py", "", 'token = os.environ["STOCK_TOKEN"]')),
    ("query", "a query lost its LIMIT", edit(
        "a.py", 'q = "SELECT * FROM books WHERE x LIMIT 20"', 'q = "SELECT * FROM books WHERE x"'
    )),
    ("log_volume", "log_level INFO → DEBUG", edit("c.yaml", 'log_level: "INFO"', 'log_level: "DEBUG"')),
    ("metric_label", "a metric got the label user_id", edit("metrics.py", "", "REQUESTS.labels(route, user_id).inc()")),
    ("acceptance", "refuses more: raise Refused(422)", edit("a.py", "", "if lines > 5:\n    raise Refused(422)")),
    ("delay", "a wait was added", edit("a.py", "", "    time.sleep(0.2)")),
    ("schedule", "poll_interval 60 → 1", edit("c.yaml", "poll_interval: 60", "poll_interval: 1")),
]  # fmt: skip

LEFT_ALONE = [
    ("timeout", edit("a.json", '"timeout_ms": 1200', '"timeout_ms": 1300')),
    ("retry", edit("docs.md", "we retry 2 times", "we retry twice")),
    ("pool", edit("db/pool.go", "\tMaxConnIdleTime: 30,", "\tMaxConnIdleTime: 5,")),
    ("lock", edit("a.go", "\tc.mu.Lock()", "\tc.mutex.Lock()")),
    ("guard", edit("a.go", "\tif err != nil {\n\t\treturn nil, err\n\t}", "\treturn wrap(err)")),
    ("fan_out", edit("a.py", "", "for line in lines:\n    taken[line] = taken.get(line, 0) + 1")),
    ("leak", edit("a.py", "", "seen = deque([], maxlen=9)\ndef keep(x):\n    seen.append(x)\n    seen.clear()")),
    ("schema", edit("m/7.py", "", 'db("CREATE TABLE wishes (id int)")\nrows = db("SELECT id FROM wishes")')),
    ("endpoint", edit("a.go", "Idle: 30 * time.Second", "Idle: 5 * time.Minute")),
    ("dependency", edit("a.py", 'version = "1.2.3"', 'version = "1.2.4"')),
    ("acceptance", edit("a.go", "", "\tif err != nil {\n\t\treturn err\n\t}")),
    ("variable", edit("a.py", 'x = os.environ["A_TOKEN"]', 'y = os.environ["A_TOKEN"]')),
]


@pytest.mark.parametrize(("rule", "text", "diff"), SEEN, ids=lambda v: v[:40] if isinstance(v, str) else None)
def test_a_rule_sees_its_change(rule: str, text: str, diff: str) -> None:
    assert found(diff).get(rule) == text


@pytest.mark.parametrize(("rule", "diff"), LEFT_ALONE)
def test_a_rule_leaves_the_harmless_alone(rule: str, diff: str) -> None:
    assert rule not in found(diff)


def test_a_class_that_is_left_out_sees_nothing() -> None:
    diff = edit("pay/settings.json", '"timeout_ms": 1200,', '"timeout_ms": 150,')
    assert "timeout" in found(diff)
    assert "timeout" not in found(diff, without=("timeout",))


def test_every_rule_has_a_name_a_tag_and_kinds() -> None:
    assert len({r.name for r in RULES}) == len(RULES)
    assert all(r.tag and r.explains for r in RULES)


@given(st.text(max_size=400))
def test_no_diff_breaks_the_rules(text: str) -> None:
    read(Text.of(text, ("a.py",)), RULES)
    read(Text.of("+++ b/x.go\n@@\n+" + text.replace("\n", "\n-")), RULES)
