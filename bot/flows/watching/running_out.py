"""Every hour: what runs out soon is told of once, kept up to date without another word, and withdrawn when the trend ends."""

import asyncio
from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import datetime, timedelta

from bot.domain.telemetry import Series, Window
from bot.domain.watch import Sort, Warned
from bot.flows.desk import Desk
from bot.flows.watching.reading import Read, batches, on, read
from bot.flows.watching.telling import over, tell, worded
from bot.ports import Scalar, Transaction
from bot.signals.forecast import Forecast, forecasts, said, thing_of
from bot.signals.golden import name

PAST = timedelta(hours=48)  # that a line is drawn through
STAYS = 1.5  # times the horizon: what was told of is withdrawn only beyond that
ONCE = timedelta(days=1)  # what was withdrawn and comes back within this is no news
_Key = tuple[str, str]


async def forecast_round(_args: Mapping[str, Scalar], desk: Desk) -> None:
    """The past two days of all that can run out are read once."""
    if not on(desk):
        return
    now = desk.clock()
    for services in batches(desk):
        answer = await read(services, Window(now - PAST, now), desk)
        found = await asyncio.to_thread(_found, answer, now, desk)
        await desk.db.write(lambda tx, a=answer, f=found: _write(tx, a, f, now, desk))  # type: ignore[misc]  # mypy cannot infer a lambda with a default


def _found(answer: Read, now: datetime, desk: Desk) -> dict[_Key, Forecast]:
    """What runs out before one and a half horizons."""
    widest = STAYS * max(desk.watching.horizon, desk.watching.certificates)
    near = [f for f in forecasts(answer.series, now, widest) if f.latest <= now + STAYS * _horizon(f, desk)]
    return {(f.service, _named(f)): f for f in near}


def _horizon(forecast: Forecast, desk: Desk) -> timedelta:
    return desk.watching.certificates if forecast.exact else desk.watching.horizon


def _named(forecast: Forecast) -> str:
    return name(Series(forecast.service, forecast.metric, (), forecast.labels))[:255]


def _write(tx: Transaction, answer: Read, found: Mapping[_Key, Forecast], now: datetime, desk: Desk) -> None:
    mine = {(w.service, w.metric): w for w in desk.watches.warnings(tx) if w.sort is Sort.FORECAST}
    lately = _lately(desk.watches.warnings(tx, now - ONCE))
    new, same = [], []
    for key, forecast in found.items():
        text = worded(said(forecast, now))
        if known := mine.get(key):
            same.append(replace(known, text=text))
        elif again := lately.get(key):
            same.append(replace(again, text=text, ended_at=None, why_ended=""))
        elif forecast.latest <= now + _horizon(forecast, desk):
            new.append(Warned(desk.new_id(), Sort.FORECAST, key[0], desk.default_environment, key[1], now, text))
    desk.watches.warn(tx, same)
    tell(tx, new, desk)
    read_again = {(s.service, name(s)[:255]) for s in answer.series if s.points and thing_of(s.metric)}
    over(tx, [w for key, w in mine.items() if key not in found and key in read_again], "the trend has ended", desk)


def _lately(warned: Sequence[Warned]) -> dict[_Key, Warned]:
    return {(w.service, w.metric): w for w in reversed(warned) if w.sort is Sort.FORECAST and w.ended_at is not None}
