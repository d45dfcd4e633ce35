// npm run build:kernels: compiles the AssemblyScript kernels and writes them as text into ../kernels.wasm.ts.
import { writeFile } from "node:fs/promises";
import { fileURLToPath } from "node:url";
import asc from "assemblyscript/asc";

const here = fileURLToPath(new URL(".", import.meta.url));
const flags =
  "--optimizeLevel 3 --shrinkLevel 0 --converge --noAssert --runtime stub --use abort= --importMemory --sharedMemory " +
  "--initialMemory 16 --maximumMemory 65536 --enable simd --enable threads --enable bulk-memory --outFile kernels.wasm";
let binary;
const { error, stderr } = await asc.main(["index.ts", "--baseDir", here, ...flags.split(" ")], {
  writeFile: (name, contents) => void (name.endsWith(".wasm") && (binary = contents)),
});
if (error || !binary) {
  console.error(stderr.toString() || error);
  process.exit(1);
}
const text = Buffer.from(binary).toString("base64");
await writeFile(
  new URL("../kernels.wasm.ts", import.meta.url),
  `/** Made from \`kernels/*.ts\` by \`npm run build:kernels\`. */\nexport const KERNELS =\n  "${text}";\n`,
);
console.log(`kernels.wasm: ${binary.length} bytes`);
