// ---- the panels
/* Where in the list the open scene stands, while it is still on its way too. */
function describePlace() {
  if (state.scene < 0) return;
  const place = order.indexOf(state.scene), bucket = data.buckets[scenes.bucket[state.scene]], split = data.splits[scenes.split[state.scene]];
  const about = make("span", { className: "quiet", textContent: [bucket, split].filter(Boolean).join(" · "), title: scenes.id[state.scene] });
  $("where").replaceChildren(make("strong", { textContent: place < 0 ? "Not listed" : `Scene ${place + 1} of ${order.length}` }), about);
  $("previous").disabled = place <= 0;
  $("next").disabled = place < 0 || place === order.length - 1;
  if (place >= 0 && page !== pageOf(state.scene)) turnTo(pageOf(state.scene)); else markCurrent();
  if (location.hash !== linkOf(state.scene)) history.replaceState(null, "", linkOf(state.scene));
}
function describeScene() {
  const { id, time, objects, large } = scene();
  $("name").textContent = [id, time && `${time} UTC`].filter(Boolean).join(" · ");
  $("small").hidden = large;
  $("peel").max = objects.length;
  $("order").replaceChildren(...objects.map((object) => make("i", { style: `background:${colour(object)}` })), make("i", { className: "end" }));
  $("objects").replaceChildren(...objects.map(objectRow));
}
function objectRow(object) {
  const button = make("button", { "aria-pressed": "false", "aria-label": `Object ${object.id}, ${object.category}, ${number(object.z)} metres, ${percent(hiddenOf(object))} hidden` },
    make("i", { style: `background:${colour(object)}` }), make("b", { textContent: object.id }), make("span", { className: "name", textContent: object.category }),
    make("span", { className: "deep", textContent: `${number(object.z)} m` }),
    make("span", { className: "seen", title: `${percent(hiddenOf(object))} hidden` }, make("s", { style: `width:${100 * object.visible}%` })));
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
    ["Hidden fraction", number(hiddenOf(object), 3)], ["Truncation", number(object.truncation, 3)], ["Occluded by", ids],
    ["Fit", `${object.fitOk == null ? "–" : object.fitOk ? "trusted" : "not trusted"}, ${number(object.residual)} px`], ["Score", number(object.score, 2)],
  ];
}
function ordinal(n) {
  const teen = n % 100 > 10 && n % 100 < 14;
  return n + (teen ? "th" : { 1: "st", 2: "nd", 3: "rd" }[n % 10] || "th");
}
function refresh() {
  if (!state.images) return;
  draw();
  tellSpace();
  const object = inHand(), all = scene().objects.length;
  $("row").hidden = !object;
  if (object) $("row").replaceChildren(...rowOf(object).flatMap(([name, value]) => [make("dt", { textContent: name }), make("dd", { textContent: value ?? "–" })]));
  $("peel").value = state.peel;
  $("peeled").textContent = state.peel === 0 ? "nothing removed" : state.peel === all ? "background only" : `${state.peel} of ${all} removed`;
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
