// Pillow's resampling of 8-bit pictures, to the last bit (its src/libImaging/Resample.c and
// Reduce.c): the networks were chosen on pictures that Pillow resampled, not on a canvas's.
// A picture is {width, height, bands, data}: bytes, row by row, the bands of a pixel side by side.

export const BILINEAR = { reach: 1, weight: (x) => Math.max(1 - Math.abs(x), 0) };
export const LANCZOS = { reach: 3, weight: (x) => (-3 <= x && x < 3 ? sinc(x) * sinc(x / 3) : 0) };

const sinc = (x) => (x === 0 ? 1 : Math.sin(x * Math.PI) / (x * Math.PI));
const BITS = 22; // of a weight's fraction
const HALF = 1 << (BITS - 1);

/**
 * The part `box` (left, top, right, bottom; fractions of pixels too) of a picture in the size
 * `columns` x `rows`.  With a `gap`, a picture that shrinks much is first averaged over whole
 * blocks, so that the filter shrinks it at least `gap` times.
 */
export function resize(picture, columns, rows, filter, box = [0, 0, picture.width, picture.height], gap = Infinity) {
  let [left, top, right, bottom] = box;
  const across = Math.trunc((right - left) / columns / gap) || 1;
  const down = Math.trunc((bottom - top) / rows / gap) || 1;
  if (across > 1 || down > 1) {
    const [x, y] = [(filter.reach - 0.5) * (right - left) / columns, (filter.reach - 0.5) * (bottom - top) / rows];
    const safe = [
      Math.max(0, Math.trunc(left - x)), Math.max(0, Math.trunc(top - y)),
      Math.min(picture.width, Math.ceil(right + x)), Math.min(picture.height, Math.ceil(bottom + y)),
    ];
    picture = reduce(picture, across, down, safe);
    [left, right] = [(left - safe[0]) / across, (right - safe[0]) / across];
    [top, bottom] = [(top - safe[1]) / down, (bottom - safe[1]) / down];
  }
  const wide = left !== 0 || right !== columns || columns !== picture.width; // whether the width changes
  const high = top !== 0 || bottom !== rows || rows !== picture.height;
  const vertical = taps(picture.height, top, bottom, rows, filter);
  const horizontal = taps(picture.width, left, right, columns, filter);
  const spared = picture.height - rows;
  if (spared > 0 && spared > 2 * (picture.width - columns)) {
    if (high) picture = vertically(picture, vertical);
    return wide ? horizontally(picture, horizontal, 0, rows) : picture;
  }
  if (wide) {
    const first = vertical[0].start; // only the rows that a tap reads
    picture = horizontally(picture, horizontal, first, vertical.at(-1).start + vertical.at(-1).weights.length);
    for (const tap of vertical) tap.start -= first;
  }
  return high ? vertically(picture, vertical) : picture;
}

/** For each of `count` pixels: where its filter starts, and the filter's weights as integers. */
function taps(size, from, to, count, { reach, weight }) {
  [from, to] = [Math.fround(from), Math.fround(to)]; // C's floats
  const scale = Math.fround(to - from) / count;
  const stretch = Math.max(scale, 1);
  return Array.from({ length: count }, (_, pixel) => {
    const centre = from + (pixel + 0.5) * scale;
    const start = Math.max(Math.trunc(centre - reach * stretch + 0.5), 0);
    const end = Math.min(Math.trunc(centre + reach * stretch + 0.5), size);
    const weights = new Float64Array(end - start).map((_, i) => weight((i + start - centre + 0.5) * (1 / stretch)));
    const sum = weights.reduce((total, each) => total + each, 0) || 1;
    return { start, weights: Int32Array.from(weights, (each) => (each / sum) * (1 << BITS) + (each < 0 ? -0.5 : 0.5)) };
  });
}

function horizontally({ width, bands, data }, columns, first, last) {
  const out = new Uint8ClampedArray((last - first) * columns.length * bands);
  let to = 0;
  for (let y = first; y < last; y++) {
    for (const { start, weights } of columns) {
      for (let band = 0; band < bands; band++) {
        let sum = HALF;
        let from = (y * width + start) * bands + band;
        for (let i = 0; i < weights.length; i++, from += bands) sum += data[from] * weights[i];
        out[to++] = sum >> BITS;
      }
    }
  }
  return { width: columns.length, height: last - first, bands, data: out };
}

function vertically({ width, bands, data }, rows) {
  const line = width * bands;
  const out = new Uint8ClampedArray(rows.length * line);
  const sums = new Int32Array(line);
  rows.forEach(({ start, weights }, y) => {
    sums.fill(HALF);
    weights.forEach((weight, i) => {
      const from = (start + i) * line;
      for (let x = 0; x < line; x++) sums[x] += data[from + x] * weight;
    });
    for (let x = 0; x < line; x++) out[y * line + x] = sums[x] >> BITS;
  });
  return { width, height: rows.length, bands, data: out };
}

/** The means of blocks of `across` x `down` pixels; those at the right and lower edge are smaller. */
function reduce({ width, bands, data }, across, down, [left, top, right, bottom]) {
  const [columns, rows] = [Math.ceil((right - left) / across), Math.ceil((bottom - top) / down)];
  const out = new Uint8Array(columns * rows * bands);
  const sums = new Uint32Array(columns * bands);
  let to = 0;
  for (let y = top; y < bottom; y += down) {
    const below = Math.min(y + down, bottom);
    sums.fill(0);
    for (let line = y; line < below; line++) {
      let from = (line * width + left) * bands;
      for (let column = 0; column < columns; column++) {
        const end = from + Math.min(across, right - left - column * across) * bands;
        while (from < end) for (let band = 0; band < bands; band++) sums[column * bands + band] += data[from++];
      }
    }
    for (let column = 0; column < columns; column++) {
      const pixels = Math.min(across, right - left - column * across) * (below - y);
      const inverse = Math.trunc(Math.fround(2 ** 32 / Math.fround(256 * pixels)));
      for (let band = 0; band < bands; band++) {
        out[to++] = ((sums[column * bands + band] + (pixels >> 1)) * inverse) >>> 24;
      }
    }
  }
  return { width: columns, height: rows, bands, data: out };
}
