export { responseBatch, splitResponses } from "./batch.ts";
export { drawResponses, type Drawn, type DrawOptions } from "./draw.ts";
export { judgeResponses, sampledAccuracy, type Judged, type Verify } from "./judge.ts";
export { questionsOf, type Question } from "./questions.ts";
export { readDrawn, readResponses, responseColumns, responseRow, writeDrawn, writeResponses } from "./store.ts";
