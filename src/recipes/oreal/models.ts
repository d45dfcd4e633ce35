import type { OrealConfig } from "./config-schema.ts";
import { usesRewardModel } from "./arm-config.ts";
import { loadAdapter } from "../../model/adapters/peft.ts";
import { isAdapted, withAdapter } from "../../model/adapters/with-adapter.ts";
import type { Decoder } from "../../model/decoder.ts";
import type { LoadOptions, Model } from "../../model/model.ts";
import { stream } from "../../system/random.ts";
import { tokenRewardModel, type TokenRewardModel } from "../../reward/model/token-reward-model.ts";
import type { RunInputs } from "../kit/inputs.ts";
import type { Reporter } from "../kit/reporter.ts";
import { startOf, trainable, trunkLoading } from "../kit/adapter.ts";
import { sizeNote } from "../kit/training-settings.ts";

/** The models of an arm. Adapters share one trunk, the model before training. */
export interface OrealModels {
  readonly policy: Model;
  /** Where token weights are learned. */
  readonly reward: TokenRewardModel<Model> | undefined;
  /** The model before training, where the KL term refers to it. */
  readonly initial: Decoder | undefined;
  /** Adapters over the trunk, where token weights contrast them. */
  readonly contrasted: { readonly positive: Decoder; readonly negative: Decoder } | undefined;
  dispose(): void;
}

/** Opens what the arm needs of the starting model: a copy for each part that trains whole weights, and one that is shared. */
export async function openModels(
  config: OrealConfig,
  { openModel, shareModel, shape }: RunInputs,
  reporter: Reporter,
): Promise<OrealModels> {
  const { policy: learner, rewardModel, training, objective } = config;
  const disposals: (() => void)[] = [];
  const kept = async (opened: Promise<Model>): Promise<Model> => {
    const model = await opened;
    disposals.unshift(model.dispose);
    return model;
  };
  const adapt = async (trunk: Model, adapter: NonNullable<typeof learner.adapter>, seed: number): Promise<Model> => {
    const model = await trainable(trunk, adapter, seed);
    disposals.unshift(model.dispose);
    return model;
  };
  try {
    const over = usesRewardModel(objective) ? [learner.adapter, rewardModel?.adapter] : [learner.adapter];
    const start = await kept(learner.adapter ? shareModel(trunkLoading(shape, over)) : openModel());
    const policy = learner.adapter ? await adapt(start, learner.adapter, training.seed) : start;
    let frozen = isAdapted(policy) ? start : undefined;
    const frozenTrunk = async (): Promise<Model> => {
      const asStored: LoadOptions = { weights: "as-stored" };
      frozen ??= await kept(shareModel(rewardModel?.adapter ? trunkLoading(shape, [rewardModel.adapter]) : asStored));
      return frozen;
    };
    const initialModel = async (): Promise<Model> => {
      const { model, release } = await startOf(await frozenTrunk(), learner.adapter);
      disposals.unshift(release);
      return model;
    };
    const toInitial = objective.klCoefficient > 0 && objective.reference === "initial";
    const initial = toInitial ? await initialModel() : undefined;
    const { weights } = objective;
    const saved = async (folder: string): Promise<Model> => {
      const trunk = await frozenTrunk();
      return kept(loadAdapter(folder, trunk, { dropout: 0 }).then((adapter) => withAdapter(trunk, adapter)));
    };
    const contrasted =
      weights.source === "critical"
        ? { positive: await saved(weights.positive), negative: await saved(weights.negative) }
        : undefined;
    let reward: TokenRewardModel<Model> | undefined;
    if (usesRewardModel(objective)) {
      const adapter = rewardModel?.adapter;
      const seed = stream(training.seed, "reward model").below(2 ** 31);
      reward = tokenRewardModel(adapter ? await adapt(await frozenTrunk(), adapter, seed) : await kept(openModel()));
      disposals.unshift(reward.head.dispose);
    }
    reporter.note(sizeNote("policy", policy));
    if (reward && learner.adapter?.from !== undefined && rewardModel?.adapter?.from === undefined)
      reporter.note(
        "The policy starts from policy.adapter.from and the reward model from the model below: rewardModel.adapter.from " +
          "would let both start from the same.",
      );
    if (reward)
      reporter.note(sizeNote("reward model", { parameters: [...reward.decoder.parameters, reward.head.parameter] }));
    return { policy, reward, initial, contrasted, dispose: () => disposals.splice(0).forEach((free) => free()) };
  } catch (error) {
    for (const free of disposals.splice(0)) free();
    throw error;
  }
}
