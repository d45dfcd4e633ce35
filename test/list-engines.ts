/** Prints the engines as JSON, whether each runs on this machine, and why not. Jest starts it once for all suites. */
import { listEngines } from "../src/tensor/engine.ts";

process.stdout.write(JSON.stringify(await listEngines()), () => process.exit(0)); // a GPU would keep the process alive
