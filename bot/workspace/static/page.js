"use strict";
// The page of the local workspace. The server renders every message; this script places the HTML, sends what the person
// does to the HTTP API under /workspace and follows the live feed.

const $ = (selector, root = document) => root.querySelector(selector);
const $$ = (selector, root = document) => [...root.querySelectorAll(selector)];
const EMPTY = { team_id: "", personas: [], channels: [], groups: [], commands: [], shortcuts: [], bot: {} };

const here = { as: "", channel: "", thread: "", message: "", home: false };
let world = EMPTY;
let feed = null;
let modalView = "";
let opened = ""; // the conversation that the app was told of
let loading = 0;
const backlog = [];

// While something is being loaded, what the feed says waits: else a slow answer would undo it.
async function load(work) {
  loading += 1;
  try {
    return await work();
  } finally {
    loading -= 1;
    while (!loading && backlog.length) hear(backlog.shift());
  }
}

// ---- talking to the server -------------------------------------------------------------------------------------------

async function get(path, query = {}) {
  const answer = await fetch(`/page/${path}?` + new URLSearchParams({ as: here.as, ...query }));
  return answer.json();
}

async function act(path, fields) {
  try {
    const answer = await fetch(`/workspace/${path}`, {
      method: "POST",
      headers: { "Content-Type": "application/json" },
      body: JSON.stringify({ as: here.as, ...fields }),
    });
    const body = await answer.json();
    if (!body.ok) toast(body.error);
    else if (body.acked === false && body.status && !body.errors) toast("Not done: " + body.status);
    return body;
  } catch {
    toast("The workspace does not answer.");
    return { ok: false };
  }
}

function toast(text) {
  const note = document.createElement("div");
  note.className = "toast";
  note.textContent = text;
  $("#toasts").append(note);
  setTimeout(() => note.remove(), 6000);
}

// ---- where we are ----------------------------------------------------------------------------------------------------

function readAddress() {
  const query = new URLSearchParams(location.search);
  here.as = query.get("as") || localStorage.getItem("as") || "";
  here.channel = query.get("channel") || "";
  here.thread = query.get("thread") || "";
  here.message = query.get("message") || "";
  here.home = query.get("tab") === "home";
}

function writeAddress(replace = false) {
  const query = new URLSearchParams({ channel: here.channel });
  if (here.home) query.set("tab", "home");
  if (here.thread) query.set("thread", here.thread);
  if (here.message) query.set("message", here.message);
  query.set("as", here.as);
  localStorage.setItem("as", here.as);
  history[replace ? "replaceState" : "pushState"](null, "", "/?" + query);
}

async function arrive() {
  const known = await fetch("/workspace").then((r) => r.json());
  const ids = known.personas.map((p) => p.id);
  if (!ids.includes(here.as)) here.as = ids[0] || "";
  await listen();
  await refresh();
}

const refresh = () => load(async () => {
  world = await get("state");
  const direct = world.channels.find((c) => c.im);
  if (!world.channels.some((c) => c.id === here.channel)) {
    here.channel = direct && here.channel.startsWith("D") ? direct.id : (world.channels[0] || {}).id || "";
    here.thread = "";
  }
  await Promise.all([showMain(), here.thread ? showThread() : hideThread(), showModal()]);
});

async function go(change, replace = false) {
  Object.assign(here, { message: "" }, change);
  writeAddress(replace);
  document.body.classList.remove("nav-open");
  await load(() => Promise.all([showMain(), here.thread ? showThread() : hideThread()]));
}

// ---- the sidebar -----------------------------------------------------------------------------------------------------

function face(person, small) {
  const square = document.createElement("span");
  square.className = `avatar ${person.colour}${small ? " small" : ""}`;
  square.textContent = person.sign;
  square.setAttribute("aria-hidden", "true");
  return square;
}

function entry(label, sign, active, unread, onclick) {
  const item = document.createElement("li");
  const button = document.createElement("button");
  button.type = "button";
  button.className = (active ? "active " : "") + (unread ? "unread" : "");
  if (active) button.setAttribute("aria-current", "page");
  const mark = typeof sign === "string" ? Object.assign(document.createElement("i"), { textContent: sign }) : sign;
  const name = Object.assign(document.createElement("span"), { textContent: label, className: "name" });
  button.append(mark, name);
  if (unread) button.append(Object.assign(document.createElement("span"), { textContent: unread, className: "count" }));
  button.addEventListener("click", onclick);
  item.append(button);
  return item;
}

function drawSidebar() {
  const open = (channel) => () => go({ channel, thread: "", home: false });
  const rooms = world.channels.filter((c) => !c.im);
  const direct = world.channels.find((c) => c.im);
  $("#channels").replaceChildren(
    ...rooms.map((c) => entry(c.name, "#", c.id === here.channel && !here.home, c.unread, open(c.id))),
  );
  const apps = [];
  if (direct) {
    const name = world.bot.name;
    apps.push(entry(name, face(world.bot, true), direct.id === here.channel && !here.home, direct.unread, open(direct.id)));
    apps.push(entry("Home", "⌂", here.home, 0, () => go({ channel: direct.id, thread: "", home: true })));
  }
  $("#apps").replaceChildren(...apps);
  $("#personas").replaceChildren(...world.personas.map(personaButton));
  drawConnection(world.connected);
  const waiting = world.channels.reduce((sum, c) => sum + c.unread, 0);
  document.title = (waiting ? `(${waiting}) ` : "") + $(".team b").textContent;
}

function personaButton(person) {
  const button = document.createElement("button");
  button.type = "button";
  button.setAttribute("role", "radio");
  button.setAttribute("aria-checked", String(person.id === here.as));
  button.dataset.persona = person.id;
  const words = document.createElement("span");
  words.append(
    Object.assign(document.createElement("b"), { textContent: person.name }),
    Object.assign(document.createElement("small"), { textContent: person.title }),
  );
  button.append(face(person), words);
  button.addEventListener("click", () => become(person.id));
  return button;
}

async function become(user) {
  here.as = user;
  here.message = "";
  document.body.classList.remove("nav-open");
  await listen();
  await refresh();
  writeAddress();
}

function drawConnection(connected) {
  const dot = $("#link-state");
  dot.classList.toggle("on", connected > 0);
  dot.title = connected > 0 ? "The app is connected" : "No app is connected";
}

// ---- messages --------------------------------------------------------------------------------------------------------

function fromHtml(html) {
  const box = document.createElement("template");
  box.innerHTML = html.trim();
  return box.content.firstElementChild;
}

const atBottom = (list) => list.scrollHeight - list.scrollTop - list.clientHeight < 120;
const toBottom = (list) => { list.scrollTop = list.scrollHeight; };

async function showMain() {
  drawSidebar();
  const channel = world.channels.find((c) => c.id === here.channel);
  if (!channel) return;
  $("#title").textContent = here.home ? `${world.bot.name} · Home` : channel.im ? world.bot.name : "# " + channel.name;
  $("#topic").textContent = channel.im ? "" : channel.topic;
  $("#messages").hidden = here.home;
  $("#composer").hidden = here.home;
  $("#home").hidden = !here.home;
  $("#prompts").hidden = true;
  $("#status").textContent = "";
  $("#composer textarea").placeholder = "Message " + (channel.im ? world.bot.name : "#" + channel.name);
  if (here.home) {
    opened = "";
    await act("home", {});
    return showHome();
  }
  if (channel.im && opened !== here.channel) act("home", { tab: "messages" });
  opened = here.channel;
  const list = $("#messages");
  const wanted = here.channel + here.as;
  const body = await get("messages", { channel: here.channel });
  if (wanted !== here.channel + here.as || !body.ok) return;
  list.replaceChildren(...body.messages.map((m) => fromHtml(m.html)));
  if (!body.messages.length) list.append(nothingYet(channel));
  drawPrompts(body.suggestions);
  settle(list);
  toBottom(list);
  if (here.message && !here.thread) highlight(list, here.message);
  markRead();
}

// What the app suggests to ask it: a press sends the prompt's words.
function drawPrompts(suggestions) {
  const box = $("#prompts");
  const prompts = suggestions ? suggestions.prompts : [];
  box.hidden = !prompts.length || here.home;
  box.replaceChildren(...prompts.map((prompt) => {
    const button = Object.assign(document.createElement("button"), { type: "button", className: "btn", textContent: prompt.title });
    button.title = prompt.message;
    button.addEventListener("click", () => act("messages", { channel: here.channel, text: prompt.message }));
    return button;
  }));
  if (suggestions && suggestions.title) box.prepend(Object.assign(document.createElement("b"), { textContent: suggestions.title }));
}

function nothingYet(channel) {
  const note = document.createElement("p");
  note.className = "empty";
  note.textContent = channel.im
    ? `This is the start of your direct messages with ${world.bot.name}. Write something, or type / for its commands.`
    : `This is the very beginning of #${channel.name}.`;
  return note;
}

function highlight(list, ts) {
  const message = $(`article[data-ts="${CSS.escape(ts)}"]`, list);
  if (!message) return;
  message.scrollIntoView({ block: "center" });
  message.classList.add("found");
  setTimeout(() => message.classList.remove("found"), 3000);
}

async function showThread() {
  const wanted = here.channel + here.thread + here.as;
  const body = await get("messages", { channel: here.channel, thread_ts: here.thread });
  if (wanted !== here.channel + here.thread + here.as || !body.ok) return;
  const channel = world.channels.find((c) => c.id === here.channel);
  $("#thread-where").textContent = body.title || (channel.im ? world.bot.name : "# " + channel.name);
  const list = $("#replies");
  list.replaceChildren(...body.messages.map((m) => fromHtml(m.html)));
  $("#thread-status").textContent = "";
  showStatus(here.thread, body.status);
  $("#thread").hidden = false;
  document.body.classList.add("with-thread");
  settle(list);
  toBottom(list);
  if (here.message) highlight(list, here.message);
}

function hideThread() {
  $("#thread").hidden = true;
  document.body.classList.remove("with-thread");
}

async function showHome() {
  const body = await get("home");
  const box = $("#home");
  const empty = Object.assign(document.createElement("p"), { className: "empty", textContent: "The app has not published its Home tab yet." });
  box.replaceChildren(body.html ? fromHtml(body.html) : empty);
  localTimes(box);
}

function place(list, notice) {
  const old = $(`article[data-ts="${CSS.escape(notice.ts)}"]`, list);
  if (notice.kind === "deleted") {
    if (old) old.remove();
  } else {
    const stay = atBottom(list);
    const fresh = fromHtml(notice.html);
    if (old) {
      keepOpen(old, fresh);
      old.replaceWith(fresh);
    } else {
      $$(".empty", list).forEach((note) => note.remove());
      const next = $$("article", list).find((m) => m.dataset.ts > notice.ts);
      next ? next.before(fresh) : list.append(fresh);
      fresh.classList.add("new");
    }
    if (stay) toBottom(list);
  }
  settle(list);
}

// An edit must not close a menu that somebody is reading.
function keepOpen(old, fresh) {
  const open = $$("details", old).map((d) => d.open);
  $$("details", fresh).forEach((d, i) => { if (open[i]) d.open = true; });
}

// Times in the reader's zone, day dividers, and messages in a row from one author drawn together.
function settle(list) {
  $$(".day", list).forEach((d) => d.remove());
  let before = null;
  for (const message of $$("article", list)) {
    const time = Number(message.dataset.ts) * 1000;
    const day = new Date(time).toDateString();
    const author = message.dataset.user + message.className.includes("by-app");
    if (!before || before.day !== day) {
      const line = Object.assign(document.createElement("div"), { className: "day" });
      line.append(Object.assign(document.createElement("span"), { textContent: dayName(time) }));
      message.before(line);
      before = null;
    }
    const follows = before && before.author === author && time - before.time < 300000;
    message.classList.toggle("follows", Boolean(follows));
    before = { author, time, day };
  }
  localTimes(list);
}

function dayName(time) {
  const days = Math.round((new Date().setHours(0, 0, 0, 0) - new Date(time).setHours(0, 0, 0, 0)) / 86400000);
  if (days === 0) return "Today";
  if (days === 1) return "Yesterday";
  return new Date(time).toLocaleDateString(undefined, { weekday: "long", day: "numeric", month: "long" });
}

const clock = (date) => date.toLocaleTimeString(undefined, { hour: "2-digit", minute: "2-digit", hourCycle: "h23" });

function localTimes(root) {
  for (const time of $$("time[data-ts]", root)) {
    const date = new Date(Number(time.dataset.ts) * 1000);
    if (time.dataset.format) {
      time.textContent = time.dataset.format
        .replace("{time_secs}", date.toLocaleTimeString(undefined, { hourCycle: "h23" }))
        .replace("{time}", clock(date))
        .replace("{date_num}", date.toISOString().slice(0, 10))
        .replace("{ago}", ago(date))
        .replace(/\{date(_short|_long)?(_pretty)?\}/g, (_, size) =>
          date.toLocaleDateString(undefined, { dateStyle: size === "_short" ? "medium" : size === "_long" ? "full" : "long" }));
    } else {
      time.textContent = clock(date);
      time.title = date.toLocaleString();
    }
  }
}

function ago(date) {
  const minutes = Math.max(0, Math.round((Date.now() - date) / 60000));
  return minutes < 60 ? `${minutes} min ago` : minutes < 1440 ? `${Math.round(minutes / 60)} h ago` : `${Math.round(minutes / 1440)} d ago`;
}

function markRead() {
  const channel = world.channels.find((c) => c.id === here.channel);
  if (!channel || document.hidden || here.home) return;
  channel.unread = 0;
  drawSidebar();
  act("read", { channel: here.channel });
}

// ---- the live feed ---------------------------------------------------------------------------------------------------

// Resolves once the feed is open: what is fetched after that and what the feed says leave no gap.
function listen() {
  if (feed) feed.close();
  const mine = (feed = new EventSource("/page/events?as=" + encodeURIComponent(here.as)));
  return new Promise((open) => {
    let first = true;
    mine.onmessage = (event) => {
      if (mine !== feed) return;
      const notice = JSON.parse(event.data);
      if (notice.kind === "hello" && first) open((first = false));
      else if (notice.kind === "hello") refresh();
      else if (loading) backlog.push(notice);
      else hear(notice);
    };
    mine.onerror = () => { drawConnection(0); open(); };
  });
}

function hear(notice) {
  if (notice.kind === "message" || notice.kind === "deleted") hearMessage(notice);
  else if (notice.kind === "modal") showModal();
  else if (notice.kind === "home") { if (here.home) showHome(); }
  else if (notice.kind === "sockets") { world.connected = notice.connected; drawConnection(notice.connected); }
  else if (notice.kind === "suggestions" && notice.channel === here.channel) showPrompts();
  else if (notice.kind === "title" && notice.channel === here.channel && notice.thread_ts === here.thread) $("#thread-where").textContent = notice.text;
  else if (notice.kind === "status" && notice.channel === here.channel) showStatus(notice.thread_ts, notice.text);
}

function hearMessage(notice) {
  const channel = world.channels.find((c) => c.id === notice.channel);
  if (!channel) return;
  const open = notice.channel === here.channel && !here.home;
  if (open && (notice.top || notice.kind === "deleted")) place($("#messages"), notice);
  if (open && here.thread && (notice.ts === here.thread || notice.thread_ts === here.thread || notice.kind === "deleted")) {
    place($("#replies"), notice);
  }
  if (open && notice.user === world.bot.id) showStatus(notice.thread_ts || "", "");
  if (open && !document.hidden) {
    if (notice.unread) markRead();
  } else if (channel.unread !== notice.unread) {
    channel.unread = notice.unread;
    drawSidebar();
  }
}

async function showPrompts() {
  const wanted = here.channel + here.as;
  const body = await get("messages", { channel: here.channel });
  if (wanted === here.channel + here.as && body.ok) drawPrompts(body.suggestions);
}

// What the app is doing in a thread: under the thread if it is open, else under the channel. Slack drops it after two minutes.
function showStatus(thread, text) {
  for (const line of [$("#status"), $("#thread-status")]) if (line.dataset.about === thread) line.textContent = "";
  if (!text) return;
  const line = thread === here.thread ? $("#thread-status") : $("#status");
  line.dataset.about = thread;
  line.textContent = `${world.bot.name} ${text}`;
  setTimeout(() => { if (line.dataset.about === thread) line.textContent = ""; }, 120000);
}

// ---- buttons, menus, selects -----------------------------------------------------------------------------------------

function target(node) {
  const view = node.closest("[data-view]");
  if (view) return { view_id: view.dataset.view };
  const message = node.closest("article");
  return message ? { channel: message.dataset.channel, ts: message.dataset.ts } : null;
}

async function press(node, value) {
  if (node.dataset.confirm && !(await confirmed(JSON.parse(node.dataset.confirm)))) return;
  const where = target(node);
  if (!where) return;
  const fields = { ...where, action_id: node.dataset.action, block_id: node.dataset.block, value };
  node.classList.add("waiting");
  await act("actions", fields);
  node.classList.remove("waiting");
}

function confirmed(words) {
  const box = $("#confirm");
  $("h2", box).textContent = words.title.text;
  $("p", box).textContent = words.text.text;
  const [no, yes] = $$("button", box);
  no.textContent = words.deny.text;
  yes.textContent = words.confirm.text;
  yes.className = "btn " + (words.style === "danger" ? "danger" : "primary");
  return new Promise((decide) => {
    const done = (answer) => { box.close(); decide(answer); };
    no.onclick = () => done(false);
    yes.onclick = () => done(true);
    box.oncancel = () => decide(false);
    box.showModal();
    no.focus();
  });
}

function valueOf(node) {
  if (node.matches(".choices")) {
    const picked = $$("input:checked", node).map((i) => i.value);
    return node.dataset.kind === "radio_buttons" ? picked[0] || "" : picked;
  }
  if (node.matches("select[multiple]")) return [...node.selectedOptions].map((o) => o.value);
  if (node.type === "datetime-local") return node.value ? String(Math.floor(new Date(node.value).getTime() / 1000)) : "";
  return node.dataset.picked || node.value;
}

document.addEventListener("click", (event) => {
  const node = event.target.closest("button, a, summary, article, .menu");
  $$("details.overflow[open]").forEach((d) => { if (!d.contains(event.target)) d.open = false; });
  if (!node) return;
  const inApp = node.matches("a") && ourAddress(node.href);
  if (inApp) { event.preventDefault(); return follow(inApp); }
  if (node.dataset.react) {
    const mine = node.classList.contains("mine");
    return act("reactions", { ...target(node), name: node.dataset.react, remove: mine });
  }
  if (node.dataset.thread) return go({ thread: node.dataset.thread });
  if (node.dataset.shortcut) return act("shortcuts", { ...target(node), callback_id: node.dataset.shortcut });
  if (node.dataset.close) return act("modals/close", { view_id: node.dataset.close });
  if (node.dataset.action && !node.matches("[data-external]")) {
    const menu = node.closest("details.overflow");
    if (menu) menu.open = false;
    if (node.dataset.url) window.open(node.dataset.url, "_blank", "noopener");
    if (node.matches("button, a")) press(node, node.value || node.getAttribute("value") || "");
  }
});

// A menu at the lower edge is scrolled into sight; "toggle" does not bubble, hence the capture.
document.addEventListener("toggle", (event) => {
  if (event.target.open && event.target.matches(".overflow")) $(".menu", event.target).scrollIntoView({ block: "nearest" });
}, true);

function ourAddress(href) {
  const url = new URL(href, location.href);
  return url.origin === location.origin && url.pathname === "/" && url.searchParams.get("channel") ? url : null;
}

function follow(url) {
  const query = url.searchParams;
  here.message = query.get("message") || "";
  return go({ channel: query.get("channel"), thread: query.get("thread") || "", message: here.message, home: false });
}

document.addEventListener("change", (event) => {
  const node = event.target.closest("[data-action]");
  if (!node || node.matches("[data-external]")) return;
  if (!silent(node)) press(node, valueOf(node));
});

// An input of a modal is sent with the modal, unless its block dispatches every choice.
function silent(node) {
  const block = node.closest(".block.input");
  return block && node.closest("form.modal") && !$("[data-dispatch]", block);
}

let asking = 0;
document.addEventListener("input", async (event) => {
  const node = event.target.closest("[data-external]");
  if (!node) return;
  const number = ++asking;
  const fields = { ...target(node), action_id: node.dataset.action, block_id: node.dataset.block, value: node.value };
  await new Promise((wait) => setTimeout(wait, 250));
  if (number !== asking) return;
  const body = await act("options", fields);
  const box = node.nextElementSibling;
  box.replaceChildren(...(body.options || []).slice(0, 20).map((option) => {
    const line = Object.assign(document.createElement("button"), { type: "button", textContent: option.text.text });
    line.addEventListener("click", () => {
      node.value = option.text.text;
      node.dataset.picked = option.value;
      box.hidden = true;
      if (!node.closest(".block.input") || !silent(node)) press(node, option.value);
    });
    return line;
  }));
  box.hidden = !box.children.length;
});

// ---- modals ----------------------------------------------------------------------------------------------------------

async function showModal() {
  const box = $("#modal");
  const body = await get("modal");
  const form = body.html ? fromHtml(body.html) : null;
  if (!form) {
    modalView = "";
    box.replaceChildren();
    if (box.open) box.close();
    return;
  }
  if (form.dataset.view === modalView) keepTyped(box, form);
  modalView = form.dataset.view;
  box.replaceChildren(form);
  $$("[data-unix]", form).forEach((n) => {
    const date = new Date(Number(n.dataset.unix) * 1000 - new Date().getTimezoneOffset() * 60000);
    if (n.dataset.unix) n.value = date.toISOString().slice(0, 16);
  });
  localTimes(form);
  if (!box.open) box.showModal();
  const first = $(".modal-body input, .modal-body textarea, .modal-body select", form);
  if (first) first.focus();
}

// The server re-renders a view after errors and updates; what the person typed since is kept.
function keepTyped(box, form) {
  for (const old of $$("[data-action]", box)) {
    const same = $(`[data-block="${CSS.escape(old.dataset.block)}"][data-action="${CSS.escape(old.dataset.action)}"]`, form);
    if (!same || !("value" in same) || !old.closest(".block.input") || same.matches("select[multiple]")) continue;
    same.value = old.value;
    if (old.dataset.picked) same.dataset.picked = old.dataset.picked;
  }
}

$("#modal").addEventListener("submit", async (event) => {
  event.preventDefault();
  const values = {};
  for (const node of $$(".block.input [data-action]", event.target)) {
    (values[node.dataset.block] ||= {})[node.dataset.action] = valueOf(node);
  }
  const send = $("button[type=submit]", event.target);
  send.disabled = true;
  await act("modals/submit", { view_id: event.target.dataset.view, values });
  send.disabled = false;
});
$("#modal").addEventListener("cancel", (event) => {
  event.preventDefault();
  if (modalView) act("modals/close", { view_id: modalView });
});

// ---- the composer ----------------------------------------------------------------------------------------------------

async function send(form) {
  const box = $("textarea", form);
  const text = box.value.trim();
  if (!text) return;
  box.value = "";
  fit(box);
  const inThread = form.id === "reply";
  const [, name, rest] = text.match(/^(\/[a-z][\w-]*)\s*([\s\S]*)$/i) || [];
  const shortcut = name && world.shortcuts.find((s) => s.id === name.slice(1));
  if (shortcut) return act("shortcuts", { callback_id: shortcut.id });
  const body = name
    ? await act("commands", { channel: here.channel, command: name, text: rest })
    : await act("messages", { channel: here.channel, text, ...(inThread ? { thread_ts: here.thread } : {}) });
  if (!body.ok) { box.value = text; fit(box); }
  else toBottom(inThread ? $("#replies") : $("#messages"));
}

function fit(box) {
  box.style.height = "auto";
  box.style.height = Math.min(box.scrollHeight, 220) + "px";
}

function offers(box) {
  const text = box.value.slice(0, box.selectionStart);
  const word = (text.match(/(?:^|\s)([@#][\w-]*)$/) || [])[1];
  const command = (box.value.match(/^\/[\w-]*$/) || [])[0];
  if (command !== undefined) {
    const commands = world.commands.map((c) => ({ put: c.name + " ", show: c.name, note: [c.usage, c.description].filter(Boolean).join(" · ") }));
    const shortcuts = world.shortcuts.map((s) => ({ put: "/" + s.id, show: "⚡ " + s.name, note: "shortcut" }));
    return { from: 0, list: [...commands, ...shortcuts].filter((o) => o.put.startsWith(command)) };
  }
  if (!word) return { from: 0, list: [] };
  const names = word[0] === "#"
    ? world.channels.filter((c) => !c.im).map((c) => ({ put: "#" + c.name + " ", show: "#" + c.name, note: c.topic }))
    : [world.bot, ...world.personas, ...world.groups].map((p) => ({ put: `@${p.handle} `, show: "@" + p.handle, note: p.title || p.name }));
  return { from: text.length - word.length, list: names.filter((o) => o.put.startsWith(word.toLowerCase())) };
}

function suggest(form, box) {
  const menu = $(".suggest", form);
  const { from, list } = offers(box);
  menu.replaceChildren(...list.slice(0, 8).map((offer, i) => {
    const line = document.createElement("button");
    line.type = "button";
    line.className = i ? "" : "on";
    line.append(
      Object.assign(document.createElement("b"), { textContent: offer.show }),
      Object.assign(document.createElement("small"), { textContent: offer.note }),
    );
    line.addEventListener("mousedown", (event) => {
      event.preventDefault();
      box.setRangeText(offer.put, from, box.selectionStart, "end");
      menu.hidden = true;
      box.focus();
    });
    return line;
  }));
  menu.hidden = !list.length;
}

function choose(menu, event) {
  const lines = $$("button", menu);
  const at = lines.findIndex((l) => l.classList.contains("on"));
  if (event.key === "ArrowDown" || event.key === "ArrowUp") {
    lines[at].classList.remove("on");
    lines[(at + (event.key === "ArrowDown" ? 1 : lines.length - 1)) % lines.length].classList.add("on");
  } else if (event.key === "Escape") {
    menu.hidden = true;
  } else if (event.key === "Tab" || event.key === "Enter") {
    lines[at].dispatchEvent(new MouseEvent("mousedown"));
  } else {
    return false;
  }
  event.preventDefault();
  return true;
}

for (const form of $$(".composer")) {
  const box = $("textarea", form);
  const menu = $(".suggest", form);
  form.addEventListener("submit", (event) => { event.preventDefault(); send(form); });
  box.addEventListener("input", () => { fit(box); suggest(form, box); });
  box.addEventListener("blur", () => { menu.hidden = true; });
  box.addEventListener("keydown", (event) => {
    if (event.isComposing) return;
    if (!menu.hidden && choose(menu, event)) return;
    if (event.key === "Enter" && !event.shiftKey) { event.preventDefault(); send(form); }
  });
}

// ---- the frame around it ---------------------------------------------------------------------------------------------

function showPanel(open) {
  document.body.classList.toggle("with-panel", open);
  $("#panel-toggle").setAttribute("aria-pressed", String(open));
  localStorage.setItem("panel", open ? "open" : "closed");
}

if (document.body.dataset.panel) {
  const wide = window.matchMedia("(min-width: 1100px)").matches;
  showPanel(wide && localStorage.getItem("panel") !== "closed");
  $("#panel-toggle").addEventListener("click", () => {
    const open = !document.body.classList.contains("with-panel") || Boolean(here.thread);
    if (here.thread) go({ thread: "" });
    showPanel(open);
  });
  $("#panel-close").addEventListener("click", () => showPanel(false));
}
$("#thread-close").addEventListener("click", () => go({ thread: "" }));
$("#menu").addEventListener("click", () => document.body.classList.toggle("nav-open"));
document.addEventListener("keydown", (event) => {
  if (event.key === "Escape" && here.thread && !$("dialog[open]")) go({ thread: "" });
});
document.addEventListener("visibilitychange", () => { if (!document.hidden) markRead(); });
window.addEventListener("popstate", () => { readAddress(); arrive(); });
window.addEventListener("pagehide", () => { if (feed) feed.close(); });

readAddress();
arrive().then(() => writeAddress(true));
