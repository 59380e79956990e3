// onnxruntime-web in this page's own folder, on the CPU (WebAssembly).
const FOLDER = new URL("../onnxruntime/", import.meta.url);

const runtime = import(new URL("ort.js", FOLDER).href).then((ort) => {
  ort.env.wasm.numThreads = 1; // more need headers that not every host sends
  ort.env.wasm.wasmPaths = { mjs: new URL("ort-wasm.js", FOLDER).href, wasm: new URL("ort-wasm.wasm", FOLDER).href };
  return ort;
});

/** Loads an ONNX network: a function from {name: tensor} to such outputs, and a maker of tensors. */
export async function load(name) {
  const ort = await runtime;
  const url = new URL(`../networks/${name}.onnx`, import.meta.url);
  const session = await ort.InferenceSession.create(url.href, { logSeverityLevel: 3 });
  return {
    run: (inputs) => session.run(inputs),
    tensor: (data, shape) => new ort.Tensor(data instanceof Uint8Array ? "uint8" : "float32", data, shape),
  };
}
