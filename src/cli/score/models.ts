import { isAdapted } from "../../model/adapters/with-adapter.ts";
import { loadModel, type Model } from "../../model/model.ts";
import type { ScoreAt } from "../../reward/scores.ts";
import { loadTokenRewardModel, type TokenRewardModel } from "../../reward/model/token-reward-model.ts";
import { UserError } from "../../system/errors.ts";
import { gateRequest, openGates, type GateRequest } from "../open-gates.ts";
import { openModel, tellBase } from "../open-model.ts";
import { oneOf } from "../values.ts";
import { withFlag } from "../with-flag.ts";
import { gateMeasure, rankedGateMeasure, rewardMeasure, type TokenMeasure } from "./measures.ts";

/** Flags that name what is loaded. */
type NamedPaths = {
  readonly [K in "adapter" | "history-model" | "reference-model" | "reward-model" | "reward-base"]?: string;
};

/** All that is to be loaded, by the flags. */
export interface ModelRequest {
  readonly model: string;
  readonly paths: NamedPaths;
  readonly gates: GateRequest | undefined;
  readonly scoreAt: ScoreAt | undefined;
}

/**
 * Reads the flags that name models.
 * @throws UserError for a flag that changes something that is not asked for
 */
export function modelRequest(
  model: string,
  values: NamedPaths & Parameters<typeof gateRequest>[0] & { readonly "score-at"?: string },
): ModelRequest {
  for (const flag of ["reward-base", "score-at"] as const)
    if (values[flag] !== undefined && values["reward-model"] === undefined)
      throw new UserError("unused-option", `--${flag} has no reward model`, { fix: "Give --reward-model DIR." });
  const at = values["score-at"];
  const scoreAt = at === undefined ? undefined : oneOf("score-at", at, ["token", "before"]);
  return { model, paths: values, gates: gateRequest(values), scoreAt };
}

/** What scores. */
export interface ScoringModels extends Disposable {
  readonly model: Model;
  readonly history?: Model;
  readonly reference?: Model;
  /** Of gates and reward model. */
  readonly measures: readonly TokenMeasure[];
  /** Every model that reads the data. */
  readonly all: readonly Model[];
}

/** Nothing here is trained, and its weights may stay in their files. */
const frozen = { weights: "as-stored" } as const;

/** Loads everything; what goes wrong frees what was loaded. */
export async function loadModels(request: ModelRequest, say: (sentence: string) => void): Promise<ScoringModels> {
  const { paths } = request;
  const all: Model[] = [];
  const disposals: (() => void)[] = [];
  const dispose = (): void => disposals.splice(0).forEach((free) => free());
  try {
    const opened = await openModel(request.model, { adapter: paths.adapter, say, ...(!paths.adapter && frozen) });
    disposals.unshift(() => opened[Symbol.dispose]());
    const { model } = opened;
    const use = (loaded: Model, flag: keyof NamedPaths): Model => {
      requireSameTokenizer(loaded, model, `--${flag} ${paths[flag]}`);
      all.push(loaded);
      return loaded;
    };
    const other = async (flag: "history-model" | "reference-model" | "reward-base"): Promise<Model | undefined> => {
      const from = paths[flag];
      if (from === undefined) return undefined;
      const loaded = await withFlag(flag, from, (path) => loadModel(path, frozen));
      disposals.unshift(loaded.dispose);
      return use(loaded, flag);
    };
    all.push(model);
    const history = await other("history-model");
    const reference = await other("reference-model");
    const measures: TokenMeasure[] = [];
    if (request.gates !== undefined) {
      const gates = await openGates(request.gates, model, say);
      disposals.unshift(() => gates[Symbol.dispose]());
      measures.push(gates.use.ratio === undefined ? gateMeasure(model, gates) : rankedGateMeasure(model, gates));
    }
    const folder = paths["reward-model"];
    if (folder !== undefined) {
      const base = await other("reward-base");
      const reward = await loadTokenRewardModel(folder, base ?? opened.trunk);
      disposals.unshift(reward.dispose);
      await checkBase(reward, { folder, base, trunk: opened.trunk, say });
      use(reward.decoder, "reward-model");
      measures.push(rewardMeasure(reward, request.scoreAt ?? reward.scoreAt ?? "token"));
    }
    const second = { ...(history && { history }), ...(reference && { reference }) };
    return { model, ...second, measures, all, [Symbol.dispose]: dispose };
  } catch (error) {
    dispose();
    throw error;
  }
}

/** A reward model that is an adapter lies over the model that it was trained over; a whole one over none. */
async function checkBase(
  { decoder }: TokenRewardModel<Model>,
  about: { folder: string; base: Model | undefined; trunk: Model; say: (sentence: string) => void },
): Promise<void> {
  const { folder, base, trunk, say } = about;
  if (!isAdapted(decoder)) {
    if (base === undefined) return;
    throw new UserError("unused-option", "--reward-base is not used: this reward model is a whole model", {
      where: folder,
    });
  }
  const hint = base === undefined ? "; --reward-base gives another one" : "";
  await tellBase(decoder.adapter, base ?? trunk, { where: folder, say: (sentence) => say(`${sentence}${hint}`) });
}

function requireSameTokenizer({ tokenizer }: Model, model: Model, where: string): void {
  if (tokenizer.fingerprint === model.tokenizer.fingerprint) return;
  throw new UserError(
    "tokenizer-mismatch",
    `its tokenizer is not that of ${model.source}, so their losses cannot be compared`,
    { where, fix: "Give a model of the same family, with the same tokenizer files." },
  );
}
