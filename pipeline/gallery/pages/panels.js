// ---- the panels
function describeScene() {
  const { id, bucket, time, objects } = scene();
  $("where").replaceChildren(make("strong", { textContent: `Scene ${state.scene + 1} of ${data.scenes.length}` }), make("span", { className: "quiet", textContent: bucket, title: `${id}${time ? `, ${time} UTC` : ""}` }));
  $("peel").max = objects.length;
  $("order").replaceChildren(...objects.map((object) => make("i", { style: `background:${colour(object)}` })), make("i", { className: "end" }));
  $("objects").replaceChildren(...objects.map(objectRow));
  for (const button of document.querySelectorAll("#thumbs button")) button.setAttribute("aria-current", String(Number(button.dataset.scene) === state.scene));
  const current = document.querySelector('#thumbs [aria-current="true"]'), list = $("thumbs");
  if (current) list.scrollTop = Math.max(0, current.parentElement.offsetTop - list.offsetTop - 90);
}
function objectRow(object) {
  const button = make("button", { "aria-pressed": "false", "aria-label": `Object ${object.id}, ${object.category}, ${number(object.z)} metres, ${percent(object.visible)} visible` },
    make("i", { style: `background:${colour(object)}` }), make("b", { textContent: object.id }), make("span", { className: "name", textContent: object.category }),
    make("span", { className: "deep", textContent: `${number(object.z)} m` }),
    make("span", { className: "seen", title: `${percent(object.visible)} visible` }, make("s", { style: `width:${100 * object.visible}%` })));
  button.onclick = () => choose(object);
  button.onmouseenter = () => hover(object);
  button.onmouseleave = () => hover(null);
  return make("li", {}, button);
}
function rowOf(object) {
  const ids = (object.occluders || []).join(", ") || "none";
  return [
    ["Object", `${object.id}, ${object.category}`], ["Track", object.track], ["Source frame", object.frame], ["Cutout", object.cutout],
    ["Depth", `${number(object.z, 2)} m, ${ordinal(object.rank + 1)} nearest`],
    ["Length, width, height", object.dims ? `${object.dims.map((v) => number(v, 2)).join(" × ")} m` : "–"],
    ["Visible fraction", number(object.visible, 3)], ["Truncation", number(object.truncation, 3)], ["Occluded by", ids],
    ["Fit", `${object.fitOk == null ? "–" : object.fitOk ? "trusted" : "not trusted"}, ${number(object.residual)} px`], ["Score", number(object.score, 2)],
  ];
}
function ordinal(n) {
  const teen = n % 100 > 10 && n % 100 < 14;
  return n + (teen ? "th" : { 1: "st", 2: "nd", 3: "rd" }[n % 10] || "th");
}
function refresh() {
  if (!data.scenes.length) return;
  draw();
  tellSpace();
  const object = inHand(), count = scene().objects.length;
  $("row").hidden = !object;
  if (object) $("row").replaceChildren(...rowOf(object).flatMap(([name, value]) => [make("dt", { textContent: name }), make("dd", { textContent: value ?? "–" })]));
  $("peel").value = state.peel;
  $("peeled").textContent = state.peel === 0 ? "nothing removed" : state.peel === count ? "background only" : `${state.peel} of ${count} removed`;
  [...$("order").children].forEach((dot, i) => dot.classList.toggle("gone", i < state.peel));
  [...$("objects").children].forEach(({ firstChild: button }, i) => {
    const each = scene().objects[i];
    button.classList.toggle("gone", i < state.peel);
    button.classList.toggle("out", !passes(each));
    button.classList.toggle("near", each === state.hovered);
    button.setAttribute("aria-pressed", String(each === state.chosen));
  });
}
function choose(object) { state.chosen = state.chosen === object ? null : object; refresh(); }
function hover(object) { if (state.hovered !== object) { state.hovered = object; refresh(); } }
function peelTo(count) { state.peel = Math.min(Math.max(count, 0), scene().objects.length); state.hovered = null; refresh(); }
const order = () => data.scenes.map((_, i) => i).filter((i) => matches(data.scenes[i]));
function step(by) {
  const ahead = order().filter((i) => (by > 0 ? i > state.scene : i < state.scene));
  if (ahead.length) openScene(by > 0 ? ahead[0] : ahead[ahead.length - 1]);
}
function applyFilter() {
  const left = new Set(order()), first = Math.min(...left);
  document.querySelectorAll("#thumbs li").forEach((item, i) => (item.hidden = !left.has(i)));
  $("matching").textContent = left.size === data.scenes.length ? `${left.size} of ${data.total} in the shards` : `${left.size} of ${data.scenes.length} match`;
  $("between").textContent = `${state.least} – ${state.most} %`;
  $("track").style.setProperty("--from", `${state.least}%`);
  $("track").style.setProperty("--to", `${state.most}%`);
  $("empty").hidden = left.size > 0;
  $("previous").disabled = $("next").disabled = left.size < 2;
  if (left.size && !left.has(state.scene)) openScene(first); else if (data.scenes.length) refresh();
}
