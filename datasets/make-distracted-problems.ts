// npx tsx datasets/make-distracted-problems.ts
//
// Writes datasets/distracted-problems/*.arrow, byte for byte the same on every run.
import { mkdirSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { arrowBytes } from "../src/data/arrow/write.ts";
import { stream } from "../src/system/random.ts";
import { makeDistracted, type DistractedProblem } from "./generator/distracted.ts";

const SEED = "distracted-problems 1";

/** No question occurs twice, within a file or across files. */
const FILES = [
  { name: "validation", rows: 200 },
  { name: "train", rows: 1200 },
];

const LEAST_WORDS = 80;
const MORE_WORDS = 40;

/** Both files, by path relative to the repository. */
export function makeDistractedProblems(): Record<string, Uint8Array> {
  const asked = new Set<string>();
  return Object.fromEntries(
    FILES.map(({ name, rows }) => {
      const problems = Array.from({ length: rows }, (_, row) => newProblem(name, row, asked));
      return [`datasets/distracted-problems/${name}.arrow`, fileOf(problems)];
    }),
  );
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
function fileOf(problems: readonly DistractedProblem[]): Uint8Array {
  const rows = problems.map(({ question, answer, key }) => ({
    question,
    answer,
    key: [0, 0, ...key, 0, ...answer.split(" ").map(() => 0), 0],
  }));
  return arrowBytes({ question: "utf8", answer: "utf8", key: "list<uint8>" }, rows);
}

if (process.argv[1] === fileURLToPath(import.meta.url)) {
  const root = dirname(dirname(fileURLToPath(import.meta.url)));
  for (const [path, bytes] of Object.entries(makeDistractedProblems())) {
    mkdirSync(dirname(join(root, path)), { recursive: true });
    writeFileSync(join(root, path), bytes);
    console.log(`${path}  ${bytes.byteLength} bytes`);
  }
}
