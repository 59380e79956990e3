// The page's behaviour: inputs and status messages.  An engine answers about the pictures: the server
// (server.js) or, on the static page, the browser itself.
import { camera } from "./camera.js";
import { show } from "./result.js";

const element = (id) => document.getElementById(id);
const LIMIT = Number(document.body.dataset.maxBytes);
export const NO_SERVER = "The server of this page does not answer. Start it again and reload the page.";

let ask = null; // the engine
let request = null; // AbortController of the running request
let last = null; // the picture of the last request

/**
 * Starts the page.  `engine` takes a picture (a Blob), whether all of it is one face, and the signal that
 * nobody waits any more; it promises an answer as tools/web/answer.py describes, or throws a sentence.
 */
export function start(engine) {
  ask = engine;
  element("unserved")?.remove();
}

function say(text, busy = false) {
  element("status").textContent = text;
  element("status").classList.toggle("busy", busy);
  element("result").setAttribute("aria-busy", String(busy));
}

function complain(text) {
  say("");
  element("error").textContent = text;
  element("error").hidden = !text;
  if (text) element("error").scrollIntoView({ block: "nearest" });
}

/** Analyzes a picture (a Blob) and shows the result; `whole` uses all of it as one face. */
async function analyze(blob, whole = false) {
  request?.abort();
  complain("");
  if (blob.size > LIMIT) {
    complain(`The file has ${(blob.size / 2 ** 20).toFixed(1)} MB; the limit is ${LIMIT / 2 ** 20} MB. Choose a smaller file.`);
    return;
  }
  const own = (request = new AbortController());
  last = blob;
  say("Analyzing the picture …", true);
  try {
    const answer = await ask(blob, whole, own.signal);
    if (own.signal.aborted) return; // replaced by a newer request
    const summary = show(answer, whole);
    element("result").hidden = false;
    say(summary);
    element("result").scrollIntoView({ block: "start" });
  } catch (error) {
    if (own.signal.aborted) return;
    element("result").hidden = true;
    complain(error.message);
  } finally {
    if (request === own) request = null;
  }
}

/** Analyzes the first file of a drop or a paste. */
function take(files) {
  if (files.length) analyze(files[0]);
  else complain("That is not a file. Save the picture first, then choose the file.");
}

element("choose").addEventListener("click", () => element("file").click());
element("file").addEventListener("change", ({ target }) => {
  if (target.files.length) analyze(target.files[0]);
  target.value = ""; // lets the same file be chosen again
});

document.addEventListener("paste", (event) => {
  if (event.clipboardData) take(event.clipboardData.files);
});
document.addEventListener("dragover", (event) => {
  event.preventDefault(); // everywhere: otherwise a file dropped beside the field replaces the page
  element("drop").classList.add("over");
});
document.addEventListener("dragleave", (event) => {
  if (!event.relatedTarget) element("drop").classList.remove("over");
});
document.addEventListener("drop", (event) => {
  event.preventDefault();
  element("drop").classList.remove("over");
  take(event.dataTransfer.files);
});

for (const button of document.querySelectorAll("[data-example]")) {
  button.addEventListener("click", async () => {
    try {
      const response = await fetch(button.querySelector("img").src);
      analyze(await response.blob());
    } catch {
      complain(NO_SERVER);
    }
  });
}

camera({ analyze, complain });

element("whole").addEventListener("click", () => last && analyze(last, true));
element("again").addEventListener("click", () => {
  element("try").scrollIntoView({ block: "start" });
  element("choose").focus({ preventScroll: true });
});
