import type { RandomStream } from "../../src/system/random.ts";
import type { Round } from "./rounds.ts";
import type { Ended, Running, Strike } from "./run-process.ts";
import { Broken, finishSame, lastLines, oneOf, strikeIn, type Subject } from "./subject.ts";

/** One disturbance: a signal at a moment, be it one of the clock or the N-th change of the file system. */
interface Disturbance {
  readonly signal: NodeJS.Signals;
  /** A second one follows at once. */
  readonly twice: boolean;
  readonly strike?: Strike;
  /** Milliseconds after the run has its folder, or after the process began. */
  readonly delay?: { readonly after: "opened" | "started"; readonly milliseconds: number };
}

/** After these a run saves, says so, and ends. */
const stopCodes: Readonly<Record<string, number>> = { SIGINT: 130, SIGTERM: 143, SIGUSR1: 138 };
/** SIGHUP ends nothing, and so ends the round. */
const others: readonly NodeJS.Signals[] = ["SIGTERM", "SIGINT", "SIGUSR1", "SIGTERM", "SIGINT", "SIGUSR1", "SIGHUP"];

/** A run that is killed or stopped up to nine times, each time continued, or sometimes begun again. */
export async function killRound(subject: Subject, random: RandomStream): Promise<Round> {
  const story: string[] = [];
  const sent: string[] = [];
  let freedom = { savedBetween: false, lostTerminal: false };
  const times = 2 + random.below(8);
  for (let k = 0; k < times; k++) {
    const disturbance = draw(subject, random, k);
    const again = random.next() < 0.08 && subject.resumeFlag().length > 0;
    if (again) freedom = { savedBetween: false, lostTerminal: false };
    const { ended, delivered } = await disturbed(subject, disturbance, again ? ["--overwrite"] : subject.resumeFlag());
    const { signal } = disturbance;
    if (delivered) sent.push(signal);
    if (delivered && signal === "SIGHUP") freedom.lostTerminal = true;
    if (delivered && signal in stopCodes) freedom.savedBetween = true;
    story.push(`${again ? "--overwrite, " : ""}${storyOf(disturbance, ended, delivered)}`);
    requirePromised(disturbance, ended, subject, story);
    if (ended.code === 0) break;
  }
  const fresh = random.next() < 0.05 && subject.resumeFlag().length > 0;
  try {
    await finishSame(subject, fresh ? {} : freedom, fresh ? ["--overwrite"] : subject.resumeFlag());
  } catch (error) {
    throw withStory(error, story);
  }
  return { story: story.join("; "), counts: countsOf(sent) };
}

function draw({ whole }: Subject, random: RandomStream, before: number): Disturbance {
  const signal = random.next() < 0.7 ? "SIGKILL" : oneOf(others, random);
  const twice = signal === "SIGINT" && random.next() < 0.3;
  const left = before === 0 ? 1 : 0.4; // of what a continued run has yet to do
  if (random.next() < 0.7) {
    const operation = 1 + random.below(Math.ceil(left * whole.operations));
    return { signal, twice, strike: { operation, signal, twice, half: random.next() < 0.4 } };
  }
  const after = signal === "SIGKILL" && random.next() < 0.1 ? "started" : "opened";
  return { signal, twice, delay: { after, milliseconds: Math.round(left * random.next() * whole.milliseconds) } };
}

async function disturbed(
  subject: Subject,
  { signal, twice, strike, delay }: Disturbance,
  flags: readonly string[],
): Promise<{ ended: Ended; delivered: boolean }> {
  const run = subject.start({ flags, strike });
  const sent = delay === undefined ? false : await sentAt(subject, run, { signal, twice, delay });
  const ended = await run.ended;
  if (ended.hung) throw new Broken(`a run hangs after ${signal}: ${lastLines(ended.stderr)}`);
  return { ended, delivered: sent || strikeIn(ended) !== undefined || ended.signal === signal };
}

async function sentAt(
  subject: Subject,
  run: Running,
  { signal, twice, delay }: Required<Pick<Disturbance, "signal" | "twice" | "delay">>,
): Promise<boolean> {
  if (delay.after === "opened") await subject.opened(run);
  await Promise.race([run.ended, new Promise((resolve) => setTimeout(resolve, delay.milliseconds))]);
  if (run.hasEnded()) return false;
  const sent = run.send(signal);
  if (twice) run.send(signal);
  return sent;
}

function requirePromised(
  { signal, twice }: Disturbance,
  ended: Ended,
  subject: Subject,
  story: readonly string[],
): void {
  const { code, stderr } = ended;
  if (code === 0 || ended.signal === "SIGKILL") return;
  if (code === stopCodes[signal] && (twice || /Continue with --resume\.|Stopped before/.test(stderr))) return;
  if (ended.signal === signal && subject.resumeFlag().length === 0) return; // it had not begun
  throw withStory(new Broken(`ended with ${ended.signal ?? code}: ${lastLines(stderr)}`), story);
}

function storyOf({ signal, delay, twice }: Disturbance, ended: Ended, delivered: boolean): string {
  const at = delay === undefined ? strikeIn(ended) : `${signal} ${delay.milliseconds} ms after it ${delay.after}`;
  const what = delivered ? `${at ?? signal}${twice ? ", twice" : ""}` : `${signal} came too late`;
  return ended.signal === "SIGKILL" ? what : `${what} -> ${ended.signal ?? ended.code}`;
}

function countsOf(sent: readonly string[]): Record<string, number> {
  const counts: Record<string, number> = { kills: sent.length };
  for (const signal of sent) counts[signal] = (counts[signal] ?? 0) + 1;
  return counts;
}

function withStory(error: unknown, story: readonly string[]): unknown {
  return error instanceof Broken ? new Broken(`${error.message}\n  after ${story.join("; ")}`) : error;
}
