// Names beside points: near their point, over no other name and no point; those that find no place are left to hovering.
const overlap = (a, b) => a.x < b.x + b.w && b.x < a.x + a.w && a.y < b.y + b.h && b.y < a.y + a.h;
let pen = null;
function textWidth(text, font = 12) {
  pen ??= document.createElement("canvas").getContext("2d");
  pen.font = `${font}px ${getComputedStyle(document.body).fontFamily}`;
  return pen.measureText(text).width;
}
// wanted: {x, y, text}; frame: {x, y, w, h}; taken: boxes that no name may cover; reach: how far a name may go, in pixels.
function placeLabels(wanted, frame, taken, reach) {
  const placed = [];
  const free = (box) =>
    box.x >= frame.x && box.y >= frame.y && box.x + box.w <= frame.x + frame.w && box.y + box.h <= frame.y + frame.h &&
    !taken.some((o) => overlap(box, o)) && !placed.some((o) => overlap(box, o.box));
  for (const one of wanted) {
    const w = Math.ceil(textWidth(one.text)) + 4,
      h = 16;
    for (let radius = 10, found = false; radius <= reach && !found; radius += radius < 30 ? 6 : 12) {
      const steps = radius < 20 ? 8 : 24;
      for (let k = 0; k < steps && !found; k++) {
        // From the right, then by turns above and below: names read best to the right of their point.
        const angle = ((k % 2 ? 1 : -1) * Math.ceil(k / 2) * 2 * Math.PI) / steps;
        const [dx, dy] = [Math.cos(angle), Math.sin(angle)];
        const box = { x: one.x + radius * dx - (dx > 0.3 ? 0 : dx < -0.3 ? w : w / 2), y: one.y + radius * dy - h / 2, w, h };
        if (!free(box)) continue;
        placed.push({ ...one, box, far: radius > 24 });
        found = true;
      }
    }
  }
  return placed;
}
function drawLabel({ x, y, text, box, far, colour }) {
  const edge = { x: Math.max(box.x, Math.min(x, box.x + box.w)), y: Math.max(box.y + 3, Math.min(y, box.y + box.h - 3)) };
  return s(
    "g",
    { class: "label" },
    far ? s("path", { class: "leader", d: `M${x.toFixed(1)} ${y.toFixed(1)}L${edge.x.toFixed(1)} ${edge.y.toFixed(1)}` }) : null,
    s("text", { x: (box.x + 2).toFixed(1), y: (box.y + 12.5).toFixed(1), class: colour }, text),
  );
}
