// Shows an engine's answer: boxes on the picture, bars, the crop and the map.
import { centred, drawMap, drawScale, largest, place } from "./map.js";

const element = (id) => document.getElementById(id);
const SVG = "http://www.w3.org/2000/svg";
const CONFIDENCE = [[0.9, "very sure"], [0.7, "fairly sure"], [0.5, "leaning one way"], [0, "unsure"]];
const percent = (share) => `${(100 * share).toFixed(1)} %`;

let answer = null;
let chosen = 0;

/** Shows an answer and returns a summary in one line. */
export function show(given, whole) {
  answer = { ...given, whole };
  const { faces, width, height, picture } = answer;
  const found = whole ? "The whole picture as one face" : faces.length === 1 ? "1 face" : `${faces.length || "No"} faces`;
  element("picture").src = picture;
  element("picture").alt = `Your picture, ${width} by ${height} pixels. ${found}.`;
  element("seen-caption").textContent = `${found} · ${width} × ${height} pixels` + (faces.length ? " · dashed: the crop" : "");
  element("nobody").hidden = faces.length > 0;
  element("whole").hidden = whole;
  element("whole").classList.toggle("main", !faces.length);
  element("faces").hidden = faces.length < 2;
  element("face").hidden = !faces.length;
  listFaces();
  choose(0);
  if (!faces.length) return "No face was found. See the advice below.";
  const first = best(faces[0]);
  return `${found}${faces.length > 1 ? "; the first" : ""}: ${first.name}, ${percent(first.share)}.`;
}

const best = (face) => ranked(face)[0];

function ranked({ probabilities }) {
  const rows = probabilities.map((share, index) => ({ name: answer.classes[index], share, index }));
  return rows.sort((one, other) => other.share - one.share);
}

/** The network's confidence in words. */
function confidence({ probabilities }) {
  const [, words] = CONFIDENCE.find(([least]) => Math.max(...probabilities) >= least);
  const nats = Math.max(probabilities.reduce((sum, share) => (share > 0 ? sum - share * Math.log(share) : sum), 0), 0);
  return `${words} (entropy ${nats.toFixed(2)} nats: like a draw among ${Math.exp(nats).toFixed(1)} equally likely expressions)`;
}

/** One radio button per face; the arrow keys switch between them. */
function listFaces() {
  const labels = answer.faces.map((face, number) => {
    const label = document.createElement("label");
    const radio = Object.assign(document.createElement("input"), { type: "radio", name: "face", checked: number === 0 });
    radio.addEventListener("change", () => choose(number));
    const image = Object.assign(document.createElement("img"), { src: face.crop, alt: "" });
    label.append(radio, image, `${number + 1}: ${best(face).name}`);
    return label;
  });
  element("faces").replaceChildren(element("faces").firstElementChild, ...labels);
}

function choose(number) {
  chosen = number;
  drawBoxes();
  const face = answer.faces[number];
  if (!face) return;
  const radio = element("faces").querySelectorAll("input")[number];
  if (radio) radio.checked = true;
  const { name, share, index } = best(face);
  const which = answer.faces.length > 1 ? `Face ${number + 1}: ` : "Apparent expression: ";
  element("face-title").textContent = `${which}${name}, ${percent(share)}`;
  element("sure").textContent = `The network is ${confidence(face)}. The probabilities are calibrated on pictures like the training pictures; on others the network may be overconfident.`;
  listBars(face);
  drawCrop(face);
  showMap(face, index);
}

function listBars(face) {
  const rows = ranked(face).map(({ name, share }) => {
    const row = document.createElement("tr");
    const head = Object.assign(document.createElement("th"), { scope: "row", textContent: name });
    const bar = Object.assign(document.createElement("span"), { className: "bar" });
    bar.style.inlineSize = `${100 * share}%`;
    const number = Object.assign(document.createElement("span"), { className: "number", textContent: percent(share) });
    const both = document.createElement("div");
    both.append(bar, number);
    const cell = document.createElement("td");
    cell.append(both);
    row.append(head, cell);
    return row;
  });
  element("bars").replaceChildren(...rows);
}

function drawBoxes() {
  const svg = element("boxes");
  const { faces, width, height } = answer;
  svg.setAttribute("viewBox", `0 0 ${width} ${height}`);
  svg.replaceChildren();
  faces.forEach(({ box, square }, number) => {
    const group = svg.appendChild(document.createElementNS(SVG, "g"));
    const isChosen = number === chosen;
    const cut = { left: square.left, top: square.top, width: square.side, height: square.side };
    group.classList.toggle("chosen", isChosen);
    if (!answer.whole) {
      rectangle(group, box, "halo");
      rectangle(group, box, "box").addEventListener("click", () => choose(number));
    }
    if (isChosen) {
      rectangle(group, cut, "halo");
      rectangle(group, cut, "cut");
    }
    if (faces.length > 1) numeral(group, box, number + 1);
  });
}

/** The face's number above its box; without room there, below or inside it.  Small for small faces. */
function numeral(parent, box, number) {
  const { width, height } = answer;
  const longest = Math.max(width, height);
  const letter = Math.max(Math.min(longest / 28, 0.8 * box.width), longest / 48);
  const bottom = box.top + box.height;
  let top = box.top - 1.2 * letter;
  if (top < 0) top = bottom + 1.3 * letter <= height ? bottom + 0.1 * letter : Math.max(box.top, 0);
  const text = parent.appendChild(document.createElementNS(SVG, "text"));
  text.textContent = String(number);
  text.setAttribute("x", Math.max(0.2 * letter, Math.min(box.left, width - 0.7 * letter * text.textContent.length)));
  text.setAttribute("y", top + 0.95 * letter);
  text.setAttribute("font-size", letter);
}

function rectangle(parent, { left, top, width, height }, kind) {
  const shape = document.createElementNS(SVG, "rect");
  for (const [name, value] of Object.entries({ x: left, y: top, width, height, class: kind })) shape.setAttribute(name, value);
  return parent.appendChild(shape);
}

function drawCrop(face) {
  const image = new Image();
  image.onload = () => {
    if (face !== answer.faces[chosen]) return; // another face was chosen meanwhile
    const canvas = element("crop");
    canvas.width = image.width;
    canvas.height = image.height;
    canvas.getContext("2d").drawImage(image, 0, 0);
    canvas.setAttribute("aria-label", `The face as the network sees it, ${image.width} by ${image.height} grey pixels`);
    element("crop-caption").textContent = `Its input: ${image.width} × ${image.height} grey pixels`;
    redrawMap();
  };
  image.src = face.crop;
}

/** Shows the controls of the map, or the reason why there is none. */
function showMap(face, predicted) {
  const there = Boolean(face.activation);
  element("map-figure").hidden = element("map-controls").hidden = !there;
  if (!there) {
    element("map-note").textContent = "There is no map of the evidence: this network does not end in global average pooling.";
    return;
  }
  const options = answer.classes.map((name, index) => new Option(name, String(index), false, index === predicted));
  element("asked").replaceChildren(...options);
  element("map-note").textContent = `A class activation map: the evidence in each of ${face.activation.length} × ${face.activation[0].length} overlapping fields for or against an expression, relative to the mean of all expressions. It is coarse and proves no cause.`;
}

function redrawMap() {
  const face = answer?.faces[chosen];
  if (!face?.activation) return;
  const index = Number(element("asked").value);
  const map = centred(face.activation);
  const limit = largest(map);
  drawMap(element("map"), element("crop"), map, index, limit, Number(element("strength").value) / 100);
  drawScale(element("scale"));
  const name = answer.classes[index];
  element("against").textContent = `against (−${limit.toFixed(1)})`;
  element("for").textContent = `for (+${limit.toFixed(1)})`;
  element("map-caption").textContent = `Evidence for ${name}`;
  element("map").setAttribute("aria-label", `Evidence for ${name} laid over the face: strongest ${place(map, index)}`);
}

element("asked").addEventListener("change", redrawMap);
element("strength").addEventListener("input", redrawMap);
