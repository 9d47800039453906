"""AWS CloudFormation: events of stacks, through an SNS topic that the stacks notify.

Format: https://docs.aws.amazon.com/AWSCloudFormation/latest/UserGuide/monitor-stack-events.html, lines of Name='value'.
The proof is Amazon's signature, and the topics named in the settings; see bot.wire.sns.
"""

import re
from collections.abc import Iterator

from bot.domain.change import Change, ChangeKind, ChangeStatus
from bot.domain.payload import Node, scrubbed
from bot.domain.vocabulary import line
from bot.errors import BadPayload
from bot.ports import Connector, Event, Ignored
from bot.wire.sns import Notification, SnsSettings, SnsWebhook

NAME = "cloudformation"
STACK = "AWS::CloudFormation::Stack"
_FIELD = re.compile(r"^([A-Za-z]{1,40})='(.*?)'$", re.MULTILINE)
_UNKNOWN = ("", "null", "undefined")
_FAILED = ("_FAILED", "ROLLBACK_COMPLETE")


def _read(notification: Notification) -> Iterator[Event]:
    """What happened to a stack as a whole; its single resources are ignored."""
    text = notification.message.text()
    told = {key: scrubbed(value) for key, value in _FIELD.findall(text[:200_000])}
    if not {"StackId", "ResourceStatus", "ResourceType"} <= told.keys():
        raise BadPayload("lines like StackId='...' and ResourceStatus='...' are documented", path="$.Message")
    stack, state = told.get("StackName", "")[:100] or told["StackId"][:100], told["ResourceStatus"][:60]
    if told["ResourceType"] != STACK or told.get("PhysicalResourceId", told["StackId"]) != told["StackId"]:
        yield Ignored(f"{stack}: {told['ResourceType'][:60]} {state}")
        return
    token, status = told.get("ClientRequestToken", "")[:128], _status(state)
    if token in _UNKNOWN and status in (ChangeStatus.PENDING, ChangeStatus.RUNNING):
        yield Ignored(f"{stack}: {state}; without a ClientRequestToken only the end of an operation is told")
        return
    turn = told.get("EventId", "")[:100] if token in _UNKNOWN else token
    yield Change(
        id=f"{NAME}:{told['StackId'].rpartition(':')[2][:170]}:{turn}",
        connector=NAME,
        kind=ChangeKind.INFRASTRUCTURE,
        status=status,
        at=Node(told.get("Timestamp"), "$.Message.Timestamp").time() or notification.at,
        title=line(f"stack {stack} {state}" + _because(told.get("ResourceStatusReason", ""))),
        services=(stack,),
        url=_page(told["StackId"]),
    )


def _status(state: str) -> ChangeStatus:
    if state.endswith(_FAILED):
        return ChangeStatus.FAILED
    if state == "REVIEW_IN_PROGRESS":
        return ChangeStatus.PENDING
    return ChangeStatus.SUCCEEDED if state.endswith("_COMPLETE") else ChangeStatus.RUNNING


def _because(reason: str) -> str:
    return f": {reason}" if reason.strip() and reason not in _UNKNOWN else ""


def _page(stack_id: str) -> str:
    """The stack's page in the console of its region."""
    found = re.fullmatch(r"arn:aws:cloudformation:([a-z0-9-]{4,40}):\d{12}:stack/[\w./-]{1,300}", stack_id)
    base = f"https://{found[1]}.console.aws.amazon.com/cloudformation/home?region={found[1]}" if found else ""
    return f"{base}#/stacks/stackinfo?stackId={stack_id}" if base else ""


CONNECTOR = Connector(
    name=NAME,
    title="AWS CloudFormation",
    settings=SnsSettings,
    help="no secret: topics are the ARNs of the SNS topics that the stacks notify",
    webhook=SnsWebhook(_read),
)
