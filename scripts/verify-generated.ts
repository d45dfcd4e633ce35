// npx tsx scripts/verify-generated.ts [NUMBER] [SEED]
//
// Judges NUMBER generated answers (a million unless told otherwise) and ends with 1 if the verifier failed on any. What is
// printed: the verdicts, the slowest answer, and the largest memory.
import { verifier, type Verification } from "../src/text/index.ts";
import { generatedAnswer } from "../test/text/answers/generated-answers.ts";

const [total = 1_000_000, seed = 1] = process.argv.slice(2).map(Number);
const atOnce = 64;
const failures: string[] = [];
const verdicts = new Map<Verification["verdict"], number>();
let slowest = { milliseconds: 0, text: "" };
const { verify, close } = verifier({
  onFailure: ({ response, reference }, error) => failures.push(`${JSON.stringify({ response, reference })}: ${error}`),
});

for (let start = 0; start < total; start += atOnce) {
  const inputs = Array.from({ length: Math.min(atOnce, total - start) }, (_, i) => generatedAnswer(seed, start + i));
  const judged = inputs.map((input) => {
    const began = performance.now();
    const verdict = verify(input);
    const milliseconds = performance.now() - began;
    if (milliseconds > slowest.milliseconds) slowest = { milliseconds, text: JSON.stringify(input).slice(0, 300) };
    return verdict;
  });
  for (const { verdict } of await Promise.all(judged)) verdicts.set(verdict, (verdicts.get(verdict) ?? 0) + 1);
  if (start % 64_000 === 0) process.stderr.write(`${start} judged, ${failures.length} failures\n`);
}
await close();
const report = {
  judged: total,
  verdicts: Object.fromEntries(verdicts),
  failures: failures.length,
  slowest,
  megabytes: Math.round(process.resourceUsage().maxRSS / 1024),
  cpuSeconds: Math.round(process.cpuUsage().user / 1e6),
};
process.stdout.write(`${JSON.stringify(report, null, 2)}\n${failures.slice(0, 20).join("\n")}`);
process.exitCode = failures.length > 0 ? 1 : 0;
