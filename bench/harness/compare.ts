import { busySeconds } from "./machine.ts";
import { SideEnded, startSide, type Answer, type Side, type SideOptions } from "./side.ts";

/** All rounds of one side for one request. */
export interface Measured extends Pick<SideOptions, "name"> {
  baseline: boolean;
  about: string;
  peakGflops?: number;
  rounds: Answer[];
  /** Seconds of all rounds, and the CPU seconds that other processes used meanwhile. */
  wallSeconds: number;
  foreignSeconds: number;
}

/** The system counts CPU time in ticks of 10 ms: over less than this nothing is known about other processes. */
const LEAST_SECONDS = 0.3;

/** Of the machine's cores, the share that other processes used during the rounds of these sides; null = unknown. */
export function foreignShare(measured: readonly Measured[], cores: number): number | null {
  const total = (key: "wallSeconds" | "foreignSeconds") => measured.reduce((sum, side) => sum + side[key], 0);
  return total("wallSeconds") < LEAST_SECONDS
    ? null
    : Math.min(1, total("foreignSeconds") / (total("wallSeconds") * cores));
}

export interface CompareOptions {
  rounds: number;
  /** Told what could not be measured. */
  onNotice(text: string): void;
}

/**
 * Starts every side, then has them answer in turns, so that what else the machine does falls on all alike. A side that
 * is not ours and cannot run is left out with a notice.
 * @param requests what is asked in each round; each is a comparison of its own
 * @returns for each request its sides, in their order
 */
export async function compare(
  options: readonly SideOptions[],
  requests: readonly object[],
  { rounds, onNotice }: CompareOptions,
): Promise<Measured[][]> {
  const sides: Side[] = [];
  try {
    for (const each of options) {
      const side = await started(each, onNotice);
      if (side !== undefined) sides.push(side);
    }
    const results: Measured[][] = [];
    for (const request of requests) results.push(await alternate(sides, request, rounds));
    return results;
  } finally {
    for (const side of sides) await side.end();
  }
}

async function started(options: SideOptions, onNotice: (text: string) => void): Promise<Side | undefined> {
  try {
    return await startSide(options);
  } catch (error) {
    if (options.program === "ours" || !(error instanceof SideEnded)) throw error;
    onNotice(error.message);
    return undefined;
  }
}

async function alternate(sides: readonly Side[], request: object, rounds: number): Promise<Measured[]> {
  const watched = sides.map((side) => ({ side, answers: [] as Answer[], foreign: 0, wall: 0 }));
  for (let round = 0; round < rounds; round++) {
    for (const entry of round % 2 === 0 ? watched : watched.toReversed()) {
      const busy = busySeconds();
      const start = performance.now();
      const answer = await entry.side.round(request);
      entry.wall += (performance.now() - start) / 1000;
      entry.foreign += busySeconds() - busy - answer.wholeCpuSeconds;
      entry.answers.push(answer);
    }
  }
  return watched.map(({ side, answers, foreign, wall }) => ({
    name: side.name,
    baseline: side.baseline ?? false,
    about: side.about,
    ...(side.peakGflops === undefined ? {} : { peakGflops: side.peakGflops }),
    rounds: answers,
    wallSeconds: wall,
    foreignSeconds: Math.max(0, foreign),
  }));
}
