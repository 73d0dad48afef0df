// The two dialogs: "are you sure" before a click is sent, and the modals that a bot opens. Both are <dialog>s, which keep the focus inside.

import { collected, drawBlocks, drawText } from "./blocks.js";
import { element } from "./elements.js";

const confirmDialog = document.getElementById("confirm");
const modal = document.getElementById("modal");
let shown = null;

export function confirmed(wanted, names) {
  // Resolves to true when the person agrees; Escape and the other button mean no.
  return new Promise((resolve) => {
    const answer = (yes) => {
      confirmDialog.close();
      resolve(yes);
    };
    const style = wanted.style ?? "primary";
    confirmDialog.replaceChildren(
      element("h2", { id: "confirm-title" }, wanted.title.text),
      element("div", { class: "words" }, drawText(wanted.text, names)),
      element(
        "div",
        { class: "choices-row" },
        element("button", { type: "button", class: "button", onclick: () => answer(false) }, wanted.deny.text),
        element("button", { type: "button", class: `button ${style}`, autofocus: true, onclick: () => answer(true) }, wanted.confirm.text),
      ),
    );
    confirmDialog.oncancel = (event) => {
      event.preventDefault();
      answer(false);
    };
    confirmDialog.showModal();
  });
}

export function showView(view, names, deeds) {
  // Redraws only when the bot changed the view, so that nothing half typed is lost.
  const key = view && `${view.id} ${view.hash}`;
  if (key !== shown) {
    shown = key;
    if (view) open(view, names, deeds);
    else modal.close();
  }
  if (view) showErrors(view.errors);
}

function open(view, names, deeds) {
  const { content } = view;
  const before = filledIn(view);
  const trouble = element("p", { class: "trouble", role: "alert" });
  const form = element(
    "form",
    { novalidate: true },
    element("header", {}, element("h2", { id: "modal-title" }, content.title.text), closeButton(view, deeds, "✕", "Close", "quiet")),
    element("div", { class: "content" }, drawBlocks(content.blocks, names, acting(view, deeds))),
    trouble,
    element("footer", {}, closeButton(view, deeds, content.close?.text ?? "Cancel", null, "button"), submitButton(content)),
  );
  form.addEventListener("submit", (event) => {
    event.preventDefault();
    submit(form, view, trouble, deeds);
  });
  modal.replaceChildren(form);
  modal.dataset.viewId = view.id;
  fillIn(before);
  modal.oncancel = (event) => {
    event.preventDefault();
    deeds.close(view);
  };
  if (!modal.open) modal.showModal();
  const fields = [...modal.querySelectorAll(".input textarea, .input input, .input select")];
  const next = before.length ? fields.find((field) => !field.value) : fields[0];
  (next ?? modal.querySelector(".primary"))?.focus();
}

function acting(view, deeds) {
  const values = () => collected(modal.querySelector("form"));
  const act = (part, chosen) => deeds.pressView(view, part, chosen, values());
  act.search = (part, typed) => deeds.suggest(view, part, typed, values());
  return act;
}

function filledIn(view) {
  // What is typed stays when the bot updates the view, in blocks that are still there: as Slack does it.
  if (!modal.open || modal.dataset.viewId !== view.id) return [];
  return [...modal.querySelectorAll("[data-block-id] :is(textarea, select, input[type=text])")].map((input) => ({
    block: input.closest("[data-block-id]").dataset.blockId, action: input.dataset.actionId, value: input.value, chosen: input.dataset.value,
  }));
}

function fillIn(before) {
  for (const { block, action, value, chosen } of before) {
    const input = modal.querySelector(`[data-block-id="${CSS.escape(block)}"] [data-action-id="${CSS.escape(action)}"]`);
    if (!input || (input.tagName === "SELECT" && ![...input.options].some((option) => option.value === value))) continue;
    input.value = value;
    if (chosen !== undefined) input.dataset.value = chosen;
  }
}

function closeButton(view, deeds, text, label, style) {
  return element("button", { type: "button", class: style, "aria-label": label, onclick: () => deeds.close(view) }, text);
}

function submitButton(content) {
  return content.submit ? element("button", { type: "submit", class: "button primary" }, content.submit.text) : null;
}

async function submit(form, view, trouble, deeds) {
  const button = form.querySelector("[type=submit]");
  trouble.textContent = "";
  button.disabled = true;
  button.setAttribute("aria-busy", "true");
  const done = await deeds.submit(view, collected(form));
  button.disabled = false;
  button.removeAttribute("aria-busy");
  trouble.textContent = done.trouble ?? "";
  showErrors(done.errors ?? {});
  form.querySelector("[aria-invalid=true]")?.focus();
}

function showErrors(errors) {
  for (const field of modal.querySelectorAll("[data-block-id]")) {
    const sentence = errors[field.dataset.blockId] ?? "";
    const control = field.querySelector("textarea, input, select");
    field.classList.toggle("wrong", sentence !== "");
    control?.setAttribute("aria-invalid", String(sentence !== ""));
    const place = field.querySelector(".error");
    if (place.textContent !== sentence) place.textContent = sentence;
  }
}
