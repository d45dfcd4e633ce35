import type { JsonSchema } from "../../contract/index.ts";

/** The option that every reward has: it is read where rewards are added up. */
export const weightOption: JsonSchema = {
  type: "number",
  default: 1,
  description: "What it is multiplied by in the sum of rewards; below 0, what it rewards is punished.",
};
