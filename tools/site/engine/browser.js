// The page with the browser's engine: a worker of this page analyzes the pictures; none leaves it.
import { start } from "../static/page.js";

// A worker made from a blob obeys this page's Content-Security-Policy; one from an address would not.
const code = `import ${JSON.stringify(new URL("worker.js", import.meta.url).href)};`;
const worker = new Worker(URL.createObjectURL(new Blob([code], { type: "text/javascript" })), { type: "module" });
const waiting = new Map(); // number of a question -> what to do with its answer
let questions = 0;
let broken = false;

worker.addEventListener("message", ({ data: { number, answer, error } }) => {
  const { resolve, reject } = waiting.get(number);
  waiting.delete(number);
  if (error) reject(new Error(error));
  else resolve(answer);
});
worker.addEventListener("error", () => {
  broken = true;
  for (const { reject } of waiting.values()) reject(failure());
});

const failure = () => new Error("The program of this page cannot be loaded. Reload the page.");

start((blob, whole) => new Promise((resolve, reject) => {
  if (broken) throw failure();
  waiting.set(++questions, { resolve, reject });
  worker.postMessage({ number: questions, blob, whole });
}));
