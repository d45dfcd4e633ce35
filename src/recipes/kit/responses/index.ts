export { answerProblems, answerRates, mean, type AnswerOptions, type AnswerRates, type Answers } from "./answers.ts";
export { responseBatch, splitResponses } from "./batch.ts";
export { drawResponses, type Drawn, type DrawOptions } from "./draw.ts";
export { checkQuestions, givenResponse, longestOf, usableRows } from "./given.ts";
export { type GivenRow, type Surroundings } from "./given.ts";
export { judgeResponses, sampledAccuracy, type Judged, type Verify } from "./judge.ts";
export { questionsOf, type Question } from "./questions.ts";
export { readRows, type RowCells } from "./rows.ts";
export { readDrawn, readResponses, responseColumns, responseRow, writeDrawn, writeResponses } from "./store.ts";
