// ---- the labels, in the frame's pixels; px is one screen pixel in them
let px = 1;
/* Canvas pixels of a frame's pixel where the whole frame is shown. */
const fit = () => canvas.width / scene().size[0];
function draw() {
  if (!state.images) return;
  paintPicture();
  const [width, height] = scene().size, wide = Math.max(1, Math.round(canvas.clientWidth * devicePixelRatio));
  [canvas.width, canvas.height] = [wide, Math.round((height * wide) / width)];
  [scratch.width, scratch.height] = [canvas.width, canvas.height];
  const zoom = fit() * state.zoom;
  px = devicePixelRatio / zoom;
  ctx.setTransform(zoom, 0, 0, zoom, -state.left * zoom, -state.top * zoom);
  ctx.imageSmoothingQuality = "high";
  ctx.imageSmoothingEnabled = zoom < 3 * scene().scale; // enlarged further, one wants to see the pixels
  ctx.drawImage(picture, 0, 0, width, height);
  const farToNear = shown().reverse();
  for (const object of farToNear) if (state.layers.visible) drawVisible(object);
  for (const object of farToNear) if (state.layers.amodal) drawAmodal(object);
  for (const object of farToNear) if (state.layers.box3d) drawBox3d(object);
  for (const object of farToNear) drawBoxes(object);
  for (const object of farToNear) if (state.layers.keypoints) drawKeypoints(object);
  if (inHand() && shown().includes(inHand())) drawInHand(inHand());
  if (state.layers.ids) placeIds(shown()).forEach(drawId);
  canvas.setAttribute("aria-label", `Scene ${scene().id}: ${scene().objects.length} objects, ${state.peel} peeled off, ${farToNear.length} labelled`);
}
function hatch(target, ink, unit) {
  const tile = make("canvas", { width: 8, height: 8 }), to = tile.getContext("2d");
  to.strokeStyle = ink; to.lineWidth = 1.6; to.lineCap = "square";
  for (const shift of [-8, 0, 8]) { to.beginPath(); to.moveTo(shift, 8); to.lineTo(shift + 8, 0); to.stroke(); }
  const pattern = target.createPattern(tile, "repeat");
  pattern.setTransform(new DOMMatrix([unit, 0, 0, unit, 0, 0]));
  return pattern;
}
/* What shows of an object: the shard's visible mask or, once an occluder is peeled off, what the remaining ones leave. */
function seenNow(object) {
  const peeled = scene().objects.slice(0, state.peel);
  if (!peeled.some((other) => (object.occluders || []).includes(other.id))) return { path: object.seenPath, minus: [] };
  return { path: object.amodalPath, minus: scene().objects.slice(state.peel, object.rank).map((other) => other.amodalPath) };
}
function region(paint, minus, alpha) {
  const to = scratch.getContext("2d");
  to.globalCompositeOperation = "source-over";
  to.setTransform(1, 0, 0, 1, 0, 0);
  to.clearRect(0, 0, scratch.width, scratch.height);
  to.setTransform(ctx.getTransform());
  paint(to);
  to.globalCompositeOperation = "destination-out"; to.fillStyle = "#000";
  for (const path of minus) to.fill(path, "evenodd");
  ctx.save();
  ctx.setTransform(1, 0, 0, 1, 0, 0);
  ctx.globalAlpha = alpha;
  ctx.drawImage(scratch, 0, 0);
  ctx.restore();
}
function drawVisible(object) {
  const tint = colour(object), seen = seenNow(object);
  region((to) => { to.fillStyle = tint; to.fill(seen.path, "evenodd"); }, seen.minus, 0.42);
  region((to) => { to.strokeStyle = tint; to.lineWidth = 1.6 * px; to.stroke(seen.path); }, seen.minus, 1);
}
/* The outline of the whole object, dashed, and what nearer ones hide of it, hatched. */
function drawAmodal(object) {
  const tint = colour(object), seen = seenNow(object);
  const hides = seen.path === object.amodalPath ? seen.minus : null;
  const fillHidden = (to) => {
    to.fillStyle = hatch(to, tint, px);
    if (!hides) return to.fill(object.amodalPath, "evenodd");
    to.save(); to.clip(object.amodalPath, "evenodd");
    for (const path of hides) to.fill(path, "evenodd");
    to.restore();
  };
  region(fillHidden, hides ? [] : [object.seenPath], 0.9);
  ctx.save();
  ctx.strokeStyle = tint; ctx.lineWidth = 1.6 * px; ctx.setLineDash([5 * px, 3.5 * px]);
  ctx.stroke(object.amodalPath);
  ctx.globalAlpha = 0.14; ctx.fillStyle = tint; ctx.fill(object.amodalPath, "evenodd");
  ctx.restore();
}
function drawBoxes(object) {
  for (const [layer, box, dash] of [["boxAmodal", object.boxAmodal, [6 * px, 4 * px]], ["boxVisible", object.boxVisible, []]]) {
    if (!state.layers[layer] || !box) continue;
    ctx.setLineDash(dash);
    haloed(() => ctx.strokeRect(...box), colour(object), 1.8);
    ctx.setLineDash([]);
  }
}
function haloed(stroke, tint, width) {
  ctx.strokeStyle = "rgba(20,18,15,.45)"; ctx.lineWidth = (width + 1.6) * px; stroke();
  ctx.strokeStyle = tint; ctx.lineWidth = width * px; stroke();
}
/* Edge coordinates of a camera-frame point: K and OpenCV's k1 k2 p1 p2 k3; half a pixel from centres to edges. */
function project([X, Y, Z]) {
  const [k1, k2, p1, p2, k3] = scene().distortion || [0, 0, 0, 0, 0], K = scene().K, x = X / Z, y = Y / Z;
  const r2 = x * x + y * y, radial = 1 + r2 * (k1 + r2 * (k2 + r2 * k3));
  const u = x * radial + 2 * p1 * x * y + p2 * (r2 + 2 * x * x), v = y * radial + p1 * (r2 + 2 * y * y) + 2 * p2 * x * y;
  return [K[0] * u + K[1] * v + K[2] + 0.5, K[4] * v + K[5] + 0.5];
}
function corners({ R, t, dims: [l, w, h] }) {
  const all = [];
  for (const z of [0, h]) for (const [x, y] of [[l, w], [l, -w], [-l, -w], [-l, w]]) {
    const p = [x / 2, y / 2, z];
    all.push([0, 1, 2].map((i) => R[3 * i] * p[0] + R[3 * i + 1] * p[1] + R[3 * i + 2] * p[2] + t[i]));
  }
  return all;
}
function lineTo3d(path, a, b, begin) {
  // Short steps bend with the lens; nothing behind the camera is drawn.
  for (let i = 0; i <= 8; i++) {
    const p = a.map((v, axis) => v + ((b[axis] - v) * i) / 8);
    if (p[2] < 0.2) continue;
    i === 0 && begin ? path.moveTo(...project(p)) : path.lineTo(...project(p));
  }
}
function face(all, indices) {
  const path = new Path2D();
  indices.forEach((corner, i) => lineTo3d(path, all[corner], all[indices[(i + 1) % indices.length]], i === 0));
  return path;
}
function drawBox3d(object) {
  const known = (values, n) => values && values.length === n && values.every((v) => v != null);
  if (!known(object.R, 9) || !known(object.t, 3) || !known(object.dims, 3)) return;
  const all = corners(object), tint = colour(object);
  ctx.fillStyle = tint;
  ctx.globalAlpha = 0.22; ctx.fill(face(all, [0, 1, 2, 3]));
  ctx.globalAlpha = 0.3; ctx.fill(face(all, [0, 1, 5, 4]));
  ctx.globalAlpha = 1; ctx.lineJoin = "round";
  const wires = new Path2D();
  for (const ring of [[0, 1, 2, 3], [4, 5, 6, 7], [0, 1, 5, 4], [2, 3, 7, 6]]) wires.addPath(face(all, ring));
  haloed(() => ctx.stroke(wires), tint, 1.6);
}
function drawKeypoints(object) {
  const points = [];
  for (let i = 0; i + 1 < (object.keypoints || []).length; i += 2)
    points.push(object.keypoints[i] == null || object.keypoints[i + 1] == null ? null : [object.keypoints[i] + 0.5, object.keypoints[i + 1] + 0.5]);
  ctx.strokeStyle = "rgba(255,255,255,.75)"; ctx.lineWidth = 1.2 * px;
  for (const [a, b] of LINKS[points.length] || []) if (points[a] && points[b]) {
    ctx.beginPath(); ctx.moveTo(...points[a]); ctx.lineTo(...points[b]); ctx.stroke();
  }
  points.forEach((point, i) => point && drawKeypoint(point, (object.states || [])[i]));
}
/* Told apart by fill and colour: full where visible, ringed where the object hides itself, crossed where hidden or outside. */
function drawKeypoint([x, y], kind, to = ctx, unit = px) {
  const tint = STATE_COLOURS[kind] || "#ffffff", r = 3 * unit;
  to.beginPath();
  if (kind === "occluded" || kind === "truncated") {
    to.moveTo(x - r, y - r); to.lineTo(x + r, y + r); to.moveTo(x + r, y - r); to.lineTo(x - r, y + r);
  } else to.arc(x, y, r, 0, 7);
  to.strokeStyle = "rgba(20,18,15,.75)"; to.lineWidth = 3.6 * unit; to.stroke();
  to.strokeStyle = tint; to.lineWidth = 1.8 * unit; to.stroke();
  if (kind === "visible") { to.fillStyle = tint; to.fill(); }
}
const anchor = (object) => (object.boxVisible || object.boxAmodal || [0, 0, 0, 0]);
/* Labels from near to far; a later one steps down until it covers none before it. */
function placeIds(objects) {
  const placed = [], step = 19 * px;
  for (const object of objects) {
    const [x, y] = anchor(object), at = { object, x: Math.max(0, x), y: Math.max(0, y - step) };
    at.text = String(object.id);
    ctx.font = `600 ${12 * px}px system-ui, "Liberation Sans", sans-serif`;
    at.width = ctx.measureText(at.text).width + 10 * px;
    const clash = (o) => Math.abs(o.y - at.y) < step && o.x < at.x + at.width && at.x < o.x + o.width;
    while (placed.some(clash) && at.y < scene().size[1]) at.y += step;
    placed.push(at);
  }
  return placed;
}
function drawId({ object, x, y, width, text }) {
  ctx.fillStyle = colour(object); ctx.beginPath(); ctx.roundRect(x, y, width, 17 * px, 4 * px); ctx.fill();
  ctx.fillStyle = "#14120f"; ctx.font = `600 ${12 * px}px system-ui, "Liberation Sans", sans-serif`; ctx.fillText(text, x + 5 * px, y + 12.8 * px);
}
function drawInHand(object) {
  ctx.strokeStyle = "rgba(20,18,15,.5)"; ctx.lineWidth = 5 * px; ctx.stroke(object.amodalPath);
  ctx.strokeStyle = "#ffffff"; ctx.lineWidth = 2.4 * px; ctx.stroke(object.amodalPath);
}
