// The app's Home tab and the menu of its shortcuts.

import { drawBlocks } from "./blocks.js";
import { element } from "./elements.js";

let shown = null;

export function showHome(place, view, names, deeds) {
  // Redraws only when the bot has published another view.
  const key = view ? `${view.id} ${view.hash}` : "";
  if (key === shown) return;
  shown = key;
  const focused = place.contains(document.activeElement) ? document.activeElement.dataset.actionId : "";
  if (!view) {
    place.replaceChildren(element("p", { class: "empty" }, "The app has not shown anything here yet."));
    return;
  }
  const act = (part, chosen) => deeds.pressView(view, part, chosen, {});
  act.search = (part, typed) => deeds.suggest(view, part, typed, {});
  place.replaceChildren(...drawBlocks(view.content.blocks, names, act));
  if (focused) place.querySelector(`[data-action-id="${CSS.escape(focused)}"]`)?.focus();
}

export function showShortcuts(button, list, shortcuts, run) {
  const key = JSON.stringify(shortcuts);
  button.parentElement.hidden = shortcuts.length === 0;
  if (list.drawn === key) return;
  list.drawn = key;
  const open = (isOpen) => {
    list.hidden = !isOpen;
    button.setAttribute("aria-expanded", String(isOpen));
  };
  list.replaceChildren(
    ...shortcuts.map((one) =>
      element("li", {}, element("button", { type: "button", onclick: () => { open(false); run(one.callback_id); } }, one.name))),
  );
  button.onclick = () => open(list.hidden);
}
