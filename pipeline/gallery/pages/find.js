// ---- which scenes are listed, in which order: `thing` is a place in the columns of all scenes' objects
const find = { classes: new Set(), least: 0, most: 100, track: null, cutout: null, bucket: "", split: "", sort: "hidden", reversed: false };
const HIDDEN = 1000 * data.openTo; // thousandths: hidden by more, an object counts as hidden
const PER_PAGE = 60;
let order = [], page = 0;

function passesThing(thing) {
  const cutout = things.cutout[thing], hidden = things.hidden[thing] / 10;
  return hidden >= find.least - 0.5 && hidden <= find.most + 0.5
    && !find.classes.has(cutouts.category[cutout])
    && (find.track === null || cutouts.track[cutout] === find.track)
    && (find.cutout === null || cutouts.id[cutout] === find.cutout);
}
const passes = (object) => passesThing(object.thing);
const anyObject = () => !find.classes.size && find.least === 0 && find.most === 100 && find.track === null && find.cutout === null;

/* By name of an order: its label, and a number of a scene's passing objects, the largest first. */
const ORDERS = {
  hidden: ["most objects hidden", (found) => count(found, (thing) => things.hidden[thing] > HIDDEN) + sum(found) / 1e6],
  most: ["greatest hidden fraction", (found) => found.reduce((most, thing) => Math.max(most, things.hidden[thing]), -1)],
  mean: ["hidden fraction on average", (found) => sum(found) / Math.max(found.length, 1)],
  count: ["most objects", (found) => found.length],
  ...Object.fromEntries(data.categories.map((name, i) => [`category ${i}`, [`most of ${name}`, (found) => count(found, (thing) => cutouts.category[things.cutout[thing]] === i)]])),
  bucket: ["time bucket", (found, i) => -scenes.bucket[i]],
  track: ["lowest track", (found) => -found.reduce((least, thing) => Math.min(least, cutouts.track[things.cutout[thing]]), Infinity)],
  shard: ["order of the shards", (found, i) => -i],
};
const count = (found, which) => found.reduce((n, thing) => n + which(thing), 0);
const sum = (found) => found.reduce((total, thing) => total + things.hidden[thing], 0);

function passingThings(number) {
  const found = [];
  for (let thing = first[number]; thing < first[number + 1]; thing++) if (passesThing(thing)) found.push(thing);
  return found;
}
function findScenes() {
  const [, key] = ORDERS[find.sort], keys = new Float64Array(total), any = anyObject();
  order = [];
  for (let i = 0; i < total; i++) {
    if (find.bucket !== "" && scenes.bucket[i] !== find.bucket) continue;
    if (find.split !== "" && scenes.split[i] !== find.split) continue;
    const found = passingThings(i);
    if (!found.length && !(any && !scenes.count[i])) continue;
    keys[i] = key(found, i);
    order.push(i);
  }
  const way = find.reversed ? -1 : 1;
  order.sort((a, b) => (keys[b] > keys[a] ? way : keys[b] < keys[a] ? -way : a - b));
}

/* Everything that hangs on the filter and the order; stays at the open scene where that is still listed. */
function applyFind() {
  findScenes();
  $("matching").textContent = order.length === total ? `all ${total} listed` : `${order.length} of ${total} match`;
  $("between").textContent = `${find.least} – ${find.most} %`;
  $("span").style.setProperty("--from", `${find.least}%`);
  $("span").style.setProperty("--to", `${find.most}%`);
  $("empty").hidden = order.length > 0;
  $("reverse").setAttribute("aria-pressed", String(find.reversed));
  if (order.length && !order.includes(state.scene)) { turnTo(0); openScene(order[0]); return; }
  turnTo(pageOf(state.scene));
  describePlace();
  refresh();
}
function resort() {
  findScenes();
  turnTo(0);
  if (order.length) openScene(order[0]);
}
function clearFind() {
  Object.assign(find, { least: 0, most: 100, track: null, cutout: null, bucket: "", split: "" });
  find.classes.clear();
  for (const id of ["track", "cutout", "bucket", "split"]) $(id).value = "";
  [$("least").value, $("most").value] = [0, 100];
  for (const box of document.querySelectorAll("#classes input")) box.checked = true;
  for (const id of ["track", "cutout"]) $(id).removeAttribute("aria-invalid");
}
const pageOf = (number) => Math.max(0, Math.floor(order.indexOf(number) / PER_PAGE));
const pages = () => Math.max(1, Math.ceil(order.length / PER_PAGE));

/* A page of thumbnails: pictures beside the page, read when they come into view. */
function turnTo(wanted) {
  page = Math.min(Math.max(wanted, 0), pages() - 1);
  $("thumbs").replaceChildren(...order.slice(page * PER_PAGE, (page + 1) * PER_PAGE).map(thumbnail));
  $("page").textContent = `page ${page + 1} of ${pages()}`;
  $("pager").hidden = pages() < 2;
  $("pageBack").disabled = page === 0;
  $("pageOn").disabled = page === pages() - 1;
  $("thumbs").scrollTop = 0;
  markCurrent();
}
function thumbnail(number) {
  const found = Array.from({ length: scenes.count[number] }, (_, i) => first[number] + i), hidden = count(found, (thing) => things.hidden[thing] > HIDDEN);
  const picture = make("img", { loading: "lazy", decoding: "async", alt: "", src: `${encodeURIComponent(data.folder)}/${fileOf(number, "jpg")}` });
  const told = `${found.length} objects, ${hidden} of them hidden by more than ${percent(data.openTo)}`;
  const button = make("button", { "aria-label": `Scene ${scenes.id[number]}: ${told}`, title: `${scenes.id[number]}: ${told}` }, picture, make("span", { textContent: `${hidden} / ${found.length}` }));
  button.dataset.scene = number;
  button.onclick = () => openScene(number);
  return make("li", {}, button);
}
function markCurrent() {
  for (const button of document.querySelectorAll("#thumbs button")) button.setAttribute("aria-current", String(Number(button.dataset.scene) === state.scene));
  const current = document.querySelector('#thumbs [aria-current="true"]'), list = $("thumbs");
  if (current) list.scrollTop = Math.max(0, current.parentElement.offsetTop - list.offsetTop - 90);
}
function step(by) {
  const place = order.indexOf(state.scene) + by;
  if (place >= 0 && place < order.length) openScene(order[place]);
}

// ---- a link to a scene: its name behind the page's #
const linkOf = (number) => `#scene=${encodeURIComponent(scenes.id[number]).replaceAll("%2F", "/")}`;
function linked() {
  const found = /^#scene=(.*)$/.exec(location.hash);
  if (!found) return null;
  let id = found[1];
  try { id = decodeURIComponent(id); } catch { /* not ours: no scene has this name */ }
  return { id, number: numberOf.get(id) ?? -1 };
}
function openLink() {
  const link = linked();
  if (link && link.number < 0) complain(`No scene is called ${link.id}.`);
  if (!link || link.number < 0 || link.number === state.scene) return false;
  if (!order.includes(link.number)) { clearFind(); findScenes(); $("matching").textContent = `all ${total} listed`; }
  turnTo(pageOf(link.number));
  openScene(link.number);
  return true;
}
async function copyLink() {
  const address = location.href.split("#")[0] + linkOf(state.scene);
  try { await navigator.clipboard.writeText(address); } catch {
    const box = make("textarea", { value: address, style: "position:fixed;opacity:0" });
    document.body.append(box);
    box.select();
    document.execCommand("copy");
    box.remove();
    $("link").focus();
  }
  $("copied").textContent = "Link copied";
  setTimeout(() => { $("copied").textContent = ""; }, 2500);
}
