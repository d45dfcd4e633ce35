import type { AdapterConfig, CdpoConfig, StageTraining } from "./config-schema.ts";
import { createAdapter, isAdapted, loadAdapter, withAdapter, type Model } from "../../model/index.ts";
import type { PreferenceObjective } from "../../preference/index.ts";
import type { RunFolder } from "../../training/index.ts";
import type { Materials } from "../kit/inputs.ts";
import type { Question, Surroundings } from "../kit/responses/index.ts";
import type { ArmTalk } from "../kit/reporter.ts";
import type { Stage, StageSpec } from "./stages.ts";

/** Everything that the stages of a run share. */
export interface CdpoWork {
  readonly config: CdpoConfig;
  readonly run: RunFolder;
  /** Of each arm, by its name. */
  readonly objectives: ReadonlyMap<string, PreferenceObjective>;
  readonly materials: Materials;
  readonly questions: readonly Question[];
  /** What files of the user's must go with. */
  readonly surroundings: Surroundings;
  readonly held: readonly Question[];
  readonly vocabularySize: number;
  readonly allowChanges: boolean;
  readonly command: string;
  readonly interrupted: () => boolean;
  talkOf(label: string): ArmTalk;
  stage<T>(spec: StageSpec<T>): Stage<T>;
}

/** The starting model for as long as `use` takes. */
export async function withTrunk<T>({ materials }: CdpoWork, use: (trunk: Model) => Promise<T>): Promise<T> {
  const trunk = await materials.openModel();
  try {
    return await use(trunk);
  } finally {
    trunk.dispose();
  }
}

/** The trunk under a saved adapter, for as long as `use` takes. */
export async function withSavedAdapter<T>(trunk: Model, folder: string, use: (model: Model) => Promise<T>): Promise<T> {
  const model = withAdapter(trunk, await loadAdapter(folder, trunk));
  try {
    return await use(model);
  } finally {
    model.dispose();
  }
}

/** The model to train: the trunk itself, or a fresh adapter over it. */
export async function trainable(trunk: Model, adapter: AdapterConfig | undefined, seed: number): Promise<Model> {
  if (adapter === undefined) return trunk;
  const { alpha, ...options } = adapter;
  return withAdapter(trunk, await createAdapter(trunk, { ...options, ...(alpha !== undefined && { alpha }), seed }));
}

/** Frees an adapter; the trunk stays. */
export function release(model: Model): void {
  if (isAdapted(model)) model.dispose();
}

/** Settings of a training that decide its result. */
export function decisive(training: StageTraining): Partial<StageTraining> {
  const free: readonly string[] = ["microBatchSize", "saveEvery", "keepCheckpoints", "gradientCheckpointing"];
  return Object.fromEntries(Object.entries(training).filter(([key]) => !free.includes(key)));
}
