// The network of expressions: grey squares -> probabilities and class activation maps.
import { load } from "./onnx.js";

const BATCH = 64;

/** Loads the network; the function that it gives takes squares {data} of `side` x `side` bytes. */
export async function expressions(side) {
  const network = await load("expression");
  return async (squares) => {
    const answers = [];
    for (let first = 0; first < squares.length; first += BATCH) {
      const batch = squares.slice(first, first + BATCH);
      const pictures = new Uint8Array(batch.length * side * side);
      batch.forEach(({ data }, number) => pictures.set(data, number * side * side));
      const output = await network.run({ pictures: network.tensor(pictures, [batch.length, side, side, 1]) });
      const probabilities = nested(output.probabilities);
      const maps = output.class_activation ? nested(output.class_activation) : batch.map(() => null);
      answers.push(...probabilities.map((each, number) => ({ probabilities: each, activation: maps[number] })));
    }
    return answers;
  };
}

/** A tensor as arrays in arrays, as JSON has them. */
function nested({ data, dims }) {
  return dims.slice(1).reduceRight(
    (parts, size) => Array.from({ length: parts.length / size }, (_, i) => parts.slice(i * size, (i + 1) * size)),
    Array.from(data),
  );
}
