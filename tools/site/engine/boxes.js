// Boxes of faces, and the rule that crops them: facial_expression/inference/boxes.py.
import { LANCZOS, resize } from "./resample.js";

/** Row by row from the top, each row from left to right. */
export function readingOrder(boxes) {
  const down = (box) => box.top + box.height / 2;
  const across = (box) => box.left + box.width / 2;
  const rows = [];
  for (const box of boxes.toSorted((one, other) => down(one) - down(other))) {
    const first = rows.at(-1)?.[0];
    if (!first || down(box) > first.top + first.height) rows.push([]);
    rows.at(-1).push(box);
  }
  return rows.flatMap((row) => row.sort((one, other) => across(one) - across(other)));
}

/** The part of a box that lies on the picture. */
export function clipped({ left, top, width, height }, picture) {
  const [x, y] = [Math.max(left, 0), Math.max(top, 0)];
  return { left: x, top: y, width: Math.min(left + width, picture.width) - x, height: Math.min(top + height, picture.height) - y };
}

/** The square to crop by a rule {scale, drop}; it may reach beyond the picture. */
export function square({ left, top, width, height }, { scale, drop }) {
  const side = scale * Math.sqrt(width * height);
  return { left: left + (width - side) / 2, top: top + (height - side) / 2 + drop * side, side };
}

/** The largest centred square of a picture. */
export function centre({ width, height }) {
  const edge = Math.min(width, height);
  return { left: Math.floor((width - edge) / 2), top: Math.floor((height - edge) / 2), width: edge, height: edge };
}

/** That square as `side` x `side` grey pixels (`square` of facial_expression/pictures/images.py). */
export function centreSquare(picture, side) {
  const { left, top, width: edge } = centre(picture);
  const whole = grey(picture, 0, 0, picture.width, picture.height);
  return resize(whole, side, side, LANCZOS, [left, top, left + edge, top + edge]);
}

/** A square of an RGB picture as `side` x `side` grey pixels; beyond the picture its edge is repeated. */
export function crop(picture, { left, top, side: edge }, side) {
  const [x, y] = [Math.floor(left), Math.floor(top)];
  const part = grey(picture, x, y, Math.ceil(left + edge) - x, Math.ceil(top + edge) - y);
  return resize(part, side, side, LANCZOS, [left - x, top - y, left - x + edge, top - y + edge]);
}

/** A part of an RGB picture as luma (ITU-R 601), rounded as Pillow does; the edge is repeated. */
function grey(picture, left, top, width, height) {
  const data = new Uint8Array(width * height);
  for (let y = 0, to = 0; y < height; y++) {
    const line = Math.min(Math.max(top + y, 0), picture.height - 1) * picture.width;
    for (let x = 0; x < width; x++) {
      const from = 3 * (line + Math.min(Math.max(left + x, 0), picture.width - 1));
      const [red, green, blue] = [picture.data[from], picture.data[from + 1], picture.data[from + 2]];
      data[to++] = (19595 * red + 38470 * green + 7471 * blue + 0x8000) >> 16;
    }
  }
  return { width, height, bands: 1, data };
}
