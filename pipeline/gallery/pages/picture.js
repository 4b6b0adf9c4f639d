// ---- the picture: the scene itself, and over it, for each peeled object, the pixels that were behind it
function load(jpeg) {
  const image = new Image();
  image.src = `data:image/jpeg;base64,${jpeg}`;
  return image.decode().then(() => image);
}
async function openScene(index) {
  canvas.setAttribute("aria-busy", "true");
  Object.assign(state, { scene: index, peel: 0, hovered: null, chosen: null, images: null });
  const wanted = scene();
  describeScene();
  showSpace();
  const [image, ...behind] = await Promise.all([load(wanted.jpeg), ...wanted.objects.map((o) => o.behind && load(o.behind.jpeg))]);
  if (wanted !== scene()) return;
  state.images = { image, behind };
  refresh();
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
