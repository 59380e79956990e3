// The page with the server's engine: tools.web analyzes the pictures.
import { NO_SERVER, start } from "./page.js";

start(async (blob, whole, signal) => {
  const headers = { "Content-Type": "application/octet-stream" };
  const response = await fetch(whole ? "faces?whole" : "faces", { method: "POST", body: blob, signal, headers }).catch(() => {
    throw new Error(NO_SERVER);
  });
  const answer = await response.json().catch(() => ({}));
  if (!response.ok) throw new Error(sentence(answer.error ?? `the server answered ${response.status} ${response.statusText}`));
  return answer;
});

function sentence(text) {
  return text.charAt(0).toUpperCase() + text.slice(1) + (/[.!?]$/.test(text) ? "" : ".");
}
