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
  const trouble = element("p", { class: "trouble", role: "alert" });
  const form = element(
    "form",
    { novalidate: true },
    element("header", {}, element("h2", { id: "modal-title" }, content.title.text), closeButton(view, deeds, "✕", "Close", "quiet")),
    element("div", { class: "content" }, drawBlocks(content.blocks, names, () => {})),
    trouble,
    element("footer", {}, closeButton(view, deeds, content.close?.text ?? "Cancel", null, "button"), submitButton(content)),
  );
  form.addEventListener("submit", (event) => {
    event.preventDefault();
    submit(form, view, trouble, deeds);
  });
  modal.replaceChildren(form);
  modal.oncancel = (event) => {
    event.preventDefault();
    deeds.close(view);
  };
  if (!modal.open) modal.showModal();
  modal.querySelector(".input textarea, .input input, .input select, .primary")?.focus();
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
