import type { KeyPath, Problem } from "./problem.ts";

/** Subfolders that a run of any recipe may have beside those of its arms. */
export const runSubfolders: readonly string[] = [
  "adapter",
  "checkpoints",
  "divergence",
  "gates",
  "judge",
  "model",
  "reward-model",
  "scores",
  "server",
  "stages",
  "trajectories",
];

const fileName = /\.(html|jsonl?|txt|yaml)$/i;

/**
 * What is wrong with the names of arms, which are subfolders of the run; some file systems do not tell `A` from `a`.
 * @param taken names that the run has for something else, in lower case
 */
export function armNameProblems(
  arms: readonly { name: string; path: KeyPath }[],
  taken: readonly string[] = [],
): Problem[] {
  const names = arms.map(({ name }) => name.toLowerCase());
  return arms.flatMap(({ name, path }, index) => {
    const messages = [
      ...(runSubfolders.includes(names[index]!) ? [`cannot be named ${name}: the run has a folder of that name`] : []),
      ...(fileName.test(name) ? [`cannot be named ${name}: a run's files have such names`] : []),
      ...(taken.includes(names[index]!) || names.indexOf(names[index]!) < index
        ? [`has the same name as another arm, ${name}; give it a name`]
        : []),
    ];
    return messages.map((message) => ({ path, message }));
  });
}
