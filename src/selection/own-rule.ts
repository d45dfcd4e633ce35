import type { OwnModule } from "../contract/index.ts";
import { chooserSchema } from "./chooser.ts";

const signalName = /^(nll|historyNll|referenceNll|promptAttention|entropy|entropyTop20|concentration|column:.+)$/;
const scopes = ["response", "step", "dataset"];
const divisors: readonly string[] = chooserSchema.divideBy.enum;

/** A rule in a module of the user's own. */
export const ownRule: OwnModule = {
  value: "rule",
  create: "createRule",
  type: "TokenRule",
  problems({ name, needs, scope, divideBy, ratio, anchor, weigh, metrics }) {
    const wrong: string[] = [];
    if (typeof name !== "string" || name === "") wrong.push("name must be a text");
    if (!Array.isArray(needs)) wrong.push("needs must be a list of signals");
    else
      for (const need of needs) if (!signalName.test(String(need))) wrong.push(`needs has no signal "${String(need)}"`);
    if (!scopes.includes(scope as string)) wrong.push(`scope must be one of ${scopes.join(", ")}`);
    if (!divisors.includes(divideBy as string)) wrong.push(`divideBy must be one of ${divisors.join(", ")}`);
    if (ratio !== undefined && !(typeof ratio === "number" && ratio > 0)) wrong.push("ratio must be a number above 0");
    if (anchor !== undefined && !(typeof anchor === "number" && anchor >= 0 && anchor < Infinity))
      wrong.push("anchor must be a number, 0 or more");
    if (typeof weigh !== "function") wrong.push("weigh must be a function (tokens, context) => Float32Array");
    if (metrics !== undefined && typeof metrics !== "function") wrong.push("metrics must be a function");
    return wrong;
  },
  fix: "keepTop(score, budget) makes a rule of a score; TokenRule says what a rule of your own needs.",
};
