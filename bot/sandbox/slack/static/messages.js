// One message, and a list of them that is brought up to date without losing focus or scroll position.

import { drawBlocks } from "./blocks.js";
import { avatar, clock, day, element } from "./elements.js";
import { emoji, mrkdwn } from "./mrkdwn.js";

export function showMessages(list, messages, names, deeds) {
  const scroller = list.parentElement;
  stayAtEnd(scroller, list);
  const before = new Map([...list.children].map((row) => [row.dataset.key, row]));
  let previousDay = "";
  const rows = [];
  for (const message of messages) {
    const today = day(message.ts);
    if (today !== previousDay) rows.push(kept(before, `day ${today}`, today, () => dayRow(today)));
    previousDay = today;
    rows.push(kept(before, message.ts, JSON.stringify(message), () => messageRow(message, names, deeds)));
  }
  arrange(list, rows);
  if (scroller.atEnd) scroller.scrollTop = scroller.scrollHeight;
}

function stayAtEnd(scroller, list) {
  // A reader of the newest message keeps seeing the newest, also when the window changes or a picture has arrived; a reader who scrolled
  // up is left there. A scroll event that comes after the list has grown says nothing about the reader.
  if (scroller.atEnd !== undefined) return;
  scroller.atEnd = true;
  let height = list.offsetHeight;
  scroller.addEventListener("scroll", () => {
    if (list.offsetHeight !== height) return;
    scroller.atEnd = scroller.scrollHeight - scroller.scrollTop - scroller.clientHeight < 40;
  });
  const sizes = new ResizeObserver(() => {
    if (scroller.atEnd) scroller.scrollTop = scroller.scrollHeight;
    height = list.offsetHeight;
  });
  sizes.observe(scroller);
  sizes.observe(list);
}

function kept(before, key, fingerprint, draw) {
  const old = before.get(key);
  if (old?.fingerprint === fingerprint) return old;
  const row = draw();
  row.dataset.key = key;
  row.fingerprint = fingerprint;
  row.replaces = old;
  return row;
}

function arrange(list, rows) {
  const focused = list.contains(document.activeElement) ? document.activeElement : null;
  const owner = focused?.closest("[data-key]");
  rows.forEach((row, index) => {
    if (list.children[index] !== row) list.insertBefore(row, list.children[index] ?? null);
  });
  while (list.children.length > rows.length) list.lastElementChild.remove();
  const replacement = focused && !focused.isConnected && rows.find((row) => row.replaces === owner);
  if (replacement) focusLike(focused, replacement);
  for (const row of rows) delete row.replaces;
}

function focusLike(focused, row) {
  const id = focused.dataset.actionId;
  const same = id && row.querySelector(`[data-action-id="${CSS.escape(id)}"]`);
  (same || row).focus();
}

function dayRow(text) {
  return element("li", { class: "day" }, element("span", {}, text));
}

function messageRow(message, names, deeds) {
  const classes = `message${message.only_for_you ? " private" : ""}`;
  const attributes = { class: classes, tabindex: "-1", "data-testid": "message", "data-ts": message.ts, "data-author": message.author };
  return element(
    "li",
    attributes,
    avatar(message.author, message.user, message.is_app),
    element("div", { class: "said" }, whisper(message), byline(message), ...content(message, names, deeds), ...feet(message, deeds)),
    element("button", { type: "button", class: "quiet reply", onclick: () => deeds.openThread(message) }, "Reply in thread"),
    ...(message.only_for_you ? [] : deeds.shortcuts().map((shortcut) => shortcutButton(message, shortcut, deeds))),
  );
}

function shortcutButton(message, shortcut, deeds) {
  const attributes = { type: "button", class: "quiet shortcut", "data-shortcut": shortcut.callback_id };
  return element("button", { ...attributes, onclick: () => deeds.useShortcut(message, shortcut) }, shortcut.name);
}

function whisper(message) {
  if (message.is_broadcast) return element("p", { class: "only-you" }, "Replied to a thread");
  return message.only_for_you ? element("p", { class: "only-you" }, "Only visible to you") : null;
}

function byline(message) {
  const badge = message.is_app ? element("span", { class: "badge" }, "APP") : null;
  const at = new Date(Number(message.ts) * 1000);
  const time = element("time", { datetime: at.toISOString(), title: at.toLocaleString() }, clock(message.ts));
  return element("p", { class: "byline" }, element("strong", {}, message.author), badge, time);
}

function content(message, names, deeds) {
  const edited = message.edited ? element("span", { class: "edited" }, " (edited)") : null;
  const act = (part, chosen) => deeds.press(message, part, chosen);
  if (message.blocks?.length) {
    return [...drawBlocks(message.blocks, names, act), edited];
  }
  const text = message.text ? element("div", { class: "text" }, mrkdwn(message.text, names), edited) : null;
  const attached = (message.attachments ?? []).map((part) =>
    element("div", { class: "attachment" }, part.blocks ? drawBlocks(part.blocks, names, act) : mrkdwn(part.text ?? part.fallback ?? "", names)));
  return [text, ...attached, ...message.files.map(fileCard)];
}

function fileCard(file) {
  const size = `${Math.max(1, Math.round(file.size / 1024))} kB`;
  return element("a", { class: "file", href: file.url_private, download: file.name }, element("strong", {}, file.title), `${file.name} · ${size}`);
}

function feet(message, deeds) {
  const reactions = (message.reactions ?? []).map((reaction) =>
    element("span", { class: "reaction", title: `:${reaction.name}:` }, `${emoji(reaction.name)} ${reaction.count}`));
  const replies = message.reply_count
    ? element(
        "button",
        { type: "button", class: "replies", onclick: () => deeds.openThread(message) },
        `${message.reply_count} ${message.reply_count === 1 ? "reply" : "replies"}`,
        element("span", { class: "last" }, `Last reply ${clock(message.latest_reply)}`),
      )
    : null;
  const trouble = message.trouble
    ? element("p", { class: "trouble", role: "alert", "data-testid": "trouble" }, element("span", { class: "sign", "aria-hidden": "true" }, "!"), message.trouble)
    : null;
  return [reactions.length ? element("div", { class: "reactions" }, reactions) : null, replies, trouble];
}
