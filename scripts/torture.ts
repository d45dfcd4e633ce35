// npm run torture -- [--minutes N | --kills N | --rounds N] [--faults kill,full-disk,streams,bit-flips] [--recipe NAME]
//                    [--variant TEXT] [--seed N] [--program bundle|dist|source] [--only ROUND]
//
// Runs of every recipe, as processes, are killed at random moments and continued, meet disks that refuse, lose their
// terminal, and find flipped bits in their checkpoints; what they leave is compared, byte for byte, with an undisturbed
// run. Rounds follow from the seed, as far as a moment of the clock can. Ends with 1 where a promise was not kept: the run
// folder of that round is kept then. 10 minutes unless told otherwise; a round that has begun is ended, so that there may be
// more kills than asked for.
import { mkdirSync, renameSync, rmSync } from "node:fs";
import { join } from "node:path";
import { parseArgs } from "node:util";
import { stop } from "esbuild";
import { stream } from "../src/system/random.ts";
import { bundlePrograms } from "../test/bundles.mjs";
import { type TortureCase, tortureCases } from "../test/torture/cases.ts";
import { faults, type Fault } from "../test/torture/rounds.ts";
import { type Program, programs } from "../test/torture/run-process.ts";
import { Broken, type Subject, subjectOf, workplace } from "../test/torture/subject.ts";

const string = { type: "string" } as const;
const { values } = parseArgs({
  options: {
    ...{ minutes: string, kills: string, rounds: string, recipe: string, variant: string, only: string },
    seed: { ...string, default: "1" },
    program: { ...string, default: "bundle" },
    faults: string,
  },
});
const say = (text: string): void => void process.stdout.write(`${text}\n`);
const refuse = (text: string): never => {
  process.stderr.write(`torture: ${text}\n`);
  process.exit(2);
};
const oneOfThem = <T extends string>(value: string, all: readonly T[]): T =>
  all.find((each) => each === value) ?? refuse(`"${value}" is none of ${all.join(", ")}`);

const everyFault = Object.keys(faults) as Fault[];
const usual =
  values.kills === undefined
    ? (["kill", "full-disk", "kill", "streams", "kill", "bit-flips"] as const)
    : (["kill"] as const);
const turns = values.faults?.split(",").map((each) => oneOfThem(each, everyFault)) ?? usual;
const program = oneOfThem<Program>(values.program, programs);
const seed = Number(values.seed);
const wanted = ({ recipe, name }: TortureCase): boolean =>
  (values.recipe === undefined || recipe === values.recipe) && name.includes(values.variant ?? "");
const cases = tortureCases().filter(wanted);
if (cases.length === 0) refuse("there is no such recipe or variant");
const order = shuffled(cases);

if (program === "bundle") await bundlePrograms();
await stop(); // its process would hold a gigabyte
const place = workplace();
const subjects = new Map<TortureCase, Subject>();
const counts: Record<string, number> = {};
const ofCases: Record<string, number> = {};
const failures: string[] = [];
const began = performance.now();

for (let round = Number(values.only ?? 0); !isOver(round); round++) await perform(round);
for (const each of cases) await each.close();
report();

/** A case's turn comes as often as any other's with each fault. */
async function perform(round: number): Promise<void> {
  const fault = turns[round % turns.length]!;
  const of = order[(round + Math.floor(round / order.length)) % order.length]!;
  const label = `round ${round}  ${fault}  ${of.name}`;
  const start = performance.now();
  try {
    const subject = subjects.get(of) ?? (await prepare(of));
    subjects.set(of, subject);
    subject.clear();
    const { story, counts: own } = await faults[fault](subject, stream(seed, "torture", round), program);
    for (const [name, count] of Object.entries({ [`rounds of ${fault}`]: 1, ...own }))
      counts[name] = (counts[name] ?? 0) + count;
    ofCases[of.name] = (ofCases[of.name] ?? 0) + (own["kills"] ?? 0);
    say(`${label}: as promised (${seconds(start)}): ${story}`);
  } catch (error) {
    const kept = keep(of, round);
    failures.push(label);
    say(
      `${label}: NOT AS PROMISED (${seconds(start)}): ${error instanceof Broken ? error.message : String((error as Error).stack)}`,
    );
    say(`  its folder is ${kept}; again: npm run torture -- ${again(round)}`);
  }
}

function prepare(of: TortureCase): Promise<Subject> {
  const folder = join(place, of.name.replaceAll(/\W+/g, "-"));
  mkdirSync(folder, { recursive: true });
  return subjectOf(of, folder, program);
}

/** Leaves the folder of a round that failed as it is; the case is made anew for the next. */
function keep(of: TortureCase, round: number): string {
  const folder = join(place, of.name.replaceAll(/\W+/g, "-"));
  const kept = join(place, `failed-${round}`);
  renameSync(folder, kept);
  subjects.delete(of);
  return kept;
}

function again(round: number): string {
  const { recipe, variant } = values;
  const given = Object.entries({
    recipe,
    variant,
    faults: turns.join(","),
    seed: values.seed,
    program: values.program,
  });
  const flags = given.flatMap(([name, value]) => (value === undefined ? [] : [`--${name} ${value}`]));
  return `--only ${round} ${flags.join(" ")}`;
}

function isOver(round: number): boolean {
  if (values.only !== undefined) return round > Number(values.only);
  if (values.kills !== undefined) return (counts["kills"] ?? 0) >= Number(values.kills);
  if (values.rounds !== undefined) return round >= Number(values.rounds);
  return performance.now() - began > 60_000 * Number(values.minutes ?? 10);
}

function report(): void {
  say(
    `\nSeed ${seed}, ${program}, ${seconds(began)}, ${subjects.size} cases of ${new Set(cases.map(({ recipe }) => recipe)).size} recipes`,
  );
  for (const [name, count] of Object.entries(counts)) say(`  ${name}: ${count}`);
  say(
    `  kills of each case: ${Object.entries(ofCases)
      .map(([name, count]) => `${name} ${count}`)
      .join("; ")}`,
  );
  say(failures.length === 0 ? "All as promised." : `NOT as promised: ${failures.length}\n  ${failures.join("\n  ")}`);
  if (failures.length === 0) rmSync(place, { recursive: true, force: true });
  process.exitCode = failures.length === 0 ? 0 : 1;
}

function shuffled(all: readonly TortureCase[]): TortureCase[] {
  const random = stream(seed, "torture", "order");
  const keyed = all.map((each) => ({ each, key: random.next() }));
  return keyed.sort((a, b) => a.key - b.key).map(({ each }) => each);
}

function seconds(start: number): string {
  return `${((performance.now() - start) / 1000).toFixed(1)} s`;
}
