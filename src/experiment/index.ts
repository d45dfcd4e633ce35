export { Interrupted, openArm, stoppable, type Arm, type ArmOptions, type ArmTalk } from "./arm.ts";
export { runComparison, type ComparisonOptions } from "./comparison.ts";
export { gatherMaterials, packageVersion, type Materials, type Talk } from "./materials.ts";
export { attentionLayerOf, ruleOf, stepsOf } from "./rules.ts";
export { weighRows, type WeighedRow, type WeighOptions } from "./token-rows.ts";
