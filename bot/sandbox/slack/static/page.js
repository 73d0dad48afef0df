// The page's memory and its conversation with the sandbox: asks for changes every second, sends what a person does.

import { confirmed, showView } from "./dialogs.js";
import { element, initials, tone } from "./elements.js";
import { showHome, showShortcuts } from "./home.js";
import { showMessages } from "./messages.js";

const at = (id) => document.getElementById(id);
const SECOND = 1000;
const memory = { person: "", channel: "", thread: "", revision: "", state: null, read: {}, target: "", tab: "messages" };

const names = {
  person: (id) => memory.state.people.find((person) => person.id === id)?.real_name ?? (id === memory.state.bot.id ? memory.state.bot.name : undefined),
  people: () => memory.state.people,
  channel: (id) => memory.state.channels.find((channel) => channel.id === id)?.name,
  group: (id) => memory.state.groups[id],
};

const deeds = {
  async press(message, part, chosen) {
    if (part.confirm && !(await confirmed(part.confirm, names))) return;
    const pressed = [...document.querySelectorAll(`[data-ts="${message.ts}"] [data-action-id="${CSS.escape(part.action_id)}"]`)];
    pressed.forEach((node) => node.setAttribute("aria-busy", "true"));
    const done = await send("click", { channel: memory.state.channel, ts: message.ts, action_id: part.action_id, chosen });
    pressed.forEach((node) => node.removeAttribute("aria-busy"));
    if (done.trouble) toast(done.trouble);
  },
  shortcuts: () => memory.state.message_shortcuts,
  async useShortcut(message, shortcut) {
    const done = await send("message_shortcut", { channel: memory.state.channel, ts: message.ts, callback_id: shortcut.callback_id });
    if (done.trouble) toast(done.trouble);
  },
  async pressView(view, part, chosen, values) {
    if (part.confirm && !(await confirmed(part.confirm, names))) return;
    const done = await send("press", { view_id: view.id, action_id: part.action_id, chosen, values });
    if (done.trouble) toast(done.trouble);
  },
  suggest: (view, part, typed, values) => send("suggest", { view_id: view.id, action_id: part.action_id, typed, values }),
  openThread(message) {
    memory.thread = message.thread_ts ?? message.ts;
    draw();
    at("reply-text").focus();
  },
  submit: (view, values) => send("submit", { view_id: view.id, values }),
  close: (view) => send("close", { view_id: view.id }),
};

async function send(deed, body) {
  const response = await fetch(`/_sandbox/${deed}`, {
    method: "POST",
    headers: { "Content-Type": "application/json" },
    body: JSON.stringify({ person: memory.person, ...body }),
  }).catch(() => null);
  const done = response ? await response.json() : { error: "The sandbox does not answer. Is it still running?" };
  if (done.error) toast(done.error);
  await refresh();
  return done;
}

async function refresh() {
  const { person, channel } = memory;
  const query = new URLSearchParams({ person, channel, revision: memory.revision });
  const response = await fetch(`/_sandbox/state?${query}`).catch(() => null);
  document.body.classList.toggle("offline", response === null);
  if (response?.status !== 200) return;
  const state = await response.json();
  if (person !== memory.person || channel !== memory.channel) return; // the person has moved on meanwhile
  memory.state = state;
  memory.revision = String(state.revision);
  memory.person = state.me;
  memory.channel = state.channel;
  draw();
}

function draw() {
  const { state } = memory;
  const current = state.channels.find((channel) => channel.id === state.channel);
  memory.read[current.id] = current.latest;
  document.title = `${titleOf(current)} · ${state.workspace}`;
  at("workspace-name").textContent = state.workspace;
  at("channel-name").textContent = titleOf(current);
  at("channel-note").textContent = noteOn(current);
  at("composer-text").placeholder = `Message ${titleOf(current)}`;
  at("composer-text").disabled = false; // until now there was no channel to send to
  drawActors();
  drawChannels();
  const top = state.messages.filter((message) => !message.thread_ts || message.is_broadcast || message.thread_ts === message.ts || (message.only_for_you && !memory.thread));
  showMessages(at("messages"), top, names, deeds);
  drawThread();
  drawTabs(current);
  showShortcuts(at("shortcuts"), at("shortcut-list"), state.shortcuts, runShortcut);
  showView(state.view, names, deeds);
  showTarget();
}

function drawTabs(current) {
  const isHome = current.is_direct && memory.state.has_home && memory.tab === "home";
  at("tabs").hidden = !(current.is_direct && memory.state.has_home);
  at("tab-home").setAttribute("aria-pressed", String(isHome));
  at("tab-messages").setAttribute("aria-pressed", String(!isHome));
  at("home").hidden = !isHome;
  at("scroller").hidden = at("composer").hidden = isHome;
  if (isHome) showHome(at("home"), memory.state.home, names, deeds);
}

async function runShortcut(callback_id) {
  const done = await send("shortcut", { callback_id });
  if (done.trouble) toast(done.trouble);
}

async function openTab(tab) {
  memory.tab = tab;
  draw();
  const done = tab === "home" ? await send("home", {}) : {};
  if (done.trouble) toast(done.trouble);
}

function titleOf(channel) {
  return channel.is_direct ? memory.state.bot.name : `# ${channel.name}`;
}

function noteOn(channel) {
  const road = memory.state.bot.by_socket ? "connected by Socket Mode" : "listening over HTTP";
  return channel.is_direct ? `Direct message · app, ${road}` : `${memory.state.people.length} people and ${memory.state.bot.name}, ${road}`;
}

function drawActors() {
  const people = memory.state.people.filter((person) => memory.state.actors.includes(person.id));
  const select = at("actor");
  if (select.options.length !== people.length) {
    select.replaceChildren(...people.map((person) => element("option", { value: person.id }, person.real_name)));
  }
  select.value = memory.person;
  at("actor-avatar").className = `avatar small ${tone(memory.person)}`;
  at("actor-avatar").textContent = initials(names.person(memory.person));
}

function drawChannels() {
  for (const [list, wanted] of [[at("channels"), false], [at("directs"), true]]) {
    const channels = memory.state.channels.filter((channel) => channel.is_direct === wanted);
    const key = JSON.stringify([channels, memory.channel]);
    if (list.drawn === key) continue;
    const hadFocus = list.contains(document.activeElement);
    list.drawn = key;
    list.replaceChildren(...channels.map((channel) => element("li", {}, channelButton(channel))));
    if (hadFocus) list.querySelector("[aria-current]")?.focus();
  }
}

function channelButton(channel) {
  const isCurrent = channel.id === memory.channel;
  const isNew = !isCurrent && channel.latest > (memory.read[channel.id] ?? "");
  const mark = channel.is_direct ? element("span", { class: "avatar tiny app", "aria-hidden": "true" }) : element("span", { class: "hash", "aria-hidden": "true" }, "#");
  const name = channel.is_direct ? memory.state.bot.name : channel.name;
  const dot = isNew ? element("span", { class: "dot", title: "New messages" }, element("span", { class: "hidden" }, "new messages")) : null;
  const attributes = { type: "button", class: isNew ? "unread" : "", "aria-current": isCurrent ? "page" : null };
  return element("button", { ...attributes, onclick: () => go({ channel: channel.id, thread: "", tab: "messages" }) }, mark, name, dot);
}

function drawThread() {
  const thread = memory.state.messages.filter((message) => memory.thread && (message.ts === memory.thread || message.thread_ts === memory.thread));
  at("thread").hidden = thread.length === 0;
  showMessages(at("replies"), thread.map((message) => ({ ...message, reply_count: 0 })), names, deeds);
}

function showTarget() {
  // A permalink's message is brought into view and marked once.
  const row = memory.target && document.querySelector(`[data-ts="${memory.target}"]`);
  if (!row) return;
  memory.target = "";
  row.classList.add("target");
  row.scrollIntoView({ block: "center" });
}

function go(change) {
  Object.assign(memory, change, { revision: "" });
  sessionStorage.setItem("person", memory.person);
  refresh();
}

function toast(text) {
  const note = element("p", { class: "toast" }, text);
  at("toasts").append(note);
  setTimeout(() => note.remove(), 6 * SECOND);
}

function composes(form, box, say) {
  box.addEventListener("keydown", (event) => {
    if (event.key !== "Enter" || event.shiftKey || event.isComposing) return;
    event.preventDefault();
    form.requestSubmit();
  });
  form.addEventListener("submit", (event) => {
    event.preventDefault();
    const text = box.value.trim();
    box.value = "";
    if (text) say(text);
  });
}

function sayInChannel(text) {
  const channel = memory.channel;
  const [command, rest] = [text.split(/\s/, 1)[0], text.replace(/^\S+\s*/, "")];
  return text.startsWith("/") ? send("command", { channel, command, text: rest }) : send("say", { channel, text });
}

function remembered() {
  const [, channel, ts] = location.pathname.match(/^\/archives\/([^/]+)\/p(\d+)/) ?? [];
  const query = new URLSearchParams(location.search);
  memory.person = query.get("as") ?? sessionStorage.getItem("person") ?? "";
  memory.channel = channel ?? "";
  memory.thread = query.get("thread_ts") ?? "";
  memory.target = ts ? `${ts.slice(0, -6)}.${ts.slice(-6)}` : "";
}

async function keepUpToDate() {
  if (!document.hidden) await refresh();
  setTimeout(keepUpToDate, SECOND);
}

at("actor").addEventListener("change", (event) => go({ person: event.target.value, channel: memory.state.channels.find((channel) => channel.id === memory.channel)?.is_direct ? "" : memory.channel, thread: "", tab: "messages" }));
at("tab-home").addEventListener("click", () => openTab("home"));
at("tab-messages").addEventListener("click", () => openTab("messages"));
at("close-thread").addEventListener("click", () => go({ thread: "" }));
composes(at("composer"), at("composer-text"), sayInChannel);
composes(at("reply-composer"), at("reply-text"), (text) => send("say", { channel: memory.channel, text, thread_ts: memory.thread }));
remembered();
keepUpToDate();
