// Slack's mrkdwn as page elements: https://docs.slack.dev/messaging/formatting-message-text
// It also does what Slack does unasked: bare addresses become links, and @here becomes a mention, unless `verbatim` is set.

import { element } from "./elements.js";

const EMOJI = {
  white_check_mark: "✅", heavy_check_mark: "✔️", x: "❌", warning: "⚠️", rocket: "🚀", hourglass: "⌛",
  hourglass_flowing_sand: "⏳", no_entry: "⛔", no_entry_sign: "🚫", tada: "🎉", eyes: "👀", memo: "📝", link: "🔗",
  bike: "🚲", chart_with_upwards_trend: "📈", chart_with_downwards_trend: "📉", lock: "🔒", ticket: "🎫", trophy: "🏆",
  "+1": "👍", thumbsup: "👍", "-1": "👎", large_green_circle: "🟢", large_yellow_circle: "🟡", red_circle: "🔴",
  large_blue_circle: "🔵", arrow_right: "➡️", bell: "🔔", robot_face: "🤖", mag: "🔍", stopwatch: "⏱️", zzz: "💤",
  leftwards_arrow_with_hook: "↩️", arrows_counterclockwise: "🔄", crown: "👑", package: "📦", pencil2: "✏️", wave: "👋",
};

const INLINE = new RegExp(
  [
    "`(?<code>[^`\\n]+)`",
    "<(?<control>[^<>\\n]+)>",
    "(?<![\\w*])\\*(?<bold>\\S(?:[^*\\n]*\\S)?)\\*(?![\\w*])",
    "(?<![\\w_])_(?<italic>\\S(?:[^_\\n]*\\S)?)_(?![\\w_])",
    "(?<![\\w~])~(?<strike>\\S(?:[^~\\n]*\\S)?)~(?![\\w~])",
    ":(?<emoji>[a-z0-9_+-]+):",
    "(?<address>https?://[^\\s<>|`]*[^\\s<>|`.,:;!?)'\"*_~])",
    "(?<![\\w@])@(?<broadcast>here|channel|everyone)\\b",
  ].join("|"),
  "gu",
);

export function mrkdwn(text, names, verbatim = false) {
  const nodes = [];
  text.split("```").forEach((part, index, parts) => {
    const isCode = index % 2 === 1 && index < parts.length - 1;
    if (isCode) nodes.push(element("pre", {}, decoded(part.replace(/^\n|\n$/g, ""))));
    else nodes.push(...paragraphs(index % 2 === 1 ? "```" + part : part, names, verbatim));
  });
  return nodes;
}

export function plainText(text) {
  return [text.replace(/:([a-z0-9_+-]+):/g, (whole, name) => EMOJI[name] ?? whole)];
}

export function emoji(name) {
  return EMOJI[name] ?? `:${name}:`;
}

export function safeLink(address, ...label) {
  if (!/^(https?:|mailto:)/i.test(address)) return element("span", {}, ...label);
  return element("a", { href: address, target: "_blank", rel: "noopener noreferrer" }, ...label);
}

function paragraphs(text, names, verbatim) {
  const nodes = [];
  const lines = text.split("\n");
  for (let at = 0; at < lines.length; ) {
    const kind = kindOf(lines[at]);
    let end = at + 1;
    while (end < lines.length && kindOf(lines[end]) === kind) end += 1;
    const together = lines.slice(at, end).map((line) => stripped(line, kind));
    nodes.push(...drawn(kind, together, names, verbatim, end < lines.length));
    at = end;
  }
  return nodes;
}

function kindOf(line) {
  if (/^(>|&gt;)/.test(line)) return "quote";
  return /^\s*[•◦]\s/.test(line) ? "list" : "text";
}

function stripped(line, kind) {
  if (kind === "quote") return line.replace(/^(>|&gt;)\s?/, "");
  return kind === "list" ? line.replace(/^\s*[•◦]\s/, "") : line;
}

function drawn(kind, lines, names, verbatim, moreFollows) {
  const inlined = lines.map((line) => inline(line, names, verbatim));
  if (kind === "list") return [element("ul", {}, inlined.map((nodes) => element("li", {}, nodes)))];
  const broken = inlined.flatMap((nodes, index) => (index ? [element("br"), ...nodes] : nodes));
  if (kind === "quote") return [element("blockquote", {}, broken)];
  const nothing = lines.length === 1 && lines[0] === "" && moreFollows;
  return nothing ? [] : [element("span", { class: "paragraph" }, broken)];
}

function inline(text, names, verbatim) {
  const nodes = [];
  let last = 0;
  for (const match of text.matchAll(INLINE)) {
    const node = inlineNode(match.groups, match[0], names, verbatim);
    if (node === null) continue;
    if (match.index > last) nodes.push(decoded(text.slice(last, match.index)));
    nodes.push(node);
    last = match.index + match[0].length;
  }
  if (last < text.length) nodes.push(decoded(text.slice(last)));
  return nodes;
}

function inlineNode(groups, whole, names, verbatim) {
  if (groups.code) return element("code", {}, decoded(groups.code));
  if (groups.control) return controlNode(groups.control, names);
  if (groups.bold) return element("strong", {}, inline(groups.bold, names, verbatim));
  if (groups.italic) return element("em", {}, inline(groups.italic, names, verbatim));
  if (groups.strike) return element("s", {}, inline(groups.strike, names, verbatim));
  if (groups.emoji) return EMOJI[groups.emoji] ?? null;
  if (verbatim) return null;
  return groups.address ? safeLink(decoded(groups.address), decoded(groups.address)) : mention(whole);
}

function controlNode(control, names) {
  const bar = control.indexOf("|");
  const target = bar < 0 ? control : control.slice(0, bar);
  const label = bar < 0 ? "" : decoded(control.slice(bar + 1));
  if (target.startsWith("@")) return mention(`@${names.person(target.slice(1)) ?? (label || target.slice(1))}`);
  if (target.startsWith("#")) return mention(`#${names.channel(target.slice(1)) ?? (label || target.slice(1))}`);
  if (target.startsWith("!subteam^")) return mention(`@${names.group(target.slice(9)) ?? (label || target.slice(9))}`);
  if (target.startsWith("!date^")) return dateNode(target.split("^"), label);
  if (target.startsWith("!")) return mention(`@${target.slice(1)}`);
  const address = decoded(target);
  return /^(https?:|mailto:)/i.test(address) ? safeLink(address, label || address) : decoded(`<${control}>`);
}

function mention(text) {
  return element("span", { class: "mention" }, text);
}

export function dateNode([, seconds, format, link], fallback) {
  const date = new Date(Number(seconds) * 1000);
  if (Number.isNaN(date.getTime())) return fallback;
  const text = (format ?? "{date}").replace(/\{(\w+)\}/g, (whole, name) => dated(date, name) ?? whole);
  const node = element("time", { datetime: date.toISOString(), title: fallback }, text);
  return link ? safeLink(link, node) : node;
}

function dated(date, name) {
  const base = name.replace(/_pretty$/, "");
  const isToday = date.toDateString() === new Date().toDateString();
  if (name !== base && isToday) return "today";
  const formats = {
    date: { year: "numeric", month: "long", day: "numeric" },
    date_short: { year: "numeric", month: "short", day: "numeric" },
    date_long: { weekday: "long", year: "numeric", month: "long", day: "numeric" },
    date_num: { year: "numeric", month: "2-digit", day: "2-digit" },
    time: { hour: "numeric", minute: "2-digit" },
    time_secs: { hour: "numeric", minute: "2-digit", second: "2-digit" },
  };
  return formats[base] ? date.toLocaleString([], formats[base]) : undefined;
}

function decoded(text) {
  return text.replace(/&lt;/g, "<").replace(/&gt;/g, ">").replace(/&amp;/g, "&");
}
