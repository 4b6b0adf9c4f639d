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
function classBox(name, i) {
  const box = make("input", { type: "checkbox", checked: true, value: name });
  box.onchange = () => { find.classes[box.checked ? "delete" : "add"](i); applyFind(); };
  return make("label", {}, box, make("span", { textContent: name, title: name }));
}
function limits(touched) {
  const [least, most] = [Number($("least").value), Number($("most").value)];
  if (least > most) $(touched).value = touched === "least" ? most : least;
  [find.least, find.most] = [Number($("least").value), Number($("most").value)];
  applyFind();
}
/* A number typed into a field; what is none marks the field and finds everything. */
function numberField(id) {
  $(id).oninput = () => {
    const text = $(id).value.trim(), valid = /^-?\d+$/.test(text);
    $(id).setAttribute("aria-invalid", String(text !== "" && !valid));
    find[id] = valid ? Number(text) : null;
    applyFind();
  };
}
function choice(id, names) {
  $(id).append(make("option", { value: "", textContent: "all" }), ...names.map((name, i) => make("option", { value: i, textContent: name || "none" })));
  $(id).onchange = () => { find[id] = $(id).value === "" ? "" : Number($(id).value); applyFind(); };
}
$("camera").textContent = data.camera || "No camera";
const without = data.layers ? "" : "built without cutouts: what is behind a peeled object is hatched";
$("about").textContent = [`mode ${data.modes.join(", ")}`, `seed ${data.seeds.join(", ")}`, without].filter(Boolean).join(" · ");
$("facts").append(...data.facts.map(([value, name]) => make("div", {}, make("dt", { textContent: name }), make("dd", { textContent: value }))));
$("toggles").append(...LAYERS.map(toggle));
$("legend").append(...data.states.map(legendEntry));
$("classes").append(...data.categories.map(classBox));
$("charts").append(...data.charts.map(chartCard));
$("sort").append(...Object.entries(ORDERS).map(([value, [label]]) => make("option", { value, textContent: label })));
$("sort").onchange = () => { find.sort = $("sort").value; resort(); };
$("reverse").onclick = () => { find.reversed = !find.reversed; $("reverse").setAttribute("aria-pressed", String(find.reversed)); resort(); };
["track", "cutout"].forEach(numberField);
choice("bucket", data.buckets);
choice("split", data.splits);
$("clear").onclick = () => { clearFind(); applyFind(); };
$("pageBack").onclick = () => turnTo(page - 1);
$("pageOn").onclick = () => turnTo(page + 1);
$("link").onclick = copyLink;
$("zoomIn").onclick = () => zoomMiddle(1.5);
$("zoomOut").onclick = () => zoomMiddle(1 / 1.5);
$("zoomFit").onclick = () => zoomTo(1, 0, 0);
$("view3d").onclick = () => {
  state.space = !state.space;
  showSpace();
  if (state.space) $("space").scrollIntoView({ block: "nearest" });
};
$("view3d").disabled = !total;
$("peel").oninput = () => peelTo(Number($("peel").value));
$("least").oninput = () => limits("least");
$("most").oninput = () => limits("most");
$("previous").onclick = () => step(-1);
$("next").onclick = () => step(1);
new ResizeObserver(() => state.images && draw()).observe(canvas.parentElement);
addEventListener("hashchange", openLink);
findScenes();
if (!openLink()) applyFind(); else $("matching").textContent = `all ${total} listed`;
if (!total) canvas.setAttribute("aria-busy", "false");
