import { Type } from "@sinclair/typebox";
import { bestKeys } from "./best-keys.ts";
import { choice } from "./schema.ts";
import { count } from "./values.ts";

/** A size of files, in units of 1,000 as in transformers. */
export const sizePattern = "^[1-9][0-9]{0,14} ?[KMGT]B$";

/**
 * When a training is saved and measured, what stays of it, when it ends early, and what is done where it diverges.
 * @param unit what a step is called, in the plural
 * @param usual the number of an evaluation that says which model is better, where nothing else is named
 */
export const savingKeys = (unit: "Steps" | "Iterations", usual: string) => ({
  saveEvery: count(
    `${unit} between checkpoints, the last${unit === "Steps" ? " step" : ""} included; 0 saves none but the final model.`,
    { default: 0, minimum: 0 },
  ),
  keepCheckpoints: count("Checkpoints to keep; older ones are deleted.", { default: 2 }),
  ...bestKeys(usual),
  checkpointBudget: Type.Optional(
    Type.String({
      pattern: sizePattern,
      description:
        "Most that the checkpoints may take on the disk together, as 20GB: older ones are deleted, the newest stays in " +
        "any case. Default: no limit.",
    }),
  ),
  evaluateEvery: count(`${unit} between evaluations; 0 evaluates at the start and the end.`, {
    default: 0,
    minimum: 0,
  }),
  onDivergence: choice(["warn", "stop", "rollback"], {
    default: "warn",
    description:
      "Where the loss explodes or a gradient is not finite. warn: say it, leave such an update out and go on; stop: end " +
      "the run; rollback: go back to the last sound checkpoint with half the learning rate, once.",
  }),
});
