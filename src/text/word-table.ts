import type { EncodeWord } from "./models/model.ts";

/** Stands for text that has no token. */
export const noToken = -1;

/** Adds the ids of a word, which is a part of a text. */
export type AppendWord = (text: string, from: number, to: number, ids: number[]) => void;

const longestWord = 256; // UTF-16 units of a word that is remembered
const mostWords = 1 << 16;
const mostIdsOfWord = 1024;
const mostUnits = 1 << 20;
const mostIds = 1 << 20;
const mostProbes = 16; // so that words which were chosen to collide take no longer than others

/** Remembers the ids of words, found by their letters where they stand: no text is made of a word that is known. */
export function rememberWords(encode: EncodeWord): AppendWord {
  let table = emptyTable(1 << 10);

  const encoded = (word: string): readonly number[] => encode(word).map((id) => id ?? noToken);

  return (text, from, to, ids) => {
    if (to - from > longestWord) {
      for (const id of encoded(text.slice(from, to))) ids.push(id);
      return;
    }
    let hash = to - from;
    for (let at = from; at < to; at++) hash = Math.imul(hash ^ text.charCodeAt(at), 0x01000193);
    hash ^= hash >>> 15;
    const entry = find(table, text, from, to, hash);
    if (entry >= 0) {
      const end = table.idStart[entry + 1]!;
      for (let at = table.idStart[entry]!; at < end; at++) ids.push(table.ids[at]!);
      return;
    }
    const found = encoded(text.slice(from, to));
    for (const id of found) ids.push(id);
    if (found.length > mostIdsOfWord) return;
    table = withRoom(table, to - from, found.length);
    add(table, text, from, to, hash, found);
  };
}

/** Words by the hash of their letters; letters and ids of word `i` stand from `start[i]` to before `start[i + 1]`. */
interface Table {
  words: number;
  /** One more than the word's number; 0: free. */
  readonly slots: Int32Array;
  readonly hashes: Int32Array;
  readonly unitStart: Int32Array;
  readonly idStart: Int32Array;
  units: Uint16Array;
  ids: Int32Array;
}

function emptyTable(words: number): Table {
  return {
    words: 0,
    slots: new Int32Array(4 * words),
    hashes: new Int32Array(words),
    unitStart: new Int32Array(words + 1),
    idStart: new Int32Array(words + 1),
    units: new Uint16Array(8 * words),
    ids: new Int32Array(2 * words),
  };
}

function find(
  { slots, hashes, unitStart, units }: Table,
  text: string,
  from: number,
  to: number,
  hash: number,
): number {
  const mask = slots.length - 1;
  for (let probe = 0; probe < mostProbes; probe++) {
    const entry = slots[(hash + probe) & mask]! - 1;
    if (entry < 0) return -1;
    if (hashes[entry] !== hash) continue;
    const start = unitStart[entry]!;
    if (unitStart[entry + 1]! - start !== to - from) continue;
    let at = from;
    while (at < to && units[start + at - from] === text.charCodeAt(at)) at++;
    if (at === to) return entry;
  }
  return -1;
}

function add(table: Table, text: string, from: number, to: number, hash: number, ids: readonly number[]): void {
  if (!place(table.slots, table.words, hash)) return;
  const { words, unitStart, idStart } = table;
  const [unit, id] = [unitStart[words]!, idStart[words]!];
  for (let at = from; at < to; at++) table.units[unit + at - from] = text.charCodeAt(at);
  table.ids.set(ids, id);
  table.hashes[words] = hash;
  unitStart[words + 1] = unit + to - from;
  idStart[words + 1] = id + ids.length;
  table.words++;
}

function place(slots: Int32Array, entry: number, hash: number): boolean {
  const mask = slots.length - 1;
  for (let probe = 0; probe < mostProbes; probe++) {
    const at = (hash + probe) & mask;
    if (slots[at] !== 0) continue;
    slots[at] = entry + 1;
    return true;
  }
  return false;
}

/** A table with room for one more word: this one, a larger copy, or an empty one where it would grow too large. */
function withRoom(table: Table, units: number, ids: number): Table {
  const { words, hashes, unitStart, idStart } = table;
  const [unitEnd, idEnd] = [unitStart[words]! + units, idStart[words]! + ids];
  if (unitEnd > mostUnits || idEnd > mostIds || words === mostWords) return emptyTable(1 << 10);
  if (unitEnd > table.units.length) table.units = larger(table.units, new Uint16Array(grown(unitEnd, mostUnits)));
  if (idEnd > table.ids.length) table.ids = larger(table.ids, new Int32Array(grown(idEnd, mostIds)));
  if (words < hashes.length) return table;
  const wider = { ...emptyTable(2 * words), words, units: table.units, ids: table.ids };
  wider.hashes.set(hashes);
  wider.unitStart.set(unitStart);
  wider.idStart.set(idStart);
  for (let entry = 0; entry < words; entry++) place(wider.slots, entry, hashes[entry]!);
  return wider;
}

const grown = (wanted: number, most: number): number => Math.min(most, 2 * wanted);

function larger<T extends Uint16Array | Int32Array>(values: T, target: T): T {
  target.set(values);
  return target;
}
