// Runs the vectors' module in Node and prints how many vectors hold; a failure is text on stderr and exit code 1.
import { readFile } from "node:fs/promises";

const bytes = await readFile(process.argv[2]);
const { instance } = await WebAssembly.instantiate(bytes, {});
const { run, failure_address, failure_length, memory } = instance.exports;

const count = run() >>> 0;
const length = failure_length() >>> 0;
if (length > 0) {
  const text = new Uint8Array(memory.buffer, failure_address() >>> 0, length);
  console.error(new TextDecoder().decode(text));
  process.exit(1);
}
console.log(count);
