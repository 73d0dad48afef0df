// A menu that the bot fills: what is typed is sent to it, and its options are offered. The chosen value is in the box's `data-value`.

import { element } from "./elements.js";
import { plainText } from "./mrkdwn.js";

const PAUSE = 250; // milliseconds without a key, as Slack waits before it asks

export function drawSearch(part, names, act) {
  const first = part.initial_option;
  const id = `options-${Math.random().toString(36).slice(2)}`;
  const list = element("ul", { id, role: "listbox", "aria-label": "Options", hidden: true });
  const box = element("input", {
    type: "text", role: "combobox", "aria-expanded": "false", "aria-controls": id, "aria-autocomplete": "list", autocomplete: "off",
    "data-action-id": part.action_id, "aria-label": part.placeholder?.text ?? "Search", placeholder: part.placeholder?.text, value: first?.text.text,
  });
  box.dataset.value = first?.value ?? "";
  let asked = 0;
  let waiting = 0;

  async function ask() {
    if (box.value.length < (part.min_query_length ?? 3)) return;
    const turn = ++asked;
    const found = await act.search(part, box.dataset.value ? "" : box.value);
    if (turn === asked && document.activeElement === box) show(found.options ?? []);
  }
  function show(options) {
    const rows = options.map((option) => optionRow(option));
    list.replaceChildren(...(rows.length ? rows : [element("li", { class: "none", role: "option", "aria-disabled": "true" }, "No results")]));
    open(true);
  }
  function optionRow(option) {
    const detail = option.description ? element("span", { class: "detail" }, plainText(option.description.text)) : null;
    const row = element("li", { role: "option", "aria-selected": "false" }, plainText(option.text.text), detail);
    row.addEventListener("mousedown", (event) => event.preventDefault()); // the box keeps the focus
    row.addEventListener("click", () => choose(option));
    return row;
  }
  function choose(option) {
    box.value = option.text.text;
    box.dataset.value = option.value;
    open(false);
    act(part, option.value);
  }
  function open(isOpen) {
    list.hidden = !isOpen;
    box.setAttribute("aria-expanded", String(isOpen));
  }
  function move(step) {
    const rows = [...list.querySelectorAll("[aria-selected]")];
    const now = rows.findIndex((row) => row.getAttribute("aria-selected") === "true");
    rows.forEach((row) => row.setAttribute("aria-selected", "false"));
    const next = rows[(now + step + rows.length) % rows.length];
    next?.setAttribute("aria-selected", "true");
    next?.scrollIntoView({ block: "nearest" });
  }

  box.addEventListener("focus", ask);
  box.addEventListener("input", () => {
    box.dataset.value = "";
    clearTimeout(waiting);
    waiting = setTimeout(ask, PAUSE);
  });
  box.addEventListener("blur", () => open(false));
  box.addEventListener("keydown", (event) => {
    if (event.key === "ArrowDown" || event.key === "ArrowUp") {
      event.preventDefault();
      move(event.key === "ArrowDown" ? 1 : -1);
    } else if (event.key === "Enter") {
      event.preventDefault();
      list.querySelector("[aria-selected=true]")?.click();
    } else if (event.key === "Escape" && !list.hidden) {
      event.preventDefault();
      event.stopPropagation();
      open(false);
    }
  });
  const whole = element("div", { class: "search" }, box, list);
  whole.control = box;
  return whole;
}
