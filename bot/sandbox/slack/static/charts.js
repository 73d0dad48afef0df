// Slack's data visualization block as a picture of lines, with the same figures in a table for who cannot see it.

import { element } from "./elements.js";

const SVG = "http://www.w3.org/2000/svg";
const WIDTH = 480;
const HEIGHT = 180;
const EDGE = { left: 56, right: 16, top: 12, bottom: 28 };
const COLOURS = ["#0a6fb0", "#d35400", "#0b7a55", "#8e44ad", "#7f6000", "#555f5d"];

export function drawChart(block) {
  const { series, axis_config: axes } = block.chart;
  const values = series.flatMap((one) => one.data.map((point) => point.value));
  const low = Math.min(...values);
  const high = Math.max(...values);
  const across = (index) => EDGE.left + (axes.categories.length > 1 ? index / (axes.categories.length - 1) : 0.5) * (WIDTH - EDGE.left - EDGE.right);
  const up = (value) => HEIGHT - EDGE.bottom - (high > low ? (value - low) / (high - low) : 0.5) * (HEIGHT - EDGE.top - EDGE.bottom);
  const picture = shape("svg", { viewBox: `0 0 ${WIDTH} ${HEIGHT}`, class: "chart", "aria-hidden": "true" });
  for (const value of new Set([low, high])) picture.append(words(EDGE.left - 6, up(value) + 4, String(Number(value.toPrecision(4))), "end"));
  axes.categories.forEach((label, index) => picture.append(words(across(index), HEIGHT - 8, label, "middle")));
  series.forEach((one, index) => {
    const points = one.data.map((point, at) => `${across(at)},${up(point.value)}`).join(" ");
    picture.append(shape("polyline", { points, fill: "none", stroke: COLOURS[index], "stroke-width": 2 }));
    one.data.forEach((point, at) => picture.append(shape("circle", { cx: across(at), cy: up(point.value), r: 3, fill: COLOURS[index] })));
  });
  const legend = element("p", { class: "legend" }, series.map((one, index) =>
    element("span", {}, shape("svg", { viewBox: "0 0 10 10", width: 10, height: 10 }, shape("circle", { cx: 5, cy: 5, r: 4, fill: COLOURS[index] })), ` ${one.name}  `)));
  return element("figure", { class: "block", role: "group", "aria-label": block.title }, element("p", { class: "title" }, block.title), picture, legend);
}

function shape(tag, attributes, ...children) {
  const node = document.createElementNS(SVG, tag);
  for (const [name, value] of Object.entries(attributes)) node.setAttribute(name, value);
  node.append(...children);
  return node;
}

function words(x, y, text, anchor) {
  return shape("text", { x, y, "text-anchor": anchor, "font-size": 11, fill: "currentColor" }, text);
}
