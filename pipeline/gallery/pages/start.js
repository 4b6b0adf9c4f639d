"use strict";
const data = JSON.parse(document.getElementById("data").textContent);
const { nonce } = document.currentScript;
const $ = (id) => document.getElementById(id);
const canvas = $("canvas"), ctx = canvas.getContext("2d");
const picture = document.createElement("canvas"), scratch = document.createElement("canvas");

const LAYERS = [
  ["amodal", "Amodal mask", "a"], ["visible", "Visible mask", "v"], ["boxAmodal", "Amodal box", "b"],
  ["boxVisible", "Visible box", "n"], ["keypoints", "Keypoints", "k"], ["box3d", "3D box", "d"], ["ids", "Ids", "i"],
];
const SERIES = ["#0f5f6b", "#d99a3d", "#8577c0", "#7a9a5a", "#b5563f", "#8a857b"];
const STATE_COLOURS = { visible: "#45d483", self_occluded: "#ffd24a", occluded: "#ff5c4d", truncated: "#c9c5bd" };
// Joints linked by a line: the vehicle's 12 keypoints, and COCO's 17 of a person.
const LINKS = {
  12: [[0, 2], [1, 3], [0, 4], [1, 5], [2, 6], [3, 7], [4, 5], [6, 7], [4, 8], [5, 9], [6, 10], [7, 11], [8, 9], [10, 11], [8, 10], [9, 11]],
  17: [[0, 1], [0, 2], [1, 3], [2, 4], [5, 6], [5, 7], [7, 9], [6, 8], [8, 10], [5, 11], [6, 12], [11, 12], [11, 13], [13, 15], [12, 14], [14, 16]],
};
/* What an open scene is before the first one has come. */
const NOTHING = { id: "", bucket: "", split: "", size: [16, 9], scale: 1, objects: [], glb: null, large: true };
let current = NOTHING;
const scene = () => current;
const state = {
  scene: -1, peel: 0, layers: { amodal: true, visible: true }, hovered: null, chosen: null, images: null, space: false,
  zoom: 1, left: 0, top: 0, // how often larger the frame is shown than whole, and the frame's pixel at the top left
};

// ---- small helpers: every text goes through textContent, never through markup
function make(tag, properties = {}, ...children) {
  const element = document.createElement(tag);
  const { style = "", ...others } = properties;
  if (style) element.style.cssText = style; // the page's policy forbids the attribute
  for (const [name, value] of Object.entries(others)) name in element ? (element[name] = value) : element.setAttribute(name, value);
  element.append(...children);
  return element;
}
const percent = (fraction) => `${Math.round(100 * fraction)} %`;
const number = (value, digits = 1) => (value == null ? "–" : value.toFixed(digits));
const colour = (object) => data.colours[object.rank % data.colours.length];
const shown = () => scene().objects.filter((object) => object.rank >= state.peel && passes(object));
const hiddenOf = (object) => 1 - object.visible;
const inHand = () => state.hovered || state.chosen;

function pathOf(outlines) {
  const path = new Path2D();
  for (const points of outlines) {
    path.moveTo(points[0], points[1]);
    for (let i = 2; i < points.length; i += 2) path.lineTo(points[i], points[i + 1]);
    path.closePath();
  }
  return path;
}
