import { writing } from "../system/disk-error.ts";
import type { ColumnAligner } from "./align.ts";
import type { LossCounts } from "./lossy.ts";
import { countRows } from "./row-stats.ts";
import { openTokenFile, type TokenFileWriter } from "./token-file.ts";
import type { RowSink } from "./tokenize-rows.ts";
import { arrayStore, growing, tokenizedDataset, type TokenizedDataset, type TokenView } from "./tokenized.ts";

export interface CollectOptions {
  /** Bytes of tokens that are held in memory; what is more goes into a file, if there is one. */
  memory: number;
  /** Opens the file; undefined where none can be written. Called once. */
  spill?: (() => TokenFileWriter | undefined) | undefined;
}

export interface TokenCollector extends Required<Pick<RowSink, "divided">> {
  add: RowSink["add"];
  skip(reason: string): void;
  /** Whether a file was asked for: `done` puts it into its place, or there can be none. */
  readonly askedForFile: boolean;
  done(fingerprint: string, losses: LossCounts): TokenizedDataset;
  abandon(): void;
}

type Part = Omit<TokenView, "rowId">;

/**
 * Collects the tokens of rows: in memory, or from a size on in a file of which nothing but places is held.
 *
 * @param rows rows in the files
 */
export function collectTokens(
  rows: number,
  aligner: ColumnAligner,
  { memory, spill: open }: CollectOptions,
): TokenCollector {
  const rowIds = growing((n) => new Float64Array(n));
  const offsets = growing((n) => new Float64Array(n));
  const counter = countRows(rows);
  let held: ReturnType<typeof holdParts> | undefined = holdParts();
  let spill: TokenFileWriter | undefined;
  let asked = open === undefined;
  let largestId = 0;
  offsets.push([0]);
  const places = () => ({ rowIds: rowIds.done(), offsets: offsets.done() });
  const spillOver = (): void => {
    asked = true;
    spill = open?.();
    if (spill === undefined || held === undefined) return;
    const file = spill;
    const tokens = arrayStore({ ...places(), ...held.done() });
    toDisk(file, () => {
      for (let row = 0; row < rowIds.length; row++) file.add(tokens.read(row));
    });
    held = undefined;
  };
  return {
    skip: counter.skip,
    divided: counter.divided,
    get askedForFile() {
      return asked;
    },
    add(row, tokens, whole, where, cut) {
      const { ids, response, endOfTurn, dataWeights } = tokens;
      const full = Object.keys(row.columns).length > 0 ? whole() : response;
      const columns = aligner.align(row.columns, full, cut, where);
      if (!asked && held !== undefined && held.bytes > memory) spillOver();
      const part = { ids, response, endOfTurn, ...(dataWeights && { dataWeights }), columns };
      if (held !== undefined) held.add(part);
      else toDisk(spill!, (file) => file.add(part));
      for (const id of ids) largestId = Math.max(largestId, id);
      rowIds.push([row.rowId]);
      counter.add(row, tokens);
      offsets.push([counter.stats.tokens]);
    },
    done(fingerprint, losses) {
      const facts = { ...places(), fingerprint, largestId, stats: counter.stats, losses };
      if (held !== undefined) return tokenizedDataset({ ...facts, store: arrayStore({ ...facts, ...held.done() }) });
      toDisk(spill!, (file) => file.commit(facts.rowIds, facts.offsets, facts));
      return openTokenFile(spill!.path, fingerprint).tokens;
    },
    abandon: () => spill?.abandon(),
  };
}

/** Writes to the file, which by then holds rows that are nowhere else. */
function toDisk(file: TokenFileWriter, write: (file: TokenFileWriter) => void): void {
  writing(file.path, () => write(file), "start again", "Name another folder for the token cache.");
}

/** Rows end to end in arrays that grow. */
function holdParts() {
  const ids = growing((n) => new Int32Array(n));
  const response = growing((n) => new Uint8Array(n));
  const endOfTurn = growing((n) => new Uint8Array(n));
  const columns = new Map<string, ReturnType<typeof growing<Float32Array>>>();
  let dataWeights: ReturnType<typeof growing<Float32Array>> | undefined;
  return {
    get bytes() {
      return ids.length * (6 + 4 * columns.size + (dataWeights ? 4 : 0));
    },
    add(row: Part): void {
      if (row.dataWeights !== undefined && dataWeights === undefined) {
        dataWeights = growing((n) => new Float32Array(n));
        dataWeights.push(response.done()); // what came before counts 1
      }
      dataWeights?.push(row.dataWeights ?? row.response);
      for (const [name, values] of Object.entries(row.columns)) {
        if (!columns.has(name))
          columns.set(
            name,
            growing((n) => new Float32Array(n)),
          );
        columns.get(name)!.push(values);
      }
      ids.push(row.ids);
      response.push(row.response);
      endOfTurn.push(row.endOfTurn);
    },
    done: (): Part => ({
      ids: ids.done(),
      response: response.done(),
      endOfTurn: endOfTurn.done(),
      ...(dataWeights && { dataWeights: dataWeights.done() }),
      columns: Object.fromEntries([...columns].map(([name, values]) => [name, values.done()])),
    }),
  };
}
