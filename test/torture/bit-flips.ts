import { cpSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from "node:fs";
import { basename, dirname, join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import type { RandomStream } from "../../src/system/random.ts";
import { checkpointPath, checkpointSteps, newestSound } from "../../src/training/checkpoint-files.ts";
import { manifestFile } from "../../src/training/manifest.ts";
import { openRunRecords } from "../../src/training/run-records.ts";
import type { Round } from "./rounds.ts";
import { Broken, lastLines, oneOf, type Subject } from "./subject.ts";

const flipsOfRound = 50;

/** A killed run with two checkpoints at least. */
interface Stopped {
  /** Of one of its trainings. */
  readonly checkpoints: string;
  readonly newest: number;
  readonly older: number;
}

/**
 * Flips bits in the newest checkpoint of a killed run, and in the logs that it goes with, one at a time: each is noticed by
 * the name of the file, or changes nothing that is read. Then one run is continued over a flipped bit in a checkpoint or a
 * stage, to the same bytes.
 */
export async function bitFlipRound(subject: Subject, random: RandomStream): Promise<Round> {
  const stopped = await killedWithTwo(subject, random);
  let [noticed, harmless] = [0, 0];
  for (let k = 0; k < flipsOfRound - 1; k++)
    if (await isNoticed(stopped, random)) noticed++;
    else harmless++;
  const over = await continuedOver(subject, stopped, random);
  return {
    story: `${flipsOfRound} in step ${stopped.newest} of ${basename(dirname(stopped.checkpoints))}: ${noticed + 1} noticed by name, ${harmless} without effect; continued over one in ${over}`,
    counts: { "bit flips": flipsOfRound, "noticed by name": noticed + 1, "without effect": harmless },
  };
}

/** Kills a run as soon as one of its trainings has two checkpoints. */
async function killedWithTwo(subject: Subject, random: RandomStream): Promise<Stopped> {
  const { output, whole } = subject;
  const folders = readdirSync(whole.path, { recursive: true }) as string[];
  const several = folders
    .filter((name) => basename(name) === "checkpoints" && checkpointSteps(join(whole.path, name)).length > 1)
    .sort();
  const checkpoints = join(output, oneOf(several, random));
  const run = subject.start();
  while (!run.hasEnded() && checkpointSteps(checkpoints).length < 2) await sleep(2);
  run.send("SIGKILL");
  const { signal, stderr } = await run.ended;
  if (signal !== "SIGKILL") throw new Error(`the run was faster than its kill: ${lastLines(stderr)}`);
  const [newest, older] = checkpointSteps(checkpoints).reverse();
  return { checkpoints, newest: newest!, older: older! };
}

/** Flips a bit, looks whether that is noticed, and flips it back. */
async function isNoticed({ checkpoints, newest, older }: Stopped, random: RandomStream): Promise<boolean> {
  const before = await newestSound(checkpoints);
  const records = openRunRecords(dirname(checkpoints));
  const recorded = Object.entries(before!.manifest!.records).filter(([, { bytes }]) => bytes > 0);
  const folder = checkpointPath(checkpoints, newest);
  if (recorded.length > 0 && random.next() < 0.2) {
    const [name, { bytes }] = oneOf(recorded, random);
    return flipped(join(dirname(checkpoints), name), random.below(8 * bytes), async () => {
      const { missing, changed } = await records.check(newest, before!.manifest!.records);
      if (![...missing, ...changed].some((each) => each.startsWith(name)))
        throw new Broken(`a flipped bit of ${name} is not noticed`);
      return true;
    });
  }
  const name = fileOf(folder, random);
  return flipped(join(folder, name), random.below(8 * statSync(join(folder, name)).size), async () => {
    const found = await newestSound(checkpoints);
    const [damage] = found!.damaged;
    if (damage !== undefined && damage.step === newest && found!.step === older && damage.error.message.includes(name))
      return true;
    const same = damage === undefined && JSON.stringify(found) === JSON.stringify(before);
    if (!same || name !== manifestFile)
      throw new Broken(`a flipped bit of ${name} is not noticed by name: ${damage?.error.message}`);
    return false;
  });
}

/** A file of a folder: half of the time any, else in proportion to its size. */
function fileOf(folder: string, random: RandomStream): string {
  const names = (readdirSync(folder, { recursive: true }) as string[]).sort();
  const sized = names
    .map((name) => ({ name, size: statSync(join(folder, name)) }))
    .filter(({ size }) => size.isFile() && size.size > 0);
  if (random.next() < 0.5) return oneOf(sized, random).name;
  let place = random.below(sized.reduce((sum, { size }) => sum + size.size, 0));
  return sized.find(({ size }) => (place -= size.size) < 0)!.name;
}

async function flipped<T>(file: string, bit: number, work: () => Promise<T>): Promise<T> {
  flip(file, bit);
  try {
    return await work();
  } finally {
    flip(file, bit);
  }
}

function flip(file: string, bit: number): void {
  const content = readFileSync(file);
  content[bit >> 3]! ^= 1 << (bit & 7);
  writeFileSync(file, content);
}

/** Continues the run over a flipped bit, be it in the checkpoint or in what a stage has made. Returns the file. */
async function continuedOver(subject: Subject, stopped: Stopped, random: RandomStream): Promise<string> {
  const { output } = subject;
  const made = finishedStages(output);
  const ofStage = made.length > 0 && random.next() < 0.5;
  const folder = checkpointPath(stopped.checkpoints, stopped.newest);
  const name = ofStage ? oneOf(made, random) : fileOf(folder, random);
  const file = join(ofStage ? output : folder, name);
  const aside = join(subject.folder, "stopped");
  rmSync(aside, { recursive: true, force: true });
  cpSync(output, aside, { recursive: true });
  const bit = random.below(8 * statSync(file).size);
  flip(file, bit);
  const { code, signal, stderr } = await subject.run({ flags: ["--resume"] });
  const said = ofStage
    ? /result was changed or removed, made anew/
    : /the checkpoint is damaged: .*\n.*The one of .* is sound and is taken/;
  const isQuiet = name === manifestFile && !said.test(stderr); // white space
  if (code !== 0 || (!said.test(stderr) && !isQuiet) || (!ofStage && !isQuiet && !stderr.includes(name)))
    throw new Broken(`continued over bit ${bit} of ${name}: ${signal ?? code}, ${lastLines(stderr)}`);
  subject.requireSame();
  return name;
}

/** Files that finished stages have made, in which a flipped bit must be found. */
function finishedStages(output: string): string[] {
  try {
    return (readdirSync(join(output, "stages")) as string[])
      .filter(
        (name) =>
          name.endsWith(".arrow") &&
          readFileSync(join(output, "stages", name.replace(/arrow$/, "json")), "utf8").includes('"digest"'),
      )
      .map((name) => join("stages", name));
  } catch {
    return []; // there are no stages
  }
}
