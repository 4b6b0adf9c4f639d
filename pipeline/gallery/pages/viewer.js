scene.background = new THREE.Color("#f8f7f4");
const plain = render;
let told = { hidden: [], lit: null }, waiting = null;
render = () => {
  if (waiting) layGround(waiting);
  waiting = null;
  scene.traverse((part) => {
    const rank = part.isMesh && /^object-(\d+)/.exec(part.name);
    if (!rank) return;
    part.visible = !told.hidden.includes(Number(rank[1]));
    part.material.emissive.setHex(told.lit === Number(rank[1]) ? 0x4a4a4a : 0);
  });
  plain();
};

/* The background laid on the ground: each point of the plane has the colour of the pixel in which the camera sees it. */
const SEEN = `
  uniform sampler2D picture; uniform mat4 T_cam_gltf; uniform mat3 K; uniform float lens[5]; uniform vec2 size; uniform float reach;
  varying vec3 point;
  void main() {
    vec3 p = (T_cam_gltf * vec4(point, 1.0)).xyz;
    if (p.z < 0.1) discard;
    vec2 n = p.xy / p.z;
    float r2 = dot(n, n);
    if (r2 > 1.02 * reach) discard;
    float radial = 1.0 + r2 * (lens[0] + r2 * (lens[1] + r2 * lens[4]));
    vec2 bent = n * radial + vec2(2.0 * lens[2] * n.x * n.y + lens[3] * (r2 + 2.0 * n.x * n.x),
      lens[2] * (r2 + 2.0 * n.y * n.y) + 2.0 * lens[3] * n.x * n.y);
    vec2 uv = ((K * vec3(bent, 1.0)).xy + 0.5) / size;
    if (min(uv.x, uv.y) < 0.0 || max(uv.x, uv.y) > 1.0) discard;
    gl_FragColor = texture2D(picture, vec2(uv.x, 1.0 - uv.y));
  }`;
const PLACED = `
  varying vec3 point;
  void main() { vec4 p = modelMatrix * vec4(position, 1.0); point = p.xyz; gl_Position = projectionMatrix * viewMatrix * p; }`;
function layGround({ jpeg, T_cam_gltf, reach, K, distortion, size }) {
  const image = new Image();
  image.onload = () => {
    const texture = new THREE.Texture(image), grid = new THREE.Box3().setFromObject(scene.getObjectByName("ground"));
    texture.needsUpdate = true;
    texture.anisotropy = renderer.capabilities.getMaxAnisotropy();
    const uniforms = {
      picture: { value: texture }, reach: { value: reach }, lens: { value: distortion }, size: { value: new THREE.Vector2(...size) },
      T_cam_gltf: { value: new THREE.Matrix4().set(...T_cam_gltf, 0, 0, 0, 1) }, K: { value: new THREE.Matrix3().set(...K) },
    };
    const material = new THREE.ShaderMaterial({ uniforms, vertexShader: PLACED, fragmentShader: SEEN, side: THREE.DoubleSide });
    const plane = new THREE.Mesh(new THREE.PlaneGeometry(grid.max.x - grid.min.x, grid.max.z - grid.min.z), material);
    plane.rotation.x = -Math.PI / 2;
    plane.position.set((grid.min.x + grid.max.x) / 2, -0.03, (grid.min.z + grid.max.z) / 2); // the grid's lines lie on it
    plane.name = "background";
    scene.add(plane);
    render();
  };
  image.src = `data:image/jpeg;base64,${jpeg}`;
}
addEventListener("message", ({ data }) => {
  if (data.ground) waiting = data.ground; else told = data;
  if (controls) render();
});
