// ---- the 3D view: trimesh's page with the scene's geometry in it, in a frame that can reach nothing
async function inflate(base64) {
  const packed = Uint8Array.from(atob(base64), (letter) => letter.charCodeAt(0));
  return new Uint8Array(await new Response(new Blob([packed]).stream().pipeThrough(new DecompressionStream("gzip"))).arrayBuffer());
}
async function showSpace() {
  const space = $("space"), button = $("view3d"), wanted = scene();
  space.hidden = !state.space;
  button.setAttribute("aria-pressed", String(state.space));
  button.title = wanted.glb ? "The scene's solids on the ground (3)" : "No object's place in this scene is known";
  button.disabled = !wanted.glb && !state.space;
  space.replaceChildren();
  if (!state.space) return;
  const problem = !wanted.glb ? button.title : make("canvas").getContext("webgl2") ? "" : "This browser draws no 3D: WebGL is off.";
  space.append(make("p", { className: "quiet", textContent: problem || `drag to turn, wheel to zoom · ${data.gridM} m grid` }));
  if (problem) return;
  const [page, glb] = await Promise.all([inflate(data.viewer), inflate(wanted.glb)]);
  if (wanted !== scene() || !state.space || space.querySelector("iframe")) return;
  const text = Array.from(glb, (byte) => String.fromCharCode(byte)).join("");
  const frame = make("iframe", { title: "3D view of the scene", sandbox: "allow-scripts" });
  frame.onload = tellSpace;
  frame.srcdoc = new TextDecoder().decode(page).replaceAll("$NONCE", nonce).replace("$B64GLTF", () => btoa(text));
  space.prepend(frame);
}
function tellSpace() {
  const frame = $("space").querySelector("iframe"), lit = inHand(), left = shown();
  const hidden = scene().objects.filter((object) => !left.includes(object)).map((object) => object.rank);
  if (frame) frame.contentWindow.postMessage({ hidden, lit: lit ? lit.rank : null }, "*");
}
