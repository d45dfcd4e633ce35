// npx tsx datasets/make-word-problems.ts
//
// Writes datasets/word-problems/*.arrow and the tokenizer files of models/tiny, byte for byte the same on every run.
import { mkdirSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { arrowBytes } from "../src/data/arrow/write.ts";
import { stream, type RandomStream } from "../src/system/random.ts";
import { addForMultiply } from "./generator/habit.ts";
import { corruptResults, insertJunk, isNoise, type NoisySolution } from "./generator/noise.ts";
import { makeProblem, solutionTokens, type Problem } from "./generator/problems.ts";
import { tokenizerFiles } from "./generator/tokenizer.ts";

const SEED = "word-problems 1";

/** In the order in which questions are drawn; no question occurs twice, within a file or across files. */
const FILES: {
  name: string;
  rows: number;
  noise?: (random: RandomStream, problem: Problem) => NoisySolution;
  unlabelled?: true;
  /** Pairs of a right answer and one with the noise, of problems that it changes. */
  pairs?: true;
}[] = [
  { name: "validation", rows: 400 },
  { name: "clean-reference", rows: 500 },
  { name: "train-noisy", rows: 1200, noise: corruptResults },
  { name: "train-junk", rows: 1200, noise: insertJunk },
  { name: "pretrain", rows: 12000 },
  { name: "pretrain-noisy", rows: 6000, noise: corruptResults, unlabelled: true },
  { name: "test", rows: 800 },
  { name: "pretrain-habit", rows: 3200, noise: addForMultiply, unlabelled: true },
  { name: "pairs", rows: 500, noise: addForMultiply, pairs: true },
  { name: "pairs-held-out", rows: 200, noise: addForMultiply, pairs: true },
];

/** Every file of the corpus and its tokenizer, by path relative to the repository. */
export function makeCorpus(): Record<string, Uint8Array> {
  const asked = new Set<string>();
  const files: Record<string, Uint8Array> = {};
  for (const { name, rows, noise, unlabelled, pairs } of FILES) {
    if (pairs && noise) {
      files[`datasets/word-problems/${name}.arrow`] = pairFile(name, rows, noise, asked);
      continue;
    }
    const problems = Array.from({ length: rows }, (_, row) => newProblem(name, row, asked));
    files[`datasets/word-problems/${name}.arrow`] = noise
      ? noisyFile(name, problems, noise, unlabelled !== true)
      : cleanFile(problems);
  }
  for (const [name, text] of Object.entries(tokenizerFiles())) files[`models/tiny/${name}`] = Buffer.from(text);
  return files;
}

function newProblem(file: string, row: number, asked: Set<string>): Problem {
  const random = stream(SEED, file, row);
  for (;;) {
    const problem = makeProblem(random);
    if (asked.has(problem.question)) continue;
    asked.add(problem.question);
    return problem;
  }
}

function cleanFile(problems: readonly Problem[]): Uint8Array {
  const rows = problems.map(({ question, steps, things }) => ({
    question,
    answer: solutionTokens(steps, things).join(" "),
  }));
  return arrowBytes({ question: "utf8", answer: "utf8" }, rows);
}

function noisyFile(
  name: string,
  problems: readonly Problem[],
  makeNoise: (random: RandomStream, problem: Problem) => NoisySolution,
  labelled: boolean,
): Uint8Array {
  const rows = problems.map((problem, row) => {
    const { tokens, kinds } = makeNoise(stream(SEED, name, row, "noise"), problem);
    const noiseKind = [...kinds, 0]; // the token that ends the answer is clean
    return {
      question: problem.question,
      answer: tokens.join(" "),
      noise: noiseKind.map((kind) => (isNoise(kind) ? 1 : 0)),
      clean: noiseKind.map((kind) => (isNoise(kind) ? 0 : 1)),
      noiseKind,
    };
  });
  const labels = { noise: "list<float32>", clean: "list<float32>", noiseKind: "list<uint8>" } as const;
  return arrowBytes({ question: "utf8", answer: "utf8", ...(labelled ? labels : {}) }, rows);
}

function pairFile(
  name: string,
  count: number,
  makeNoise: (random: RandomStream, problem: Problem) => NoisySolution,
  asked: Set<string>,
): Uint8Array {
  const rows: Record<string, unknown>[] = [];
  for (let row = 0; rows.length < count; row++) {
    const problem = newProblem(name, row, asked);
    const { tokens, kinds } = makeNoise(stream(SEED, name, row, "noise"), problem);
    if (!kinds.some(isNoise)) continue;
    const chosen = solutionTokens(problem.steps, problem.things);
    rows.push({
      question: problem.question,
      chosen: chosen.join(" "),
      rejected: tokens.join(" "),
      // with one for the token that ends the answer
      chosen_weights: [...chosen.map(() => 1), 1],
      rejected_weights: [...kinds.map((kind) => (isNoise(kind) ? 1 : 0)), 0],
    });
  }
  const weights = { chosen_weights: "list<float32>", rejected_weights: "list<float32>" } as const;
  return arrowBytes({ question: "utf8", chosen: "utf8", rejected: "utf8", ...weights }, rows);
}

if (process.argv[1] === fileURLToPath(import.meta.url)) {
  const root = dirname(dirname(fileURLToPath(import.meta.url)));
  for (const [path, bytes] of Object.entries(makeCorpus())) {
    mkdirSync(dirname(join(root, path)), { recursive: true });
    writeFileSync(join(root, path), bytes);
    console.log(`${path}  ${bytes.byteLength} bytes`);
  }
}
