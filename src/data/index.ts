export type { Dataset, DatasetOptions, Row } from "./dataset.ts";
export { openDataset } from "./open-dataset.ts";
export { fromRows } from "./from-rows.ts";
export type { DataItem } from "./mixture.ts";
export { tokenizeDataset } from "./tokens.ts";
export type { TokenizedDataset } from "./tokenized.ts";
export { makeBatch, rowsOfStep, stepBatches } from "./batches.ts";
