// npx tsx datasets/make-distracted-problems.ts [pretrain]
//
// Writes datasets/distracted-problems/*.arrow, byte for byte the same on every run. With `pretrain` it writes
// runs/distracted-problems/pretrain.arrow alone, which is too large to ship.
import { mkdirSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { arrowBytes } from "../src/data/arrow/write.ts";
import { stream } from "../src/system/random.ts";
import { makeDistracted, type DistractedProblem } from "./generator/distracted.ts";

const SEED = "distracted-problems 1";

/** In the order in which questions are drawn; no question occurs twice, within a file or across files. */
const FILES = [
  { name: "validation", rows: 200 },
  { name: "train", rows: 1200 },
  { name: "test", rows: 400 },
];

/** 1,500 steps of 16 rows, each row once. */
const PRETRAIN = { name: "pretrain", rows: 24_000 };

const LEAST_WORDS = 80;
const MORE_WORDS = 40;

/** The files that ship, by path relative to the repository. */
export function makeDistractedProblems(): Record<string, Uint8Array> {
  const drawn = drawShipped(new Set());
  return Object.fromEntries(drawn.map(({ name, problems }) => [pathOf(name), fileOf(problems, true)]));
}

/** The first `rows` rows of the file that models/tiny-distracted was trained on. It asks no question that ships. */
export function makeDistractedPretraining(rows = PRETRAIN.rows): Record<string, Uint8Array> {
  const asked = new Set<string>();
  drawShipped(asked);
  return { [`runs/distracted-problems/${PRETRAIN.name}.arrow`]: fileOf(draw({ ...PRETRAIN, rows }, asked), false) };
}

const pathOf = (name: string): string => `datasets/distracted-problems/${name}.arrow`;

function drawShipped(asked: Set<string>): { name: string; problems: DistractedProblem[] }[] {
  return FILES.map((file) => ({ name: file.name, problems: draw(file, asked) }));
}

function draw({ name, rows }: { name: string; rows: number }, asked: Set<string>): DistractedProblem[] {
  return Array.from({ length: rows }, (_, row) => newProblem(name, row, asked));
}

function newProblem(file: string, row: number, asked: Set<string>): DistractedProblem {
  const random = stream(SEED, file, row);
  for (;;) {
    const problem = makeDistracted(random, LEAST_WORDS + random.below(MORE_WORDS + 1));
    if (asked.has(problem.question)) continue;
    asked.add(problem.question);
    return problem;
  }
}

/** `key` has one entry per token as the chat template writes them: `<s> Question: ... Answer: ... </s>`. */
function fileOf(problems: readonly DistractedProblem[], marked: boolean): Uint8Array {
  const rows = problems.map(({ question, answer, key }) => ({
    question,
    answer,
    ...(marked && { key: [0, 0, ...key, 0, ...answer.split(" ").map(() => 0), 0] }),
  }));
  return arrowBytes({ question: "utf8", answer: "utf8", ...(marked && ({ key: "list<uint8>" } as const)) }, rows);
}

if (process.argv[1] === fileURLToPath(import.meta.url)) {
  const root = dirname(dirname(fileURLToPath(import.meta.url)));
  const files = process.argv[2] === PRETRAIN.name ? makeDistractedPretraining() : makeDistractedProblems();
  for (const [path, bytes] of Object.entries(files)) {
    mkdirSync(dirname(join(root, path)), { recursive: true });
    writeFileSync(join(root, path), bytes);
    console.log(`${path}  ${bytes.byteLength} bytes`);
  }
}
