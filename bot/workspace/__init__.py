"""A local Slack-compatible workspace: a Web API, Socket Mode and a page for people, all on loopback.

An unmodified Slack app connects to it. It knows nothing of the bot: everything it needs comes in a `WorkspaceConfig`.

    config.py        WorkspaceConfig and the settings that connect a bot
    state.py         channels, messages, views, files: all in memory
    webapi*.py       Slack's Web API, one file per family of methods
    socketmode.py    the sockets an app opens; delivery.py: envelopes, acks, retries, signed HTTP
    interactions.py  what a person does, modals.py too; persona_api.py and readings.py: the same over HTTP
    limits.py        what Slack refuses (sizes.py: the numbers; structure.py: against a schema)
    render.py        Block Kit to HTML (mrkdwn.py: Slack's text); page.py: the page
    server.py        create_app() and serve()
"""
