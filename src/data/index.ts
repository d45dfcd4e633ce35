export { openDataset, type Dataset, type DatasetOptions, type Row } from "./dataset.ts";
export { fromRows } from "./from-rows.ts";
export { tokenizeDataset, type TokenizeOptions } from "./tokens.ts";
export type { TokenizedDataset } from "./tokenized.ts";
export { makeBatch, rowsOfStep, stepBatches, type OrderOptions } from "./batches.ts";
