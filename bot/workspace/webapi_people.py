"""Web API: auth.*, bots.*, users.*, usergroups.* and the door to Socket Mode."""

from datetime import UTC
from zoneinfo import ZoneInfo

from bot.workspace import messages
from bot.workspace.config import Persona
from bot.workspace.errors import SlackError
from bot.workspace.state import SLACKBOT, JsonObject
from bot.workspace.webapi import Call, Handler
from bot.workspace.webapi_conversations import page


def persona_json(call: Call, person: Persona) -> JsonObject:
    now = call.site.workspace.clock().astimezone(UTC)
    offset = now.astimezone(ZoneInfo(person.tz)).utcoffset()
    return {
        "id": person.id,
        "team_id": call.site.config.team_id,
        "name": person.name,
        "real_name": person.real_name,
        "deleted": False,
        "tz": person.tz,
        "tz_label": person.tz,
        "tz_offset": int(offset.total_seconds()) if offset else 0,
        "profile": {
            "real_name": person.real_name,
            "display_name": person.name,
            "real_name_normalized": person.real_name,
            "display_name_normalized": person.name,
            "email": person.email,
            "title": person.title,
            "team": call.site.config.team_id,
        },
        "is_admin": person.is_admin,
        "is_owner": False,
        "is_bot": False,
        "is_app_user": False,
        "is_restricted": False,
        "updated": 0,
    }


def _bot_json(call: Call) -> JsonObject:
    bot = call.site.config.bot
    names = {"real_name": bot.real_name, "display_name": bot.name, "bot_id": bot.bot_id, "api_app_id": bot.app_id}
    return {
        "id": bot.user_id,
        "team_id": call.site.config.team_id,
        "name": bot.name,
        "real_name": bot.real_name,
        "deleted": False,
        "tz": "UTC",
        "tz_label": "UTC",
        "tz_offset": 0,
        "profile": {**names, "team": call.site.config.team_id},
        "is_admin": False,
        "is_owner": False,
        "is_bot": True,
        "is_app_user": False,
        "updated": 0,
    }


def _user_json(call: Call, user: str) -> JsonObject:
    if user == call.site.config.bot.user_id:
        return _bot_json(call)
    if user in call.site.workspace.people:
        return persona_json(call, call.site.workspace.people[user])
    if user == SLACKBOT:
        return {"id": SLACKBOT, "name": "slackbot", "real_name": "Slackbot", "is_bot": False, "deleted": False}
    raise SlackError("user_not_found")


async def api_test(call: Call) -> JsonObject:
    if call.text("error", ""):
        raise SlackError(call.text("error"))
    return {"args": {k: v for k, v in call.args.items() if k != "token"}}


async def auth_test(call: Call) -> JsonObject:
    config = call.site.config
    return {
        "url": config.base_url + "/",
        "team": config.team_name,
        "user": config.bot.name,
        "team_id": config.team_id,
        "user_id": config.bot.user_id,
        "bot_id": config.bot.bot_id,
        "app_id": config.bot.app_id,
        "is_enterprise_install": False,
    }


async def connections_open(call: Call) -> JsonObject:
    return {"url": call.site.sockets.ticket()}


async def bots_info(call: Call) -> JsonObject:
    bot = call.site.config.bot
    if call.text("bot", bot.bot_id) != bot.bot_id:
        raise SlackError("bot_not_found")
    return {
        "bot": {
            "id": bot.bot_id,
            "deleted": False,
            "name": bot.name,
            "app_id": bot.app_id,
            "user_id": bot.user_id,
            "icons": {},
        }
    }


async def team_info(call: Call) -> JsonObject:
    config = call.site.config
    return {"team": {"id": config.team_id, "name": config.team_name, "domain": "workspace", "url": config.base_url}}


async def users_info(call: Call) -> JsonObject:
    return {"user": _user_json(call, call.text("user"))}


async def users_profile(call: Call) -> JsonObject:
    return {"profile": _user_json(call, call.text("user", call.site.config.bot.user_id)).get("profile", {})}


async def users_list(call: Call) -> JsonObject:
    some, rest = page(call, [*call.site.workspace.people, call.site.config.bot.user_id])
    return {"members": [_user_json(call, user) for user in some], **rest}


async def users_conversations(call: Call) -> JsonObject:
    user = call.text("user", call.site.config.bot.user_id)
    if not call.site.workspace.is_user(user):
        raise SlackError("user_not_found")
    types = call.text("types", "public_channel").split(",")
    mine = [
        c
        for c in call.site.workspace.channels.values()
        if user in c.members and ("im" in types if c.is_im else "public_channel" in types)
    ]
    some, rest = page(call, mine)
    return {"channels": [messages.channel_json(call.site.workspace, c) for c in some], **rest}


async def lookup_by_email(call: Call) -> JsonObject:
    email = call.text("email").lower()
    person = next((p for p in call.site.config.personas if p.email.lower() == email), None)
    if person is None:
        raise SlackError("users_not_found")
    return {"user": persona_json(call, person)}


async def groups_list(call: Call) -> JsonObject:
    with_users = call.flag("include_users")
    return {
        "usergroups": [
            {
                "id": g.id,
                "team_id": call.site.config.team_id,
                "is_usergroup": True,
                "name": g.name,
                "handle": g.handle,
                "user_count": len(g.users),
                **({"users": list(g.users)} if with_users else {}),
            }
            for g in call.site.config.groups
        ]
    }


async def group_users(call: Call) -> JsonObject:
    group = next((g for g in call.site.config.groups if g.id == call.text("usergroup")), None)
    if group is None:
        raise SlackError("no_such_subteam")
    return {"users": list(group.users)}


METHODS: dict[str, Handler] = {
    "api.test": api_test,
    "auth.test": auth_test,
    "apps.connections.open": connections_open,
    "bots.info": bots_info,
    "team.info": team_info,
    "users.info": users_info,
    "users.profile.get": users_profile,
    "users.list": users_list,
    "users.conversations": users_conversations,
    "users.lookupByEmail": lookup_by_email,
    "usergroups.list": groups_list,
    "usergroups.users.list": group_users,
}
