import { bestContradictions, measuredOnTheWay } from "../../config/best-keys.ts";
import { UserError } from "../../system/errors.ts";
import type { RunInputs } from "../kit/inputs.ts";
import { pairNumbers } from "./config.ts";
import type { CdpoConfig } from "./config-schema.ts";

/**
 * Throws a UserError for what held-out pairs, or held-out problems, do not have: the data say which they are. To pairs no
 * answers are written.
 */
export function refuseUnmeasured({ align, evaluation }: CdpoConfig, { heldPairs }: Pick<RunInputs, "heldPairs">): void {
  if (evaluation.metric !== undefined && heldPairs !== undefined)
    throw new UserError("unused-option", "the held-out rows are pairs, to which no answers are written", {
      where: "evaluation.metric",
      fix: "Leave it out, or give held-out problems in data.validation.",
    });
  const measured = heldPairs ? { numbers: pairNumbers } : measuredOnTheWay(evaluation);
  const [problem] = bestContradictions(align.training, ["align", "training"], measured);
  if (problem) throw new UserError("invalid-config", problem.message, { where: problem.path.join(".") });
}
