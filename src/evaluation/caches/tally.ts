import { promptAccount } from "../../eviction/cache/prompt-account.ts";
import type { Decoder } from "../../model/decoder.ts";
import { mean } from "../mean.ts";
import type { ComparedCandidate } from "./candidates.ts";
import type { CacheOutcome } from "./problem.ts";

/** What is measured of each problem; NaN where it was not. */
export interface ProblemNumbers {
  /** 1 = every token of the reference is the likeliest where it stands, so that the model would write it. */
  readonly recalled: number;
  /** 1 = the model's own answer is right. */
  readonly correct: number;
  /** Mean loss of the reference's tokens, in nats. */
  readonly nll: number;
  /** Mean of the errors of all layers. */
  readonly error: number;
  readonly milliseconds: number;
  readonly kept: number;
  readonly entries: number;
  readonly bytes: number;
}

/**
 * One cache of a comparison: what it kept, and what became of each problem. Of random draws, and of gates that were
 * trained more than once, the mean over seeds.
 */
export interface CacheTally {
  readonly name: string;
  readonly role: ComparedCandidate["role"];
  readonly keep?: number;
  /** In the problems' order. */
  readonly problems: readonly ProblemNumbers[];
  /** Of gates that were trained more than once, the same of each training. */
  readonly trainings?: readonly (readonly ProblemNumbers[])[];
  /** Of each layer. */
  readonly errors: readonly number[];
  /** Share kept of the entries in each of `stretches` equal stretches of a prompt: of each layer and key-value head. */
  readonly retention: readonly (readonly (readonly number[])[])[];
}

/** Stretches of a prompt by which retention is told. */
export const stretches = 20;

/** Gathers outcomes as they come; candidates of one name and share become one. */
export function tallying(
  model: Pick<Decoder, "config">,
  candidates: readonly ComparedCandidate[],
  problems: number,
): {
  /** @param correct whether the model's own answer is right, where it was judged */
  add(candidate: number, problem: number, outcome: CacheOutcome, correct?: boolean): void;
  done(): CacheTally[];
} {
  const { layers, keyValueHeads: heads } = model.config;
  const names = candidates.map(({ name, keep }) => `${name} ${keep ?? ""}`);
  const of = candidates.map((_, c) => names.indexOf(names[c]!));
  const gathered = new Map(
    of.map((first) => [
      first,
      {
        numbers: new Map<number, ProblemNumbers[]>(), // of each candidate, in the problems' order
        errors: Array.from({ length: layers }, (): number[] => []),
        kept: new Float64Array(layers * heads * stretches),
        all: new Float64Array(layers * heads * stretches),
      },
    ]),
  );
  return {
    add(candidate, problem, outcome, correct) {
      const own = gathered.get(of[candidate]!)!;
      const numbers = own.numbers.get(candidate) ?? [];
      numbers[problem] = numbersOf(model, outcome, correct);
      own.numbers.set(candidate, numbers);
      outcome.errors?.forEach((error, layer) => own.errors[layer]!.push(error));
      outcome.keep.forEach((flags, layer) =>
        flags.forEach((flag, i) => {
          const place = Math.floor((Math.floor(i / heads) * stretches * heads) / flags.length);
          const at = (layer * heads + (i % heads)) * stretches + place;
          own.kept[at]! += flag;
          own.all[at]! += 1;
        }),
      );
    },
    done: () =>
      [...gathered].map(([first, { numbers, errors, kept, all }]) => {
        const { name, role, keep } = candidates[first]!;
        const share = (layer: number, head: number, place: number): number => {
          const at = (layer * heads + head) * stretches + place;
          return kept[at]! / all[at]!;
        };
        const each = [...numbers].sort(([a], [b]) => a - b).map(([, list]) => list);
        return {
          ...{ name, role, ...(keep !== undefined && { keep }) },
          problems: Array.from({ length: problems }, (_, i) => meanNumbers(each.map((list) => list[i]!))),
          ...(role === "gates" && each.length > 1 && { trainings: each }),
          errors: errors.map(mean),
          retention: Array.from({ length: layers }, (_, layer) =>
            Array.from({ length: heads }, (_, head) =>
              Array.from({ length: stretches }, (_, place) => share(layer, head, place)),
            ),
          ),
        };
      }),
  };
}

function numbersOf(
  model: Pick<Decoder, "config">,
  { keep, reference, errors, milliseconds }: CacheOutcome,
  correct: boolean | undefined,
): ProblemNumbers {
  const length = keep[0]!.length / model.config.keyValueHeads;
  const { kept, entries, bytes } = promptAccount(keep, length, model);
  return {
    recalled: reference === undefined ? NaN : Number(reference.every(({ likeliest }) => likeliest)),
    correct: correct === undefined ? NaN : Number(correct),
    nll: reference === undefined ? NaN : -mean(reference.map(({ logProb }) => logProb)),
    error: errors === undefined ? NaN : mean(errors),
    ...{ milliseconds, kept, entries, bytes },
  };
}

function meanNumbers(all: readonly ProblemNumbers[]): ProblemNumbers {
  const of = (key: keyof ProblemNumbers): number => mean(all.map((each) => each[key]));
  return {
    ...{ recalled: of("recalled"), correct: of("correct"), nll: of("nll"), error: of("error") },
    ...{ milliseconds: of("milliseconds"), kept: of("kept"), entries: of("entries"), bytes: of("bytes") },
  };
}
