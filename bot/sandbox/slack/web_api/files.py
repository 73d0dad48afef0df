"""The Web API's external upload in three steps: request an address, send the bytes there, complete it, with or without a channel.

As in Slack, a file has no type, and no block may show it, until it has been processed. Files are shared after the answer: `ok` says only
that Slack has taken the request, and sometimes nothing follows.
"""

from __future__ import annotations

import secrets
from dataclasses import replace

from ..backend import Backend, Sharing, Upload
from ..wire import Json, SlackError, text_at
from ..workspace import Channel, Message, UploadedFile
from .calls import Call, Method, as_file
from .chat import thread_in

ALT_TEXT = 1_000  # https://docs.slack.dev/reference/methods/files.getUploadURLExternal#errors


def get_upload_url(call: Call) -> Json:
    length = call.needed("length", "missing_argument")
    if not length.isdigit() or int(length) == 0:
        raise SlackError("invalid_arguments")
    name, alt = call.needed("filename", "missing_argument"), call.text("alt_txt")
    if len(alt) > ALT_TEXT:
        raise SlackError("alt_txt_too_large")
    upload = Upload(f"F{secrets.token_hex(5).upper()}", name, int(length), alt)
    ticket = secrets.token_urlsafe(12)
    call.backend.uploads[ticket] = upload
    return {"upload_url": f"{call.base_url}/upload/v1/{ticket}", "file_id": upload.file_id}


def complete_upload(call: Call) -> Json:
    wanted = call.structure("files")
    if not isinstance(wanted, list) or not wanted:
        raise SlackError("invalid_arguments")
    files = [_received(call, item) for item in wanted if isinstance(item, dict)]
    call.backend.workspace.files |= {file.id: file for file in files}
    if call.text("channel_id"):
        _share(call, _channel(call), files)
    return {"files": [as_file(file, call.base_url) for file in files]}


def file_info(call: Call) -> Json:
    """Each call brings the file nearer to being processed."""
    workspace = call.backend.workspace
    with workspace.lock:
        file = workspace.files.get(call.needed("file", "file_not_found"))
        if file is None:
            raise SlackError("file_not_found")
        workspace.files[file.id] = replace(file, looks_left=max(0, file.looks_left - 1))
        return {"file": as_file(file, call.base_url)}


def _received(call: Call, wanted: Json) -> UploadedFile:
    for upload in call.backend.uploads.values():
        if upload.file_id == wanted.get("id") and upload.content is not None:
            title, looks = text_at(wanted, "title") or upload.name, call.backend.app.looks_at_files
            return UploadedFile(upload.file_id, upload.name, title, upload.content, upload.alt, looks)
    raise SlackError("file_not_found")


def _channel(call: Call) -> Channel:
    channel = call.backend.workspace.channels.get(call.text("channel_id"))
    if channel is None:
        raise SlackError("channel_not_found")
    if channel.is_archived:
        raise SlackError("is_archived")
    if not channel.bot_is_member:
        raise SlackError("not_in_channel")
    return channel


def _share(call: Call, channel: Channel, files: list[UploadedFile]) -> None:
    """All files in one message without metadata, which Slack's method does not support. A file with an `alt_txt` may not arrive."""
    backend, workspace, app = call.backend, call.backend.workspace, call.backend.app
    with workspace.lock:
        if app.shares_lost or any(file.alt for file in files):
            app.shares_lost = max(0, app.shares_lost - 1)
            return
        said = Message(channel.id, "", app.bot_user_id, call.text("initial_comment"), thread_ts=call.text("thread_ts"))
        backend.sharings.append(Sharing(replace(said, files=files), app.shares_after))
        share_what_is_due(backend)


def share_what_is_due(backend: Backend) -> None:
    workspace = backend.workspace
    for sharing in [one for one in backend.sharings if one.looks_left <= 0]:
        backend.sharings.remove(sharing)
        thread = thread_in(workspace, workspace.channels[sharing.said.channel], sharing.said.thread_ts)
        workspace.put(replace(sharing.said, ts=workspace.new_ts(), thread_ts=thread))


def note_look(backend: Backend) -> None:
    """Somebody has read messages: what is on its way comes nearer."""
    with backend.workspace.lock:
        for sharing in backend.sharings:
            sharing.looks_left -= 1
        share_what_is_due(backend)


def delete_file(call: Call) -> Json:
    """Also out of the messages that show it; a message with nothing else goes with it."""
    backend, workspace, wanted = call.backend, call.backend.workspace, call.needed("file", "file_not_found")
    with workspace.lock:
        if workspace.files.pop(wanted, None) is None:
            raise SlackError("file_not_found")
        for sharing in backend.sharings:
            sharing.said = _without(sharing.said, wanted)
        backend.sharings = [one for one in backend.sharings if one.said.files]
        for message in [one for id_ in workspace.channels for one in workspace.messages(id_) if one.files]:
            left = _without(message, wanted)
            if left.files or left.text or left.blocks:
                workspace.put(left)
            else:
                workspace.remove(message)
    return {}


def _without(message: Message, file_id: str) -> Message:
    return replace(message, files=[file for file in message.files if file.id != file_id])


METHODS: dict[str, tuple[Method, str]] = {
    "files.getUploadURLExternal": (get_upload_url, "files:write"),
    "files.completeUploadExternal": (complete_upload, "files:write"),
    "files.info": (file_info, "files:read"),
    "files.delete": (delete_file, "files:write"),
}
