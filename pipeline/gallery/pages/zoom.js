// ---- zoom and pan: the frame's pixel at the top left, and how often larger than whole it is shown
const MOST = 16;
function zoomTo(wanted, x, y) {
  const [width, height] = scene().size, before = state.zoom;
  state.zoom = Math.min(Math.max(wanted, 1), MOST);
  // What is at x, y of the frame stays where it is on the screen.
  state.left = x - ((x - state.left) * before) / state.zoom;
  state.top = y - ((y - state.top) * before) / state.zoom;
  keepInside(width, height);
}
function keepInside(width, height) {
  state.left = Math.min(Math.max(state.left, 0), width - width / state.zoom);
  state.top = Math.min(Math.max(state.top, 0), height - height / state.zoom);
  canvas.style.touchAction = state.zoom > 1 ? "none" : "pan-y";
  canvas.classList.toggle("zoomed", state.zoom > 1);
  $("zoomed").textContent = `${Math.round(100 * state.zoom)} %`;
  $("zoomOut").disabled = $("zoomFit").disabled = state.zoom === 1;
  $("zoomIn").disabled = state.zoom === MOST;
  refresh();
}
function pan(x, y) {
  state.left += x;
  state.top += y;
  keepInside(...scene().size);
}
function zoomMiddle(factor) {
  const [width, height] = scene().size;
  zoomTo(state.zoom * factor, state.left + width / state.zoom / 2, state.top + height / state.zoom / 2);
}
/* The frame's pixel under a point of the window, and the frame's pixels of one of the window's. */
function inFrame({ clientX, clientY }) {
  const box = canvas.getBoundingClientRect(), each = scene().size[0] / box.width / state.zoom;
  return { x: state.left + (clientX - box.left) * each, y: state.top + (clientY - box.top) * each, each };
}
canvas.addEventListener("wheel", (event) => {
  const closer = event.deltaY < 0;
  if (!state.images || (!closer && state.zoom === 1)) return; // the page scrolls on
  event.preventDefault();
  const { x, y } = inFrame(event);
  zoomTo(state.zoom * Math.exp(-event.deltaY * (event.deltaMode ? 0.05 : 0.0022)), x, y);
}, { passive: false });

const fingers = new Map();
let dragged = 0;
canvas.addEventListener("pointerdown", (event) => {
  if (!fingers.size) dragged = 0;
  fingers.set(event.pointerId, event);
  try { canvas.setPointerCapture(event.pointerId); } catch { /* a pointer that is gone already */ }
});
for (const kind of ["pointerup", "pointercancel"]) canvas.addEventListener(kind, (event) => fingers.delete(event.pointerId));
/* Whether a pointer's move moved the picture. */
function moved(event) {
  const before = fingers.get(event.pointerId);
  if (!before || !state.images) return false;
  fingers.set(event.pointerId, event);
  dragged += Math.hypot(event.clientX - before.clientX, event.clientY - before.clientY);
  const other = [...fingers.values()].find((finger) => finger.pointerId !== event.pointerId);
  const { each } = inFrame(event);
  if (!other) {
    if (state.zoom > 1 && dragged > 3) pan((before.clientX - event.clientX) * each, (before.clientY - event.clientY) * each);
    return state.zoom > 1;
  }
  const apart = (finger) => Math.max(1, Math.hypot(finger.clientX - other.clientX, finger.clientY - other.clientY));
  const { x, y } = inFrame({ clientX: (event.clientX + other.clientX) / 2, clientY: (event.clientY + other.clientY) / 2 });
  zoomTo((state.zoom * apart(event)) / apart(before), x, y);
  return true;
}
