"""The benchmark's rules of scoring, and the detector on it."""

import gzip
import json
import math
from pathlib import Path

import pytest

from bot.errors import BadSettings
from bot.evals.anomaly import PROFILES, Labelled, falling, normal, raw_score, run_anomaly
from bot.signals.novelty import Patience

NAB = Path(__file__).parents[3] / "shared/data/anomaly/nab"
STANDARD = PROFILES["standard"]
ONE = Labelled("one", tuple(300.0 * n for n in range(1000)), (0.0,) * 1000, ((400, 499), (700, 799)))


def test_the_earliest_point_of_a_window_earns_everything_and_its_end_nothing() -> None:
    assert falling(-1.0) == pytest.approx(0.98661, abs=1e-5)
    assert falling(0.0) == 0
    assert falling(3.01) == -1
    assert raw_score(ONE, [400, 700], STANDARD) == pytest.approx(2.0)
    assert raw_score(ONE, [450, 460, 700], STANDARD) == raw_score(ONE, [450, 700], STANDARD)
    assert raw_score(ONE, [499, 700], STANDARD) == pytest.approx(1 + falling(-0.01) / falling(-1.0))


def test_nothing_is_0_and_perfection_100_in_every_profile() -> None:
    for weights in PROFILES.values():
        assert normal(raw_score(ONE, [], weights), [ONE], weights) == pytest.approx(0)
        assert normal(raw_score(ONE, [400, 700], weights), [ONE], weights) == pytest.approx(100)


def test_a_false_alarm_costs_the_more_the_further_behind_a_window_it_lies() -> None:
    nothing = raw_score(ONE, [], STANDARD)
    before, soon, late = (nothing - raw_score(ONE, [place], STANDARD) for place in (200, 505, 690))
    assert before == pytest.approx(0.11)
    assert soon == pytest.approx(-0.11 * falling(6 / 99))
    assert soon < late < 0.11


def test_probation_is_not_judged() -> None:
    scores = (9.0,) * 1000
    loud = Labelled("loud", ONE.times, scores, ())
    assert loud.judged_from == 150
    assert loud.detections(Patience(1.0, 1e9)) == [150]
    assert Labelled("long", tuple(float(n) for n in range(9000)), (0.0,) * 9000, ()).judged_from == 750


def test_series_are_read_in_the_benchmarks_format(tmp_path: Path) -> None:
    (tmp_path / "series").mkdir()
    rows = []
    for name in ("a", "b"):
        file = tmp_path / f"series/{name}.csv.gz"
        values = [10 + math.sin(n / 9) + (50 if 900 <= n < 906 else 0) for n in range(1200)]
        with gzip.open(file, "wt") as lines:
            lines.write("ts,value\n" + "".join(f"{300 * n},{v}\n" for n, v in enumerate(values)))
        rows.append({"id": name, "file": f"series/{name}.csv.gz", "windows": [[300 * 880, 300 * 980]]})
    (tmp_path / "series.jsonl").write_text("\n".join(map(json.dumps, rows)))
    figures = run_anomaly(tmp_path, lambda _: None)
    assert figures["windows"] == 2
    assert figures["standard_found"] == 2
    assert figures["standard"] == pytest.approx(98, abs=2.5)


def test_what_is_no_series_is_named(tmp_path: Path) -> None:
    (tmp_path / "series.jsonl").write_text('{"id": "a"}\n')
    with pytest.raises(BadSettings, match=r"series\.jsonl:1"):
        run_anomaly(tmp_path, lambda _: None)


@pytest.mark.shared_data
@pytest.mark.slow
def test_the_benchmarks_series_are_scored_above_what_is_wanted() -> None:
    if not NAB.exists():
        pytest.skip("the data set is not beside the repository")
    figures = run_anomaly(NAB, lambda _: None)
    wanted = {"standard": 66, "reward_low_FP_rate": 60, "reward_low_FN_rate": 70}
    assert all(float(str(figures[name])) >= least for name, least in wanted.items())
