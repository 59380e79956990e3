// A picture file -> its upright pixels, by the browser's decoder, as facial_expression/pictures/images.py
// has them: turned by EXIF, without colour management, transparency over white.
const STRIP = 256; // rows that are copied at once; a whole second copy would take too much memory

/** An error whose message is for the reader of the page. */
export class Refusal extends Error {}

/** The picture of a file (a Blob): {width, height, bands, data}, and the canvas that it was drawn on. */
export async function decode(blob, mostPixels) {
  const options = { imageOrientation: "from-image", premultiplyAlpha: "none", colorSpaceConversion: "none" };
  const bitmap = await createImageBitmap(blob, options).catch(() => {
    throw new Refusal("The picture cannot be read. Browsers read whole files of JPEG, PNG, WebP, GIF and BMP, most also AVIF.");
  });
  const { width, height } = bitmap;
  if (width * height > mostPixels) {
    throw new Refusal(`The picture has ${width} × ${height} pixels; at most ${mostPixels / 1e6} million are allowed. Choose a smaller one.`);
  }
  const canvas = new OffscreenCanvas(width, height);
  const context = canvas.getContext("2d", { willReadFrequently: true }); // in memory: exact, and of any size
  context.fillStyle = "white";
  context.fillRect(0, 0, width, height);
  context.drawImage(bitmap, 0, 0);
  bitmap.close();
  const data = new Uint8Array(3 * width * height);
  for (let top = 0, to = 0; top < height; top += STRIP) {
    const part = context.getImageData(0, top, width, Math.min(STRIP, height - top)).data;
    for (let from = 0; from < part.length; from += 4) {
      data[to++] = part[from];
      data[to++] = part[from + 1];
      data[to++] = part[from + 2];
    }
  }
  return { width, height, bands: 3, data, canvas };
}

/** A drawing of the canvas, at most `longest` pixels long, as a data URL. */
export function preview({ width, height, canvas }, longest) {
  const scale = Math.min(1, longest / Math.max(width, height));
  const small = new OffscreenCanvas(Math.max(Math.round(scale * width), 1), Math.max(Math.round(scale * height), 1));
  const context = small.getContext("2d");
  context.imageSmoothingQuality = "high";
  context.drawImage(canvas, 0, 0, small.width, small.height);
  return dataUrl(small, "image/jpeg");
}

/** A grey picture {width, height, data} as a data URL. */
export function greyUrl({ width, height, data }) {
  const canvas = new OffscreenCanvas(width, height);
  const pixels = new ImageData(width, height);
  data.forEach((value, index) => pixels.data.set([value, value, value, 255], 4 * index));
  canvas.getContext("2d").putImageData(pixels, 0, 0);
  return dataUrl(canvas, "image/png");
}

const dataUrl = async (canvas, type) => new FileReaderSync().readAsDataURL(await canvas.convertToBlob({ type, quality: 0.9 }));
