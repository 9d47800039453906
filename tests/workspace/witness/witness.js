"use strict";
// An ordinary app on Slack's own JavaScript framework. It knows nothing of the workspace but an address and two tokens, and
// writes down what it sees as one JSON object per line.

const { App, LogLevel } = require("@slack/bolt");

const [apiUrl, botToken, appToken] = process.argv.slice(2);
const tell = (did, what = {}) => process.stdout.write(JSON.stringify({ did, ...what }) + "\n");
const clientOptions = { slackApiUrl: apiUrl, retryConfig: { retries: 0 }, allowAbsoluteUrls: false };
const app = new App({ token: botToken, appToken, socketMode: true, clientOptions, installerOptions: { clientOptions }, logLevel: LogLevel.WARN });

const text = (words) => ({ type: "plain_text", text: words });
const button = { type: "button", action_id: "approve", text: text("Approve"), value: "act-1" };
const modal = {
  type: "modal",
  callback_id: "why",
  title: text("Why?"),
  submit: text("Send"),
  private_metadata: "act-1",
  blocks: [{ type: "input", block_id: "reason", label: text("Reason"), element: { type: "plain_text_input", action_id: "text" } }],
};

app.event("app_mention", async ({ event, say, context }) => {
  const said = await say({ text: `You said ${event.text}`, thread_ts: event.ts, blocks: [{ type: "actions", block_id: "deed", elements: [button] }] });
  tell("app_mention", { user: event.user, text: event.text, botUserId: context.botUserId, said: said.ok });
});

app.message("plain words", async ({ message }) => tell("message", { channel_type: message.channel_type, text: message.text }));

app.command("/incident", async ({ command, ack, respond }) => {
  await ack();
  await respond({ text: `${command.text}: none open`, response_type: "ephemeral" });
  tell("command", { command: command.command, text: command.text, user: command.user_id });
});

app.action({ block_id: "deed", action_id: "approve" }, async ({ ack, body, action, client }) => {
  await ack();
  const where = { channel: body.channel.id, ts: body.message.ts };
  const changed = await client.chat.update({ ...where, text: `Approved by <@${body.user.id}>`, blocks: [] });
  const opened = await client.views.open({ trigger_id: body.trigger_id, view: modal });
  tell("action", { value: action.value, user: body.user.id, type: body.type, changed: changed.ok, view: opened.view.callback_id });
});

app.view("why", async ({ ack, body, view, client }) => {
  const words = view.state.values.reason.text.value;
  if (words === "no") return ack({ response_action: "errors", errors: { reason: "Say more." } });
  await ack();
  const person = await client.users.info({ user: body.user.id });
  tell("view_submission", { words, kept: view.private_metadata, name: person.user.name, tz: person.user.tz });
});

app.shortcut("open_incident", async ({ shortcut, ack }) => {
  await ack();
  tell("shortcut", { type: shortcut.type, of: shortcut.message.text });
});

app.event("app_home_opened", async ({ event, client }) => {
  const home = { type: "home", blocks: [{ type: "section", text: text("Nothing is open.") }] };
  if (event.tab === "home") await client.views.publish({ user_id: event.user, view: home });
  const prompts = [{ title: "Why?", message: "Why did it happen?" }];
  if (event.tab === "messages") await client.assistant.threads.setSuggestedPrompts({ channel_id: event.channel, prompts });
  tell("app_home_opened", { tab: event.tab, channel: event.channel });
});

app.event("reaction_added", async ({ event, client }) => {
  const thread = { channel: event.item.channel, thread_ts: event.item.ts };
  await client.assistant.threads.setStatus({ channel_id: thread.channel, thread_ts: thread.thread_ts, status: "is looking" });
  const stream = client.chatStream({ ...thread, recipient_user_id: event.user, recipient_team_id: "T0TOCSIN", buffer_size: 1 });
  await stream.append({ markdown_text: "**Because** " });
  await stream.append({ chunks: [{ type: "task_update", id: "t1", title: "Looked", status: "complete" }] });
  const stopped = await stream.stop({ markdown_text: "of v43" });
  const found = await client.conversations.replies({ channel: thread.channel, ts: thread.thread_ts });
  tell("stream", { stopped: stopped.ok, last: found.messages.at(-1).text, reaction: event.reaction });
});

app.error(async (error) => tell("error", { message: String(error.message || error), data: error.data }));

const refusal = (error) => ({ code: error.code, error: error.data && error.data.error });
(async () => {
  await app.start();
  const me = await app.client.auth.test();
  tell("auth.test", { user_id: me.user_id, bot_id: me.bot_id, team_id: me.team_id });
  await app.client.chat.postMessage({ channel: "C0NOWHERE", text: "x" }).catch((error) => tell("refused", refusal(error)));
  const names = [];
  for await (const page of app.client.paginate("conversations.list", { limit: 1 })) names.push(...page.channels.map((c) => c.name));
  tell("channels", { names });
  tell("ready");
})().catch((error) => { tell("failed", { message: String(error) }); process.exit(1); });
process.stdin.resume().on("end", async () => { await app.stop(); process.exit(0); });
