// ---- pointer and keys
function under(event) {
  const box = canvas.getBoundingClientRect(), scale = scene().size[0] / box.width;
  const x = (event.clientX - box.left) * scale, y = (event.clientY - box.top) * scale;
  ctx.save(); ctx.setTransform(1, 0, 0, 1, 0, 0);
  const found = shown().find((object) => ctx.isPointInPath(object.amodalPath, x, y, "evenodd"));
  ctx.restore();
  return found || null;
}
canvas.onpointermove = (event) => {
  const object = under(event), box = canvas.getBoundingClientRect(), tip = $("tip");
  hover(object);
  tip.hidden = !object;
  if (!object) return;
  tip.textContent = `${object.id} · ${object.category} · ${number(object.z)} m · ${percent(object.visible)} visible`;
  tip.style.left = `${Math.min(event.clientX - box.left + 14, box.width - tip.offsetWidth - 6)}px`;
  tip.style.top = `${Math.max(6, event.clientY - box.top - 36)}px`;
};
canvas.onpointerleave = () => { $("tip").hidden = true; hover(null); };
canvas.onclick = (event) => { const object = under(event); if (object || state.chosen) choose(object || state.chosen); };
addEventListener("keydown", (event) => {
  if (event.ctrlKey || event.metaKey || event.altKey || !data.scenes.length) return;
  const layer = LAYERS.find(([, , key]) => key === event.key.toLowerCase()), arrow = { ArrowLeft: -1, ArrowRight: 1 }[event.key];
  if (arrow && event.target.type === "range") return;
  if (arrow && event.shiftKey) peelTo(state.peel + arrow);
  else if (arrow) step(arrow);
  else if (layer) $(`layer-${layer[0]}`).click();
  else if (event.key === "3") $("view3d").click();
  else if (event.key === "Escape") { state.chosen = null; refresh(); }
  else return;
  event.preventDefault();
});
