// Zoom and pan: one transformation of the picture, moved by wheel, drag, pinch, keys and buttons.

const ZOOM = [0.2, 8];
const DRAG_FROM = 4; // pixels; less is a click

function createCamera(svg, apply) {
  const camera = { k: 1, x: 0, y: 0, size: null };
  let moved = false;

  const clamp = (value, low, high) => Math.min(Math.max(value, low), high);

  /** Keeps the picture in the window: what is smaller stays at its start, what is larger leaves no gap. */
  function settle() {
    const { place, width, height } = camera.size;
    camera.k = clamp(camera.k, Math.min(ZOOM[1], width / place.width, 1), ZOOM[1]);
    const [w, h] = [place.width * camera.k, place.height * camera.k];
    camera.x = w <= width ? (width - w) / 2 : clamp(camera.x, width - w, 0);
    camera.y = h <= height ? (height - h) / 2 : clamp(camera.y, height - h, 0);
    svg.style.touchAction = h > height + 1 ? "none" : "pan-y";
    svg.classList.toggle("aa-tree-movable", w > width + 1 || h > height + 1);
    apply(camera);
  }

  camera.resize = (place, width, height) => {
    const before = camera.size;
    camera.size = { place, width, height };
    if (before && before.place.width !== place.width) Object.assign(camera, { x: (camera.x * place.width) / before.place.width });
    settle();
  };
  camera.pan = (dx, dy) => {
    const [x, y] = [camera.x, camera.y];
    camera.x += dx;
    camera.y += dy;
    settle();
    return Math.abs(camera.x - x) + Math.abs(camera.y - y) > 0.5;
  };
  camera.zoom = (factor, x, y) => {
    if (!camera.size) return;
    const [cx, cy] = [x ?? camera.size.width / 2, y ?? camera.size.height / 2];
    const k = clamp(camera.k * factor, ZOOM[0], ZOOM[1]);
    Object.assign(camera, { x: cx - ((cx - camera.x) * k) / camera.k, y: cy - ((cy - camera.y) * k) / camera.k, k });
    settle();
  };
  camera.reset = (k = 1) => {
    Object.assign(camera, { k, x: 0, y: 0 });
    settle();
  };
  camera.fit = () => camera.reset(Math.min(1, camera.size.width / camera.size.place.width));
  /** Brings a point of the picture into the window. */
  camera.reveal = (px, py) => {
    const { width, height } = camera.size;
    const [x, y] = [px * camera.k + camera.x, py * camera.k + camera.y];
    camera.pan(clamp(x, 60, width - 60) - x, clamp(y, 30, height - 30) - y);
  };
  /** Whether the press that ends now was a drag; asked by the click that follows it. */
  camera.wasDragged = () => moved;

  svg.addEventListener(
    "wheel",
    (event) => {
      if (!camera.size) return;
      const unit = event.deltaMode === 1 ? 16 : 1;
      if (event.ctrlKey || event.metaKey) {
        event.preventDefault();
        camera.zoom(Math.exp(-event.deltaY * unit * 0.004), event.offsetX, event.offsetY);
        return;
      }
      const sideways = event.shiftKey ? [event.deltaY, 0] : [event.deltaX, event.deltaY];
      if (camera.pan(-sideways[0] * unit, -sideways[1] * unit)) event.preventDefault();
    },
    { passive: false },
  );

  const pointers = new Map();
  const spread = () => {
    const [a, b] = [...pointers.values()];
    return { x: (a.x + b.x) / 2, y: (a.y + b.y) / 2, size: Math.hypot(a.x - b.x, a.y - b.y) };
  };
  svg.addEventListener("pointerdown", (event) => {
    if (pointers.size === 0) moved = false;
    pointers.set(event.pointerId, { x: event.clientX, y: event.clientY, startX: event.clientX, startY: event.clientY });
  });
  svg.addEventListener("pointermove", (event) => {
    const pointer = pointers.get(event.pointerId);
    if (!pointer || !camera.size) return;
    const old = { x: pointer.x, y: pointer.y };
    if (pointers.size === 2) {
      const before = spread();
      Object.assign(pointer, { x: event.clientX, y: event.clientY });
      const now = spread();
      const box = svg.getBoundingClientRect();
      moved = true;
      camera.pan(now.x - before.x, now.y - before.y);
      if (before.size > 0) camera.zoom(now.size / before.size, now.x - box.left, now.y - box.top);
      return;
    }
    if (!moved && Math.hypot(event.clientX - pointer.startX, event.clientY - pointer.startY) < DRAG_FROM) return;
    if (!moved) svg.setPointerCapture(event.pointerId);
    moved = true;
    Object.assign(pointer, { x: event.clientX, y: event.clientY });
    camera.pan(pointer.x - old.x, pointer.y - old.y);
  });
  const release = (event) => pointers.delete(event.pointerId);
  for (const name of ["pointerup", "pointercancel", "lostpointercapture"]) svg.addEventListener(name, release);
  window.addEventListener("pointerup", release);
  return camera;
}
