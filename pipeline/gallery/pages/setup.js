// ---- setting up
function toggle([name, text, key]) {
  const box = make("input", { type: "checkbox", id: `layer-${name}`, checked: Boolean(state.layers[name]) });
  box.onchange = () => {
    state.layers[name] = box.checked;
    $("legend").hidden = !state.layers.keypoints;
    refresh();
  };
  return make("label", {}, box, text, make("kbd", { textContent: key.toUpperCase() }));
}
function legendEntry(kind) {
  const dot = make("canvas", { width: 28, height: 28, style: "width:14px;height:14px" });
  drawKeypoint([14, 14], kind, dot.getContext("2d"), 2);
  return make("span", {}, dot, kind.replace("_", " "));
}
function classBox(name) {
  const box = make("input", { type: "checkbox", checked: true, value: name });
  box.onchange = () => { state.hidden[box.checked ? "delete" : "add"](name); applyFilter(); };
  return make("label", {}, box, make("span", { textContent: name, title: name }));
}
function thumbnail(each, i) {
  const image = make("img", { src: `data:image/jpeg;base64,${each.thumb}`, alt: "" });
  const button = make("button", { "aria-label": `Scene ${i + 1}, ${each.objects.length} objects`, title: each.id }, image, make("span", { textContent: each.objects.length }));
  button.dataset.scene = i;
  button.onclick = () => openScene(i);
  return make("li", {}, button);
}
function limits(moved) {
  const [least, most] = [Number($("least").value), Number($("most").value)];
  if (least > most) $(moved).value = moved === "least" ? most : least;
  [state.least, state.most] = [Number($("least").value), Number($("most").value)];
  applyFilter();
}
$("camera").textContent = data.camera || "No camera";
$("about").textContent = [`mode ${data.modes.join(", ")}`, `seed ${data.seeds.join(", ")}`, data.scenes.some((s) => s.objects.some((o) => !o.behind)) ? "built without cutouts: what is behind a peeled object is hatched" : ""].filter(Boolean).join(" · ");
$("facts").append(...data.facts.map(([value, name]) => make("div", {}, make("dt", { textContent: name }), make("dd", { textContent: value }))));
$("toggles").append(...LAYERS.map(toggle));
$("legend").append(...data.states.map(legendEntry));
$("classes").append(...[...new Set(data.scenes.flatMap((s) => s.objects.map((o) => o.category)))].sort().map(classBox));
$("thumbs").append(...data.scenes.map(thumbnail));
$("charts").append(...data.charts.map(chartCard));
$("view3d").onclick = () => {
  state.space = !state.space;
  showSpace();
  if (state.space) $("space").scrollIntoView({ block: "nearest" });
};
$("view3d").disabled = !data.scenes.length;
$("peel").oninput = () => peelTo(Number($("peel").value));
$("least").oninput = () => limits("least");
$("most").oninput = () => limits("most");
$("previous").onclick = () => step(-1);
$("next").onclick = () => step(1);
new ResizeObserver(() => state.images && draw()).observe(canvas.parentElement);
applyFilter();
if (data.scenes.length) openScene(0); else canvas.setAttribute("aria-busy", "false");
