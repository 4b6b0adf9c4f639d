// ---- every scene's columns, and the scenes themselves, which are files of the folder beside the page
const { scenes, objects: things, cutouts } = data, total = scenes.id.length;
const first = new Int32Array(total + 1); // where a scene's objects begin among all
for (let i = 0; i < total; i++) first[i + 1] = first[i] + scenes.count[i];
const numberOf = new Map(scenes.id.map((id, i) => [id, i]));

const KEPT = 12; // scenes in memory
const kept = new Map(), arrivals = new Map();
/* Called by the scenes' files. */
function addScene(id, packed) { arrivals.get(`scene ${id}`)?.(packed); }
function addGround(bucket, packed) { arrivals.get(`ground ${bucket}`)?.(packed); }
/* What a file of the folder hands over under a key. A page opened as a file may run scripts of its folder, not read it. */
async function fetchFile(path, key) {
  const packed = await new Promise((resolve, reject) => {
    const script = make("script", { nonce, src: `${encodeURIComponent(data.folder)}/${path}` });
    arrivals.set(key, resolve);
    script.onload = () => { script.remove(); reject(new Error(`${data.folder}/${path} is of another data set: make the gallery again`)); };
    script.onerror = () => { script.remove(); reject(new Error(`${data.folder}/${path} is missing: keep the folder ${data.folder} beside this page`)); };
    document.head.append(script);
  }).finally(() => arrivals.delete(key));
  return JSON.parse(new TextDecoder().decode(await inflate(packed)));
}
const fileOf = (number, ending) => `${encodeURIComponent(data.parts[scenes.part[number]])}/${String(scenes.row[number]).padStart(5, "0")}.${ending}`;
async function sceneOf(number) {
  let found = kept.get(number);
  if (!found) {
    found = await fetchFile(fileOf(number, "js"), `scene ${scenes.id[number]}`);
    found.large = Boolean(scenes.large[number]);
    found.objects.forEach((object, rank) =>
      Object.assign(object, { rank, thing: first[number] + rank, amodalPath: pathOf(object.amodal), seenPath: pathOf(object.seen) }));
  }
  kept.delete(number);
  kept.set(number, found);
  for (const oldest of kept.keys()) if (kept.size > KEPT) kept.delete(oldest);
  return found;
}
const grounds = new Map();
function groundOf(bucket) {
  if (!data.layers) return Promise.resolve(null);
  if (!grounds.has(bucket)) {
    const place = String(data.buckets.indexOf(bucket)).padStart(2, "0");
    grounds.set(bucket, fetchFile(`ground/${place}.js`, `ground ${bucket}`).catch(() => null));
  }
  return grounds.get(bucket);
}
async function inflate(base64) {
  const packed = Uint8Array.from(atob(base64), (letter) => letter.charCodeAt(0));
  return new Uint8Array(await new Response(new Blob([packed]).stream().pipeThrough(new DecompressionStream("gzip"))).arrayBuffer());
}
