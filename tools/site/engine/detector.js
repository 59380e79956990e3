// Finds faces as facial_expression/inference/detection.py does; that file says why so.
import { load } from "./onnx.js";
import { BILINEAR, resize } from "./resample.js";

const area = (row) => row.width * row.height;

/** Loads YuNet; the function that it gives finds the boxes on an RGB picture, by falling score. */
export async function detector(settings) {
  const { score, smallest, fine, coarse, largest, clear, most, step, rim, seam } = settings;
  const { doubt, doubtful, small, enlarged, overlap, strides } = settings;
  const network = await load("face-detector");

  async function find(picture) {
    const longest = Math.max(picture.width, picture.height);
    const found = await search(picture, coarse / longest, Infinity);
    if (longest > coarse) found.push(...(await search(picture, Math.min(fine / longest, 1), largest)));
    const finest = Math.min(most, clear / Math.max(smallest, 1));
    for (let scale = finest; scale * longest > fine; scale /= step) found.push(...(await search(picture, scale, 2 * rim)));
    const rows = withoutOverlaps(found, overlap);
    const unsure = rows.filter((row) => row.score < score && area(row) <= (small / finest) ** 2);
    const sure = rows.filter((row) => row.score >= score);
    for (const row of unsure.slice(0, doubtful)) sure.push(...(await lookAgain(picture, row)));
    return withoutOverlaps(sure, overlap).filter((row) => area(row) >= smallest ** 2);
  }

  /** Faces at one size of the picture, of at most `most` pixels of that size; tile by tile. */
  async function search(picture, scale, most) {
    const size = [picture.width, picture.height];
    const counts = size.map((side) => Math.max(Math.ceil(rounded(scale * side) / fine), 1));
    const tile = size.map((side, axis) => side / counts[axis]);
    const found = [];
    for (let column = 0; column < counts[0]; column++) {
      for (let row = 0; row < counts[1]; row++) {
        const start = [column * tile[0], row * tile[1]];
        const end = start.map((place, axis) => place + tile[axis]);
        const rows = await detect(picture, wider(start, -rim / scale), wider(end, rim / scale), scale);
        const [from, to] = [wider(start, -seam / scale), wider(end, seam / scale)];
        found.push(...rows.filter((each) => centred(each, from, to) && area(each) <= (most / scale) ** 2));
      }
    }
    return found;
  }

  /** Faces in the place of a doubtful one, which is enlarged with its surroundings. */
  async function lookAgain(picture, row) {
    const side = Math.sqrt(area(row));
    const centre = [row.left + row.width / 2, row.top + row.height / 2];
    const rows = await detect(picture, wider(centre, -1.5 * side), wider(centre, 1.5 * side), enlarged / side);
    const end = [row.left + row.width, row.top + row.height];
    return rows.filter((each) => each.score >= (1 + score) / 2 && centred(each, [row.left, row.top], end));
  }

  /** Faces, and doubtful ones, with their centre in a part of the picture, at one size. */
  async function detect(picture, start, end, scale) {
    start = start.map((place) => Math.max(place, 0));
    end = [Math.min(end[0], picture.width), Math.min(end[1], picture.height)];
    const [width, height] = end.map((place, axis) => Math.max(rounded((place - start[axis]) * scale), 1));
    const part = resize(picture, width, height, BILINEAR, [...start, ...end], scale < 1 ? 2 : Infinity);
    const coarsest = strides.at(-1);
    const [columns, rows] = [width, height].map((side) => Math.ceil(side / coarsest) * coarsest);
    const outputs = await network.run({ input: network.tensor(planes(part, columns, rows), [1, 3, rows, columns]) });
    const [across, down] = [(end[0] - start[0]) / width, (end[1] - start[1]) / height];
    return strides
      .flatMap((stride) => decoded(outputs, stride, columns, doubt * score))
      .map(({ left, top, width, height, score }) => ({
        left: start[0] + across * left, top: start[1] + down * top, width: across * width, height: down * height, score,
      }))
      .filter((row) => centred(row, start, end));
  }

  return find;
}

/** Blue, green and red planes of an RGB picture as floats from 0 to 255, padded with black. */
function planes({ width, height, data }, columns, rows) {
  const out = new Float32Array(3 * columns * rows);
  for (let band = 0; band < 3; band++) {
    for (let y = 0; y < height; y++) {
      const to = (band * rows + y) * columns;
      for (let x = 0; x < width; x++) out[to + x] = data[3 * (y * width + x) + 2 - band];
    }
  }
  return out;
}

/** The boxes of one stride's outputs whose score is at least `least`. */
function decoded(outputs, stride, columns, least) {
  const [face, object, offsets] = ["cls", "obj", "bbox"].map((kind) => outputs[`${kind}_${stride}`].data);
  const unit = (value) => Math.min(Math.max(value, 0), 1);
  const found = [];
  face.forEach((value, anchor) => {
    const score = Math.sqrt(unit(value) * unit(object[anchor]));
    if (score < least) return;
    const [x, y, w, h] = offsets.subarray(4 * anchor, 4 * anchor + 4);
    const perRow = columns / stride;
    const [width, height] = [Math.exp(w) * stride, Math.exp(h) * stride];
    const left = ((anchor % perRow) + x) * stride - width / 2;
    const top = (Math.floor(anchor / perRow) + y) * stride - height / 2;
    found.push({ left, top, width, height, score });
  });
  return found;
}

/** Non-maximum suppression; by falling score. */
function withoutOverlaps(rows, overlap) {
  const kept = [];
  for (const row of rows.sort((one, other) => other.score - one.score)) {
    const free = (other) => common(row, other) <= overlap * (area(row) + area(other) - common(row, other));
    if (kept.every(free)) kept.push(row);
  }
  return kept;
}

/** The area that two boxes share. */
function common(one, other) {
  const width = Math.min(one.left + one.width, other.left + other.width) - Math.max(one.left, other.left);
  const height = Math.min(one.top + one.height, other.top + other.height) - Math.max(one.top, other.top);
  return Math.max(width, 0) * Math.max(height, 0);
}

function centred(row, start, end) {
  const [x, y] = [row.left + row.width / 2, row.top + row.height / 2];
  return start[0] <= x && x < end[0] && start[1] <= y && y < end[1];
}

const wider = (corner, by) => corner.map((place) => place + by);

/** To the nearest whole number; halves to the even one, as Python and NumPy do. */
function rounded(value) {
  const down = Math.floor(value);
  return value - down === 0.5 ? down + (down % 2) : Math.round(value);
}
