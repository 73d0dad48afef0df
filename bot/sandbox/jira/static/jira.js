// The ticket and board pages: acts through the sandbox's JSON routes and shows what changed, without reloading under someone's hands.
"use strict";

const REFRESH_MILLISECONDS = 1500;
const person = document.getElementById("person");
const notice = document.getElementById("notice");
let revision = null;

person.value = localStorage.getItem("person") || person.value;
if (!person.value) person.selectedIndex = 0;
person.addEventListener("change", () => localStorage.setItem("person", person.value));

function say(text) {
  notice.textContent = text;
  notice.classList.toggle("shown", Boolean(text));
}

async function ask(method, path, body) {
  const options = { method, headers: { "Content-Type": "application/json" }, body: body && JSON.stringify(body) };
  const answer = await fetch(path, options);
  if (answer.ok) return answer.json();
  const refusal = await answer.json().catch(() => ({}));
  const words = [...(refusal.errorMessages || []), ...Object.values(refusal.errors || {})];
  throw new Error(words.join(" ") || `Jira answered ${answer.status}.`);
}

async function refresh() {
  const page = await (await fetch(location.href)).text();
  const fresh = new DOMParser().parseFromString(page, "text/html").getElementById("content");
  const content = document.getElementById("content");
  const draft = document.getElementById("text");
  const held = draft && { text: draft.value, focused: document.activeElement === draft };
  content.replaceChildren(...fresh.childNodes);
  const again = document.getElementById("text");
  if (held && again) {
    again.value = held.text;
    if (held.focused) again.focus();
  }
}

function busy() {
  return document.querySelector("dialog[open]") !== null;
}

async function watch() {
  try {
    const now = (await ask("GET", "/_sandbox/revision")).revision;
    if (revision !== null && now !== revision && !busy()) await refresh();
    if (!busy()) revision = now;
    if (notice.dataset.lost) { delete notice.dataset.lost; say(""); }
  } catch {
    notice.dataset.lost = "yes";
    say("The sandbox does not answer. This page goes on by itself when it is back.");
  }
  setTimeout(watch, REFRESH_MILLISECONDS);
}

async function act(method, path, body) {
  say("");
  try {
    await ask(method, path, body);
    await refresh();
  } catch (error) {
    say(error.message);
  }
}

function ticketPath() {
  return `/_sandbox/issues/${encodeURIComponent(document.querySelector(".ticket").dataset.key)}`;
}

const DOES = {
  transition: (button) => act("POST", `${ticketPath()}/transition`, { name: button.dataset.name, person: person.value }),
  screen: (button) => {
    const dialog = document.getElementById("screen");
    dialog.dataset.name = button.dataset.name;
    document.getElementById("screen-title").textContent = button.dataset.name;
    dialog.showModal();
  },
  approval: (button) =>
    act("POST", `${ticketPath()}/approvals/${button.dataset.name}`, { decision: button.dataset.decision, person: person.value }),
  ask: () => act("POST", `${ticketPath()}/approvals`, { person: person.value }),
  move: (button) => act("POST", `${ticketPath()}/project`, { project: button.dataset.name, person: person.value }),
  edit: () => {
    const summary = prompt("Title", document.querySelector(".ticket h1").textContent);
    if (summary) act("POST", `${ticketPath()}/text`, { summary, person: person.value });
  },
  close: () => document.getElementById("screen").close(),
  delete: async () => {
    if (!confirm("Delete this ticket for good?")) return;
    await act("DELETE", `${ticketPath()}?person=${encodeURIComponent(person.value)}`);
  },
};

document.addEventListener("click", (event) => {
  const button = event.target.closest("button[data-does]");
  if (button) DOES[button.dataset.does](button);
});

document.addEventListener("submit", (event) => {
  event.preventDefault();
  const form = event.target;
  if (form.dataset.does === "comment") {
    const text = form.elements.text.value;
    form.elements.text.value = "";
    act("POST", `${ticketPath()}/comments`, { text, person: person.value });
    return;
  }
  const dialog = form.closest("dialog");
  dialog.close();
  act("POST", `${ticketPath()}/transition`, { name: dialog.dataset.name, person: person.value, resolution: form.elements.resolution.value, comment: form.elements.why.value });
  form.elements.why.value = "";
});

watch();
