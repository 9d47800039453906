"""What the evidence allows to say: convicted, operational or undetermined. Precision of a conviction comes first."""

from collections.abc import Sequence
from dataclasses import dataclass

from bot.domain.evidence import Confidence, Verdict
from bot.investigation.operational import Finding
from bot.investigation.rank import Scored

CONVICT = 4.5  # points that a conviction needs
MARGIN = 1.5  # points ahead of the next suspect
HEARD = 2.0  # points that telemetry itself must vouch for
EXPLAINS = 2.8  # points of content with which a change explains what looks operational
NAMED = 4.0  # points of telemetry that leave no doubt that a change has to do with it, whatever rules say of it
SURE = 8.0


@dataclass(frozen=True, slots=True)
class Judgement:
    """The verdict, how sure, and whom or what it names."""

    verdict: Verdict
    confidence: Confidence
    guilty: Scored | None = None
    finding: Finding | None = None


def judge(suspects: Sequence[Scored], findings: Sequence[Finding], outside: Finding | None = None) -> Judgement:
    """The verdict on suspects (best first, none ruled out), operational findings (surest first), and what else points outside."""
    best = suspects[0] if suspects else None
    finding = findings[0] if findings else None
    if finding and (finding.specific or not best or not _explains(best)):
        return Judgement(Verdict.OPERATIONAL, Confidence.STRONG if finding.specific else Confidence.LIKELY, None, finding)
    if best and _guilty(best, suspects[1:]):
        confidence = Confidence.STRONG if best.candidate.score >= SURE else Confidence.LIKELY
        return Judgement(Verdict.CONVICTED, confidence, best, None)
    if outside and not (best and best.candidate.score >= CONVICT):
        return Judgement(Verdict.OPERATIONAL, Confidence.LIKELY, None, outside)
    likely = best is not None and best.candidate.score >= CONVICT
    return Judgement(Verdict.UNDETERMINED, Confidence.LIKELY if likely else Confidence.WEAK, None, None)


def _guilty(best: Scored, others: Sequence[Scored]) -> bool:
    """Strong, ahead of the others, vouched for by telemetry, and saying more than where and when."""
    ahead = best.candidate.score - max((s.candidate.score for s in others), default=0.0)
    return best.candidate.score >= CONVICT and ahead >= MARGIN and best.heard >= HEARD and best.shipment.at is not None


def _explains(best: Scored) -> bool:
    """The change explains by its content what would otherwise look operational, or telemetry names it outright."""
    return (best.content >= EXPLAINS and best.heard >= HEARD) or best.heard >= NAMED
