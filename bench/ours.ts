// Our side of a benchmark, in a process of its own: node --import tsx bench/ours.ts NAME SETTINGS
import { benchmarks } from "./benchmarks.ts";
import { serve } from "./harness/serve.ts";

const [name, settings] = process.argv.slice(2);
const benchmark = await benchmarks[name!]!();
await serve(await benchmark.contend(JSON.parse(settings!) as never));
process.exit(0); // engines may keep the process alive
