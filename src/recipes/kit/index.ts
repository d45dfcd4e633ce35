export { gatherMaterials, type Materials, type StartConfig } from "./inputs.ts";
export { weighRows, type WeighedRow, type WeighOptions } from "./token-rows.ts";
export { Interrupted, stoppable, type ArmTalk, type Talk } from "./reporter.ts";
