export { openArm, type Arm } from "./arm.ts";
export {
  runArms,
  undoneIfFruitless,
  type ArmOpening,
  type ArmRunner,
  type PlannedArm,
  type RunOptions,
} from "./arms.ts";
export { runComparison } from "./comparison.ts";
export { gatherMaterials, packageVersion, type Materials, type StartConfig } from "./materials.ts";
export { attentionLayerOf, ruleOf, stepsOf } from "./rules.ts";
export { weighRows, type WeighedRow, type WeighOptions } from "./token-rows.ts";
export { Interrupted, stoppable, type ArmTalk, type Talk } from "./talk.ts";
export { estimateRunMemory } from "./memory.ts";
