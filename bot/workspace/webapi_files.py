"""Web API: files in two steps (an upload URL, then sharing), and the doors they come and go through."""

import secrets
from typing import Any

from starlette.datastructures import UploadFile
from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response

from bot.workspace import messages
from bot.workspace.errors import SlackError
from bot.workspace.site import Site
from bot.workspace.state import JsonObject
from bot.workspace.webapi import Call, Handler

MOST_FILE = 20_000_000
# Only these are shown in the page; everything else is handed out as plain text or as a download.
PICTURES = {"png": "image/png", "jpg": "image/jpeg", "jpeg": "image/jpeg", "gif": "image/gif", "webp": "image/webp"}
TEXTS = frozenset({"txt", "log", "md", "json", "csv", "diff", "patch", "yaml", "yml", "py"})


async def get_upload_url(call: Call) -> JsonObject:
    length = call.number("length", 0, least=0, most=10**12)
    if length > MOST_FILE:
        raise SlackError("file_upload_size_restricted")
    ident = call.site.workspace.next_id("F")
    secret = secrets.token_urlsafe(18)
    name = call.text("filename")[:255]
    call.site.workspace.files[ident] = {"id": ident, "name": name, "secret": secret, "content": None}
    return {"upload_url": f"{call.site.config.base_url}/upload/{ident}/{secret}", "file_id": ident}


async def complete_upload(call: Call) -> JsonObject:
    wanted = call.structured("files", "invalid_arguments")
    if not isinstance(wanted, list) or not wanted:
        raise SlackError("invalid_arguments", ["[ERROR] missing required field: files"])
    files = [_finish(call, item) for item in wanted]
    idents = [c for c in call.text("channels", call.text("channel_id", "")).split(",") if c]
    for ident in idents:
        channel = call.site.workspace.find_channel(ident)
        if channel is None:
            raise SlackError("channel_not_found")
        if call.site.config.bot.user_id not in channel.members:
            raise SlackError("not_in_channel")
        text = call.text("initial_comment", "")
        thread_ts = call.text("thread_ts", "") or None
        blocks = call.blocks() or []
        call.site.check_message(text, blocks)
        messages.post_as_app(call.site, channel, text, blocks, thread_ts=thread_ts, files=files)
    return {"files": files}


def _finish(call: Call, item: Any) -> JsonObject:
    file = call.site.workspace.files.get(str(item.get("id")) if isinstance(item, dict) else "")
    if file is None or file["content"] is None:
        raise SlackError("file_not_found")
    file["title"] = str(item.get("title") or file["name"])[:255]
    return file_json(call.site, file)


def file_json(site: Site, file: JsonObject) -> JsonObject:
    extension = extension_of(file["name"])
    url = site.workspace.file_urls().get(file["id"], "")
    return {
        "id": file["id"],
        "name": file["name"],
        "title": file.get("title", file["name"]),
        "mimetype": PICTURES.get(extension, "text/plain" if extension in TEXTS else "application/octet-stream"),
        "filetype": extension,
        "size": len(file["content"] or b""),
        "user": site.config.bot.user_id,
        "mode": "hosted",
        "url_private": url,
        "url_private_download": url,
        "permalink": url,
    }


def extension_of(name: str) -> str:
    return name.rpartition(".")[2].lower() if "." in name else ""


async def info(call: Call) -> JsonObject:
    file = call.site.workspace.files.get(call.text("file"))
    if file is None or file["content"] is None:
        raise SlackError("file_not_found")
    return {"file": file_json(call.site, file)}


async def upload(site: Site, request: Request) -> Response:
    """`POST /upload/{id}/{secret}`: the file's bytes, raw or as a form."""
    file = site.workspace.files.get(request.path_params["id"])
    if file is None or not secrets.compare_digest(file["secret"], request.path_params["secret"]):
        return PlainTextResponse("upload_url_not_found", 404)
    if request.headers.get("content-type", "").startswith("multipart/form-data"):
        parts = [p for p in (await request.form()).values() if isinstance(p, UploadFile)]
        content = await parts[0].read() if parts else b""
    else:
        content = await request.body()
    if len(content) > MOST_FILE:
        return PlainTextResponse("file_too_large", 413)
    file["content"] = content
    return PlainTextResponse(f"OK - {len(content)}")


async def download(site: Site, request: Request) -> Response:
    """`GET /files/{id}/{secret}`: a picture, plain text, or a download; never HTML."""
    file = site.workspace.files.get(request.path_params["id"])
    known = file is not None and secrets.compare_digest(file["secret"], request.path_params["secret"])
    if file is None or not known or file["content"] is None:
        return PlainTextResponse("file_not_found", 404)
    extension = extension_of(file["name"])
    kind = PICTURES.get(extension, "text/plain; charset=utf-8" if extension in TEXTS else "application/octet-stream")
    return Response(file["content"], media_type=kind)


METHODS: dict[str, Handler] = {
    "files.getUploadURLExternal": get_upload_url,
    "files.completeUploadExternal": complete_upload,
    "files.info": info,
}
