export { openArm, type Arm, type ArmOptions } from "./arm.ts";
export { runComparison, undoneIfFruitless, type ComparisonOptions } from "./comparison.ts";
export { gatherMaterials, packageVersion, type Materials, type StartConfig } from "./materials.ts";
export { attentionLayerOf, ruleOf, stepsOf } from "./rules.ts";
export { weighRows, type WeighedRow, type WeighOptions } from "./token-rows.ts";
export { Interrupted, stoppable, type ArmTalk, type Talk } from "./talk.ts";
export { estimateRunMemory } from "./memory.ts";
