// ---- the picture: the scene itself, and over it, for each peeled object, the pixels that were behind it
function load(jpeg) {
  const image = new Image();
  image.src = `data:image/jpeg;base64,${jpeg}`;
  return image.decode().then(() => image);
}
async function openScene(number) {
  if (number < 0) return;
  canvas.setAttribute("aria-busy", "true");
  if (state.scene >= 0) $("problem").hidden = true; // what the first one's address lacked stays told
  state.scene = number;
  describePlace();
  let wanted, pictures;
  try {
    wanted = await sceneOf(number);
    pictures = await Promise.all([load(wanted.jpeg), ...wanted.objects.map((o) => o.behind && load(o.behind.jpeg))]);
  } catch (problem) {
    if (number === state.scene) complain(String(problem.message || problem));
    return;
  }
  if (number !== state.scene) return;
  const [image, ...behind] = pictures;
  current = wanted;
  Object.assign(state, { peel: 0, hovered: null, chosen: null, images: { image, behind }, zoom: 1, left: 0, top: 0 });
  describeScene();
  showSpace();
  refresh();
  canvas.setAttribute("aria-busy", "false");
}
function complain(problem) {
  $("problem").hidden = false;
  $("problem").textContent = problem;
  canvas.setAttribute("aria-busy", "false");
}
function paintPicture() {
  const { image, behind } = state.images, to = picture.getContext("2d");
  [picture.width, picture.height] = [image.naturalWidth, image.naturalHeight];
  to.drawImage(image, 0, 0);
  scene().objects.slice(0, state.peel).forEach((object, i) => {
    if (behind[i]) return to.drawImage(behind[i], object.behind.rect[0], object.behind.rect[1]);
    to.setTransform(scene().scale, 0, 0, scene().scale, 0, 0);
    to.fillStyle = "#e6e2da"; to.fill(object.seenPath, "evenodd");
    to.fillStyle = hatch(to, "#b9b3a7", 1 / scene().scale); to.fill(object.seenPath, "evenodd");
    to.setTransform(1, 0, 0, 1, 0, 0);
  });
}
