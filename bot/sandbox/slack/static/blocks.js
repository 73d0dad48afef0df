// Block Kit as page elements. What a press on an element does is the caller's: `act(element, chosen)`.

import { element } from "./elements.js";
import { drawChart } from "./charts.js";
import { drawSearch } from "./search.js";
import { dateNode, emoji, mrkdwn, plainText, safeLink } from "./mrkdwn.js";

const DRAW = {
  header: (block) => element("h2", { class: "block header" }, plainText(block.text.text)),
  divider: () => element("hr", { class: "block" }),
  section: drawSection,
  context: drawContext,
  actions: (block, names, act) =>
    element("div", { class: "block actions" }, block.elements.map((part) => drawElement(part, names, act))),
  image: drawImageBlock,
  input: drawInput,
  table: drawTable,
  data_visualization: drawChart,
  markdown: (block, names) => element("div", { class: "block section" }, mrkdwn(block.text, names)),
  rich_text: (block, names) => element("div", { class: "block rich" }, block.elements.map((part) => drawRich(part, names))),
};

const ELEMENT = {
  button: drawButton,
  image: (part) => element("img", { class: "thumbnail", src: addressOf(part), alt: part.alt_text }),
  static_select: drawSelect,
  external_select: drawSearch,
  overflow: drawSelect,
  users_select: drawPeople,
  radio_buttons: drawChoices,
  checkboxes: drawChoices,
  plain_text_input: drawTextInput,
};

export function drawBlocks(blocks, names, act) {
  return blocks.map((block) => DRAW[block.type](block, names, act));
}

export function drawText(text, names) {
  return text.type === "mrkdwn" ? mrkdwn(text.text, names, text.verbatim) : plainText(text.text);
}

export function collected(form) {
  // Each input's text by block id; several choices stand one to a line.
  const values = {};
  for (const field of form.querySelectorAll("[data-block-id]")) {
    const chosen = [...field.querySelectorAll("textarea, select, input")].filter((input) => !/radio|checkbox/.test(input.type) || input.checked);
    values[field.dataset.blockId] = chosen.map((input) => input.dataset.value ?? input.value).join("\n");
  }
  return values;
}

function drawElement(part, names, act) {
  return ELEMENT[part.type](part, names, act);
}

function drawSection(block, names, act) {
  const text = block.text ? element("div", { class: "text" }, drawText(block.text, names)) : null;
  const fields = block.fields?.map((field) => element("div", { class: "field" }, drawText(field, names)));
  const body = element("div", { class: "body" }, text, fields ? element("div", { class: "fields" }, fields) : null);
  const accessory = block.accessory ? element("div", { class: "accessory" }, drawElement(block.accessory, names, act)) : null;
  return element("div", { class: "block section" }, body, accessory);
}

function drawContext(block, names) {
  const parts = block.elements.map((part) =>
    part.type === "image" ? ELEMENT.image(part) : element("span", {}, drawText(part, names)));
  return element("div", { class: "block context" }, parts);
}

function drawImageBlock(block) {
  const title = block.title ? element("p", { class: "title" }, plainText(block.title.text)) : null;
  const picture = element("img", { src: addressOf(block), alt: block.alt_text });
  const words = element("figcaption", { "aria-hidden": "true" }, element("span", { class: "alt" }, "ALT"), block.alt_text);
  return element("figure", { class: "block" }, title, picture, words);
}

function addressOf(image) {
  return image.image_url ?? `/_sandbox/pictures/${encodeURIComponent(image.slack_file.id)}`;
}

function drawTable(block, names) {
  const cells = (row, tag) => row.map((cell, column) => drawCell(cell, tag, block.column_settings?.[column], names));
  const [head, ...rest] = block.rows;
  const table = element(
    "table",
    {},
    element("thead", {}, element("tr", {}, cells(head, "th"))),
    element("tbody", {}, rest.map((row) => element("tr", {}, cells(row, "td")))),
  );
  return element("div", { class: "block table" }, table);
}

function drawCell(cell, tag, settings, names) {
  const aligned = settings?.align ?? (cell.type === "raw_number" ? "right" : "left");
  const attributes = { class: `${aligned}${settings?.is_wrapped ? " wrapped" : ""}`, scope: tag === "th" ? "col" : null };
  if (cell.type === "rich_text") return element(tag, attributes, cell.elements.map((part) => drawRich(part, names)));
  return element(tag, attributes, cell.text ?? String(cell.value));
}

function drawRich(part, names) {
  const inner = () => part.elements.map((piece) => drawPiece(piece, names));
  if (part.type === "rich_text_preformatted") return element("pre", {}, inner());
  if (part.type === "rich_text_quote") return element("blockquote", {}, inner());
  if (part.type === "rich_text_section") return element("span", { class: "paragraph" }, inner());
  const items = part.elements.map((item) => element("li", {}, drawRich(item, names)));
  return element(part.style === "ordered" ? "ol" : "ul", {}, items);
}

function drawPiece(piece, names) {
  const drawn = {
    text: () => piece.text,
    link: () => safeLink(piece.url, piece.text ?? piece.url),
    emoji: () => emoji(piece.name),
    date: () => dateNode(["", piece.timestamp, piece.format, piece.url], piece.fallback),
    user: () => mentioned("@", names.person(piece.user_id), piece.user_id),
    usergroup: () => mentioned("@", names.group(piece.usergroup_id), piece.usergroup_id),
    channel: () => mentioned("#", names.channel(piece.channel_id), piece.channel_id),
    broadcast: () => mentioned("@", piece.range),
  }[piece.type]();
  const tags = { bold: "strong", italic: "em", strike: "s", code: "code" };
  return Object.entries(tags).reduce((node, [style, tag]) => (piece.style?.[style] ? element(tag, {}, node) : node), drawn);
}

function mentioned(mark, name, id) {
  // Whom nobody knows is not notified either, and stays text.
  return name ? element("span", { class: "mention" }, mark + name) : mark + id;
}

function drawButton(part, names, act) {
  const attributes = {
    class: `button ${part.style ?? ""}`,
    "data-action-id": part.action_id,
    "aria-label": part.accessibility_label,
    onclick: () => act(part, ""),
  };
  const label = plainText(part.text.text);
  if (!part.url) return element("button", { type: "button", ...attributes }, label);
  return element("a", { href: part.url, target: "_blank", rel: "noopener noreferrer", ...attributes }, label);
}

function drawSelect(part, names, act) {
  const label = part.placeholder?.text ?? (part.type === "overflow" ? "More actions" : "Choose…");
  const option = (choice) =>
    element("option", { value: choice.value, selected: choice.value === part.initial_option?.value }, plainText(choice.text.text));
  const select = element("select", { "data-action-id": part.action_id, "aria-label": label }, element("option", { value: "" }, label));
  select.append(...part.options.map(option));
  select.addEventListener("change", () => select.value && act(part, select.value));
  return select;
}

function drawPeople(part, names, act) {
  const label = part.placeholder?.text ?? "Choose a person…";
  const select = element("select", { "data-action-id": part.action_id, "aria-label": label }, element("option", { value: "" }, label));
  select.append(...names.people().map((person) => element("option", { value: person.id, selected: person.id === part.initial_user }, person.real_name)));
  select.addEventListener("change", () => select.value && act(part, select.value));
  return select;
}

function drawChoices(part, names, act) {
  const kind = part.type === "checkboxes" ? "checkbox" : "radio";
  const first = [part.initial_option, ...(part.initial_options ?? [])].map((option) => option?.value);
  const group = element("div", { class: "choices", role: kind === "radio" ? "radiogroup" : "group" });
  for (const option of part.options) {
    const input = element("input", { type: kind, name: part.action_id, value: option.value, checked: first.includes(option.value) });
    group.append(element("label", {}, input, element("span", {}, drawText(option.text, names))));
  }
  const chosen = () => [...group.querySelectorAll("input:checked")].map((input) => input.value).join("\n");
  group.addEventListener("change", () => act(part, chosen()));
  return group;
}

function drawTextInput(part) {
  const attributes = { placeholder: part.placeholder?.text, maxlength: part.max_length ?? 3000, "data-action-id": part.action_id };
  if (!part.multiline) return element("input", { type: "text", value: part.initial_value, ...attributes });
  return element("textarea", { rows: 4, ...attributes }, part.initial_value ?? "");
}

function drawInput(block, names, act) {
  const drawn = drawElement(block.element, names, block.dispatch_action ? act : Object.assign(() => {}, { search: act.search }));
  const control = drawn.control ?? drawn;
  const id = `input-${block.block_id}`;
  const isGroup = control.classList.contains("choices");
  control.id = id;
  control.removeAttribute("aria-label"); // the block's own label says it
  control.setAttribute("aria-describedby", `${id}-hint ${id}-error`);
  if (isGroup) control.setAttribute("aria-labelledby", `${id}-label`);
  else if (!block.optional) control.setAttribute("aria-required", "true");
  const optional = block.optional ? element("span", { class: "optional" }, " (optional)") : null;
  const label = element(isGroup ? "span" : "label", { id: `${id}-label`, class: "label", for: isGroup ? null : id }, plainText(block.label.text), optional);
  const hint = element("p", { class: "hint", id: `${id}-hint` }, block.hint ? plainText(block.hint.text) : "");
  const error = element("p", { class: "error", id: `${id}-error`, role: "alert" });
  return element("div", { class: "block input", "data-block-id": block.block_id }, label, drawn, hint, error);
}
