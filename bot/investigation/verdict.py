"""What the evidence allows to say: convicted, operational or undetermined. Precision of a conviction comes first."""

from collections.abc import Sequence
from dataclasses import dataclass

from bot.domain.evidence import Candidate, Confidence, Verdict
from bot.domain.learning import SHIPPED, Weights
from bot.domain.reckoning import Bar
from bot.investigation.operational import Finding
from bot.investigation.rank import Scored
from bot.investigation.weights import bare, lead

CONVICT = 4.5  # points that a conviction needs
MARGIN = 1.5  # points ahead of the next suspect
HEARD = 2.0  # points that telemetry itself must vouch for
EXPLAINS = 2.8  # points of content with which a change explains what looks operational
NAMED = 4.0  # points of telemetry that leave no doubt that a change has to do with it, whatever rules say of it
SURE = 8.0
STRONG, LIKELY = 0.9, 0.5  # shares of right that these words promise, once they were learned


@dataclass(frozen=True, slots=True)
class Judgement:
    """The verdict, how sure, and whom or what it names."""

    verdict: Verdict
    confidence: Confidence
    guilty: Scored | None = None
    finding: Finding | None = None


def judge(
    suspects: Sequence[Scored], findings: Sequence[Finding], outside: Finding | None = None, weights: Weights = SHIPPED
) -> Judgement:
    """The verdict on suspects (best first, none ruled out), operational findings (surest first), and what else points outside."""
    best = suspects[0] if suspects else None
    finding = findings[0] if findings else None
    if finding and (finding.specific or not best or not _explains(best)):
        return Judgement(Verdict.OPERATIONAL, Confidence.STRONG if finding.specific else Confidence.LIKELY, None, finding)
    candidates = [s.candidate for s in suspects]
    if best and convicts(candidates, weights):
        return Judgement(Verdict.CONVICTED, word(candidates, weights, convicted=True), best, None)
    if outside and not (best and best.candidate.score >= CONVICT):
        return Judgement(Verdict.OPERATIONAL, Confidence.LIKELY, None, outside)
    return Judgement(Verdict.UNDETERMINED, word(candidates, weights, convicted=False), None, None)


def convicts(suspects: Sequence[Candidate], weights: Weights = SHIPPED) -> bool:
    """The first is guilty: strong, ahead of the others, vouched for by telemetry, and saying more than where and when."""
    return bool(suspects) and suspects[0].shipped_at is not None and all(bar.met for bar in bars(suspects, weights))


def bars(suspects: Sequence[Candidate], weights: Weights = SHIPPED) -> tuple[Bar, ...]:
    """What a conviction of the first suspect needs, and what there is."""
    if not suspects:
        return ()
    best = suspects[0]
    needed = (
        Bar("points of the first suspect", CONVICT, best.score),
        Bar("points ahead of the next", max(MARGIN, weights.margin), lead(suspects)),
        Bar("points that telemetry vouches for", HEARD, best.heard),
    )
    if not weights.rules or not weights.strict:
        return needed
    shipped = [bare(s) for s in suspects]
    return (
        *needed,
        Bar("points with the shipped weights", CONVICT, shipped[0].score),
        Bar("points ahead with the shipped weights", MARGIN, lead(shipped)),
    )


def word(suspects: Sequence[Candidate], weights: Weights, *, convicted: bool) -> Confidence:
    """How sure, in a word: by how often such a lead was right where that was learned, else by points."""
    points = suspects[0].score if suspects else 0.0
    if weights.calibration is None or not suspects:
        strong, likely = points >= SURE, points >= CONVICT
    else:
        chance = weights.calibration.chance(lead(suspects))
        strong, likely = chance >= STRONG, chance >= LIKELY
    if convicted:
        return Confidence.STRONG if strong else Confidence.LIKELY
    return Confidence.LIKELY if likely else Confidence.WEAK


def _explains(best: Scored) -> bool:
    """The change explains by its content what would otherwise look operational, or telemetry names it outright."""
    return (best.content >= EXPLAINS and best.heard >= HEARD) or best.heard >= NAMED
