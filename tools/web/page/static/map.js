// Draws the class activation map over the face.
const SIDE = 240; // pixels of the drawing
const FOR = [230, 97, 1]; // orange and violet are distinct for colour-blind readers too
const AGAINST = [94, 60, 193];

/** The map minus its mean over the classes at each place, which does not change the softmax. */
export function centred(map) {
  return map.map((row) => row.map((cell) => {
    const mean = cell.reduce((sum, value) => sum + value, 0) / cell.length;
    return cell.map((value) => value - mean);
  }));
}

/** The largest absolute value of a map (rows, columns, classes): one scale for all classes. */
export function largest(map) {
  return Math.max(...map.flat(2).map(Math.abs), 1e-6);
}

/** The place with the most evidence for a class, in words. */
export function place(map, index) {
  let top = [0, 0];
  map.forEach((row, y) => row.forEach((cell, x) => {
    if (cell[index] > map[top[0]][top[1]][index]) top = [y, x];
  }));
  const third = (position, count, words) => words[Math.min(2, Math.floor((3 * (position + 0.5)) / count))];
  const down = third(top[0], map.length, ["at the top", "in the middle", "at the bottom"]);
  const across = third(top[1], map[0].length, ["left", "centre", "right"]);
  return `${down}, ${across}`;
}

/** Draws the face and, over it, the evidence for class `index`; `strength` is 0 to 1. */
export function drawMap(canvas, face, map, index, limit, strength) {
  canvas.width = canvas.height = SIDE;
  const context = canvas.getContext("2d");
  const pixels = context.createImageData(SIDE, SIDE);
  for (let y = 0; y < SIDE; y++) {
    for (let x = 0; x < SIDE; x++) {
      const share = between(map, index, (y + 0.5) / SIDE, (x + 0.5) / SIDE) / limit;
      pixels.data.set(colour(share, strength), 4 * (y * SIDE + x));
    }
  }
  const layer = new OffscreenCanvas(SIDE, SIDE);
  layer.getContext("2d").putImageData(pixels, 0, 0);
  context.imageSmoothingQuality = "high";
  context.drawImage(face, 0, 0, SIDE, SIDE);
  context.drawImage(layer, 0, 0);
}

/** Draws the legend, from strongest evidence against to strongest evidence for. */
export function drawScale(canvas) {
  const context = canvas.getContext("2d");
  const pixels = context.createImageData(canvas.width, 1);
  for (let x = 0; x < canvas.width; x++) pixels.data.set(colour((2 * x) / (canvas.width - 1) - 1, 1), 4 * x);
  context.putImageData(pixels, 0, 0);
}

function colour(share, strength) {
  return [...(share < 0 ? AGAINST : FOR), 255 * strength * Math.min(1, Math.abs(share))];
}

/** The map at a place (0 to 1 down and across), interpolated between the centres of its fields. */
function between(map, index, down, across) {
  const [top, bottom, y] = neighbours(down, map.length);
  const [left, right, x] = neighbours(across, map[0].length);
  const upper = map[top][left][index] * (1 - x) + map[top][right][index] * x;
  const lower = map[bottom][left][index] * (1 - x) + map[bottom][right][index] * x;
  return upper * (1 - y) + lower * y;
}

function neighbours(position, count) {
  const place = Math.min(Math.max(position * count - 0.5, 0), count - 1);
  const first = Math.floor(place);
  return [first, Math.min(first + 1, count - 1), place - first];
}
