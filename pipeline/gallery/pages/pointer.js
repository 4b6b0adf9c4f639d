// ---- pointer and keys
function under(event) {
  const { x, y } = inFrame(event);
  ctx.save(); ctx.setTransform(1, 0, 0, 1, 0, 0);
  const found = shown().find((object) => ctx.isPointInPath(object.amodalPath, x, y, "evenodd"));
  ctx.restore();
  return found || null;
}
canvas.onpointermove = (event) => {
  if (moved(event)) { $("tip").hidden = true; return; }
  const object = under(event), box = canvas.getBoundingClientRect(), tip = $("tip");
  hover(object);
  tip.hidden = !object;
  if (!object) return;
  tip.textContent = `${object.id} · ${object.category} · ${number(object.z)} m · ${percent(hiddenOf(object))} hidden`;
  tip.style.left = `${Math.min(event.clientX - box.left + 14, box.width - tip.offsetWidth - 6)}px`;
  tip.style.top = `${Math.max(6, event.clientY - box.top - 36)}px`;
};
canvas.onpointerleave = () => { $("tip").hidden = true; hover(null); };
canvas.onclick = (event) => {
  const object = under(event);
  if (dragged > 3) return; // it was a pan, not a click
  if (object || state.chosen) choose(object || state.chosen);
};
canvas.ondblclick = (event) => { const { x, y } = inFrame(event); zoomTo(state.zoom > 1 ? 1 : 3, x, y); };
const PANS = { ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowUp: [0, -1], ArrowDown: [0, 1] };
const ZOOMS = { "+": () => zoomMiddle(1.5), "=": () => zoomMiddle(1.5), "-": () => zoomMiddle(1 / 1.5), 0: () => zoomTo(1, 0, 0) };
addEventListener("keydown", (event) => {
  const { key, target } = event;
  if (event.ctrlKey || event.metaKey || event.altKey || !total || target.matches("select, input[type=search]")) return;
  const layer = LAYERS.find(([, , letter]) => letter === key.toLowerCase()), arrow = { ArrowLeft: -1, ArrowRight: 1 }[key];
  if (arrow && target.type === "range") return;
  if (PANS[key] && target === canvas && state.zoom > 1 && !event.shiftKey)
    pan(...PANS[key].map((way) => (way * 0.15 * scene().size[0]) / state.zoom));
  else if (arrow && event.shiftKey) peelTo(state.peel + arrow);
  else if (arrow) step(arrow);
  else if (ZOOMS[key]) ZOOMS[key]();
  else if (layer) $(`layer-${layer[0]}`).click();
  else if (key === "3") $("view3d").click();
  else if (key === "Escape") { state.chosen = null; refresh(); }
  else return;
  event.preventDefault();
});
