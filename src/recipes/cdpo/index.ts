export { pairBatch, type Align } from "./align.ts";
export { type ContrastModels } from "./contrast.ts";
export { scoreTable, scoresOf, type Answers, type Scores } from "./evaluate.ts";
export { readPairs, readScored, writePairs, writeScored } from "./files.ts";
export { type ResponsePair, type ScoredPair, type TokenFacts } from "./files.ts";
export { objectivesOf } from "./objectives.ts";
export { stepsOfStage, type Learner } from "./learner.ts";
export { runCdpo, type CdpoOptions, type CdpoRun } from "./run.ts";
export { type Stage } from "./stages.ts";
