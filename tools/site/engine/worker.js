// Answers questions {number, blob, whole} about pictures, as the server of tools.web does (tools/web/answer.py).
// A worker, so that the page stays alive while a large picture is searched.
import { centre, centreSquare, clipped, crop, readingOrder, square } from "./boxes.js";
import { decode, greyUrl, preview, Refusal } from "./decode.js";
import { detector } from "./detector.js";
import { expressions } from "./expression.js";

const loading = load();
let newest = 0;
let queue = Promise.resolve(); // one picture at a time, which bounds the memory

self.onmessage = ({ data }) => {
  newest = data.number;
  queue = queue.then(() => reply(data));
};

async function reply({ number, blob, whole }) {
  try {
    // an older question has no reader any more
    postMessage({ number, answer: number === newest ? await analyze(blob, whole) : null });
  } catch (error) {
    const sentence = `The picture cannot be analyzed (${error.message ?? error}). Choose a smaller one.`;
    postMessage({ number, error: error instanceof Refusal ? error.message : sentence });
  }
}

async function load() {
  const response = await fetch(new URL("settings.json", import.meta.url));
  const settings = await response.json();
  const [find, classify] = await Promise.all([detector(settings.detector), expressions(settings.side)]);
  return { settings, find, classify };
}

async function analyze(blob, whole) {
  const { settings, find, classify } = await loading.catch((error) => {
    throw new Refusal(`The networks cannot be loaded (${error.message}). Reload the page.`);
  });
  const picture = await decode(blob, settings.most_pixels);
  const { width, height } = picture;
  const boxes = whole ? [centre(picture)] : readingOrder(await find(picture));
  const squares = boxes.map((box) => square(box, whole ? { scale: 1, drop: 0 } : settings.crop));
  const crops = whole ? [centreSquare(picture, settings.side)] : squares.map((each) => crop(picture, each, settings.side));
  const answers = await classify(crops);
  const faces = answers.map(async (answer, number) => ({
    ...answer, box: clipped(boxes[number], picture), square: squares[number], crop: await greyUrl(crops[number]),
  }));
  return { width, height, picture: await preview(picture, settings.preview), classes: settings.classes, faces: await Promise.all(faces) };
}
