// The page's behaviour: ways to give a picture, one question to the server, its states.
import { camera } from "./camera.js";
import { show } from "./result.js";

const element = (id) => document.getElementById(id);
const LIMIT = Number(document.body.dataset.maxBytes);
const GONE = "The program behind this page does not answer. Was it ended? Start it again and reload.";

let asking = null; // what ends the question that is under way
let last = null; // the picture that was asked about

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

/** Ask the server about a picture (a Blob); `whole` takes all of it for one face. */
async function look(blob, whole = false) {
  asking?.abort();
  complain("");
  if (blob.size > LIMIT) {
    complain(`The file has ${(blob.size / 2 ** 20).toFixed(1)} MB, at most ${LIMIT / 2 ** 20} are read. Save it smaller and try again.`);
    return;
  }
  const own = (asking = new AbortController());
  last = blob;
  say("Looking at the picture …", true);
  try {
    const answer = await ask(blob, whole, own.signal);
    const summary = show(answer, whole);
    element("result").hidden = false;
    say(summary);
    element("result").scrollIntoView({ block: "start" });
  } catch (error) {
    if (error.name === "AbortError") return; // a newer picture took its place
    element("result").hidden = true;
    complain(error.message);
  } finally {
    if (asking === own) asking = null;
  }
}

async function ask(blob, whole, signal) {
  let response;
  try {
    response = await fetch(whole ? "faces?whole" : "faces", {
      method: "POST", body: blob, signal, headers: { "Content-Type": "application/octet-stream" },
    });
  } catch (error) {
    if (error.name === "AbortError") throw error;
    throw new Error(GONE);
  }
  const answer = await response.json().catch(() => ({}));
  if (!response.ok) throw new Error(sentence(answer.error ?? `it answered ${response.status} ${response.statusText}`));
  return answer;
}

function sentence(text) {
  return text.charAt(0).toUpperCase() + text.slice(1) + (/[.!?]$/.test(text) ? "" : ".");
}

/** The first picture among the files of a drop or a paste; complains where there is none. */
function take(files) {
  if (files.length) look(files[0]);
  else complain("That was no picture file. Save the picture first, then choose the file.");
}

element("choose").addEventListener("click", () => element("file").click());
element("file").addEventListener("change", ({ target }) => {
  if (target.files.length) look(target.files[0]);
  target.value = ""; // so that the same file can be chosen again
});

document.addEventListener("paste", (event) => {
  if (event.clipboardData) take(event.clipboardData.files);
});
document.addEventListener("dragover", (event) => {
  event.preventDefault(); // anywhere: a file that misses would replace the page
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
      look(await response.blob());
    } catch {
      complain(GONE);
    }
  });
}

camera({ look, complain });

element("whole").addEventListener("click", () => last && look(last, true));
element("again").addEventListener("click", () => {
  element("try").scrollIntoView({ block: "start" });
  element("choose").focus({ preventScroll: true });
});
