export { gateSteps, openGateArm } from "./arm.ts";
export { answerOver, baselineScores, type AnswerOptions, type CacheResult } from "./answers.ts";
export { runAttentionGate } from "./run.ts";
export { cacheTable } from "./table.ts";
export { type GateArm, type GateArmOptions, type GateStep } from "./work.ts";
