// ---- the 3D view: trimesh's page with the scene's geometry in it, in a frame that can reach nothing
async function showSpace() {
  const space = $("space"), button = $("view3d"), wanted = scene();
  space.hidden = !state.space;
  button.setAttribute("aria-pressed", String(state.space));
  const none = wanted.large ? "No object's place in this scene is known" : "Scenes with a small picture have no 3D view";
  button.title = wanted.glb ? "The scene's solids on the ground (3)" : none;
  button.disabled = !wanted.glb && !state.space;
  space.replaceChildren();
  if (!state.space) return;
  const problem = !wanted.glb ? button.title : make("canvas").getContext("webgl2") ? "" : "This browser draws no 3D: WebGL is off.";
  space.append(make("p", { className: "quiet", textContent: problem || `drag to turn, wheel to zoom · ${data.gridM} m grid` }));
  if (problem) return;
  const [viewer, ground] = await Promise.all([inflate(data.viewer), groundOf(wanted.bucket)]);
  if (wanted !== scene() || !state.space || space.querySelector("iframe")) return;
  const frame = make("iframe", { title: "3D view of the scene", sandbox: "allow-scripts" });
  frame.onload = () => {
    const { K, distortion, size } = wanted;
    if (ground) frame.contentWindow.postMessage({ ground: { ...ground, ...wanted.ground, K, distortion: distortion || [0, 0, 0, 0, 0], size } }, "*");
    tellSpace();
  };
  frame.srcdoc = new TextDecoder().decode(viewer).replaceAll("$NONCE", nonce).replace("$B64GLTF", () => wanted.glb);
  space.prepend(frame);
}
function tellSpace() {
  const frame = $("space").querySelector("iframe"), lit = inHand(), left = shown();
  const hidden = scene().objects.filter((object) => !left.includes(object)).map((object) => object.rank);
  if (frame) frame.contentWindow.postMessage({ hidden, lit: lit ? lit.rank : null }, "*");
}
