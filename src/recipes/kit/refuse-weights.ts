/** What recipes say of weights that have no meaning in them. */
import type { TokenizedDataset } from "../../data/tokenized.ts";
import { UserError } from "../../system/errors.ts";
import type { StartConfig } from "./inputs.ts";

const answersOfItsOwn = "this recipe trains on whole answers, which the model gives or pairs hold";

/** Refuses weights of prompts. */
export function refusePromptWeights({ promptWeight, systemWeight = promptWeight }: StartConfig["data"]): void {
  if (promptWeight === 0 && systemWeight === 0) return;
  throw new UserError("invalid-option", `prompts do not train: ${answersOfItsOwn}`, {
    where: promptWeight === 0 ? "data.systemWeight" : "data.promptWeight",
    fix: "Leave it out, or train with finetune.",
  });
}

/** Refuses weights of tokens other than 0 and 1, which say which answers a row has. */
export function refuseWeights(tokens: TokenizedDataset): void {
  for (let i = 0; tokens.weighed && i < tokens.length; i++) {
    const { rowId, dataWeights } = tokens.row(i);
    const other = dataWeights?.find((weight) => weight !== 0 && weight !== 1);
    if (other === undefined) continue;
    throw new UserError("invalid-weight", `the data give an answer's tokens the weight ${other}`, {
      where: `row ${rowId}`,
      fix: `Leave out weights other than 0 and 1, or train with finetune: ${answersOfItsOwn}.`,
    });
  }
}

/** Refuses weights of a mixture. */
export function refuseMixture({ train }: StartConfig["data"]): void {
  const index = [train].flat().findIndex((item) => typeof item === "object" && item.weight !== undefined);
  if (index < 0) return;
  throw new UserError("unused-option", "this recipe asks each question as often as any other, whatever its weight", {
    where: Array.isArray(train) ? `data.train[${index}].weight` : "data.train.weight",
    fix: "Leave the weight out; limit takes fewer rows of a data set.",
  });
}
