"""How the verdict fell, as plain values: thresholds and what there was, other causes, whose own the trouble is."""

from collections.abc import Sequence

from bot.domain.evidence import Candidate, Verdict
from bot.domain.learning import Weights
from bot.domain.reckoning import Considered, Reckoning, Share
from bot.investigation.nodes.of_case import sentence
from bot.investigation.nodes.ranking import Blame
from bot.investigation.operational import Finding
from bot.investigation.rank import Scored
from bot.investigation.verdict import CONVICT, EXPLAINS, HEARD, NAMED, Judgement, bars
from bot.investigation.weights import lead

NODES = 8


def reckon(
    judgement: Judgement,
    ranked: Sequence[Scored],
    findings: Sequence[Finding],
    elsewhere: Finding | None,
    blames: Sequence[Blame],
    weights: Weights,
) -> Reckoning:
    """What is kept of one judgement for `tocsin diagnose --explain`; `elsewhere` is what else points outside."""
    suspects = [s.candidate for s in ranked if not s.candidate.ruled_out]
    calibration = weights.calibration
    return Reckoning(
        bars=bars(suspects, weights),
        considered=tuple(
            _considered(f, judgement, suspects, of_structure=f is elsewhere)
            for f in (*findings, *([elsewhere] if elsewhere else []))
        ),
        nodes=tuple(Share(b.service, round(b.score, 3), sentence(b)) for b in blames[:NODES]),
        suspects=len(suspects),
        ruled_out=len(ranked) - len(suspects),
        weights=weights.version,
        chance=round(calibration.chance(lead(suspects)), 3) if calibration and suspects else None,
    )


def _considered(finding: Finding, judgement: Judgement, suspects: Sequence[Candidate], *, of_structure: bool) -> Considered:
    best = suspects[0] if suspects else None
    if judgement.finding is finding:
        outcome = "is the cause: it proves itself" if finding.specific else "is the cause: no change explains the same"
    elif judgement.verdict is Verdict.OPERATIONAL or best is None:
        outcome = "another cause is surer"
    elif of_structure:
        outcome = f"yields to the first suspect, which has {best.score:.2f} points; it takes {CONVICT:.2f}"
    else:
        outcome = (
            f"yields to the first suspect: its content has {best.content:.2f} points (it takes {EXPLAINS:.2f}, with {HEARD:.2f} "
            f"that telemetry vouches for) or telemetry vouches for {best.heard:.2f} (it takes {NAMED:.2f})"
        )
    return Considered(finding.name, finding.fact.text, finding.strength, finding.fact.cites, outcome)
