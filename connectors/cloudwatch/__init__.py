"""Amazon CloudWatch: alarms through an SNS topic, numbers of a service's resources by its API."""

from pydantic import BaseModel

from bot.ports import Connector, EvidenceSource
from bot.wire.sns import SnsWebhook
from connectors.cloudwatch.alarms import NAME, events
from connectors.cloudwatch.metrics import CloudWatchMetrics, CloudWatchSettings

__all__ = ["CONNECTOR", "NAME", "CloudWatchMetrics", "CloudWatchSettings"]


def _source(settings: BaseModel) -> EvidenceSource | None:
    own = settings if isinstance(settings, CloudWatchSettings) else None
    return CloudWatchMetrics(own) if own and own.region and own.access_key_id and own.secret_access_key else None


CONNECTOR = Connector(
    name=NAME,
    title="Amazon CloudWatch",
    settings=CloudWatchSettings,
    help='No secret: topics = ["arn:aws:sns:…"] under [connectors.cloudwatch] are the SNS topics that may speak',
    webhook=SnsWebhook(events),
    evidence=_source,
)
