import { stepsWithin } from "../steps/growth.ts";
import { byteIds, type EncodeWord } from "./model.ts";

export interface UnigramOptions {
  vocab: readonly (readonly [string, number])[];
  unk_id?: number | null;
  byte_fallback?: boolean;
}

interface Node {
  children: Map<string, Node> | undefined;
  id: number;
}

const mostNodes = 8_000_000; // ten times those of the largest vocabularies

const unknownPenalty = 10;
const shortest = 64; // characters of a token that are not counted

/**
 * Unigram: the cutting whose scores have the largest sum. Characters that no token begins with are unknown, those next
 * to each other as one; with `byte_fallback` they become their bytes.
 */
export function unigram(
  { vocab, unk_id, byte_fallback }: UnigramOptions,
  ids: ReadonlyMap<string, number>,
): EncodeWord {
  const root: Node = { children: undefined, id: -1 };
  let nodes = 0;
  let lowest = Infinity;
  for (const [id, [token, score]] of vocab.entries()) {
    lowest = Math.min(lowest, score);
    nodes += insert(root, token, id);
    if (nodes > mostNodes) throw new Error(`the tokens of the vocabulary have more than ${mostNodes} beginnings`);
  }
  const unknownScore = lowest - unknownPenalty;
  const unknown = unk_id ?? undefined;
  return (word) => {
    const characters = Array.from(word);
    const parts = bestParts(characters, root, (id) => vocab[id]![1], unknownScore, unknown);
    return parts.flatMap(({ start, end, id }): (number | undefined)[] => {
      if (id !== undefined) return [id];
      const text = characters.slice(start, end).join("");
      const known = ids.get(text);
      if (known !== undefined) return [known];
      return (byte_fallback === true ? byteIds(text, ids) : undefined) ?? [unknown];
    });
  };
}

/** Returns how many nodes are new. */
function insert(root: Node, token: string, id: number): number {
  let node = root;
  let made = 0;
  for (const character of token) {
    node.children ??= new Map();
    let child = node.children.get(character);
    if (child === undefined) {
      node.children.set(character, (child = { children: undefined, id: -1 }));
      made++;
    }
    node = child;
  }
  node.id = id;
  return made;
}

interface PartOfWord {
  start: number;
  end: number;
  /** Undefined for characters that are unknown. */
  id: number | undefined;
}

function bestParts(
  characters: readonly string[],
  root: Node,
  scoreOf: (id: number) => number,
  unknownScore: number,
  unknown: number | undefined,
): PartOfWord[] {
  const count = characters.length;
  const spend = stepsWithin(count);
  const [best, from, tokenAt] = [
    new Float64Array(count + 1),
    new Int32Array(count + 1).fill(-1),
    new Int32Array(count + 1).fill(-1),
  ];
  const offer = (start: number, end: number, id: number, score: number): void => {
    const total = best[start]! + score;
    if (from[end]! >= 0 && total <= best[end]!) return;
    [best[end], from[end], tokenAt[end]] = [total, start, id];
  };
  for (let start = 0; start < count; start++) {
    let node: Node | undefined = root;
    let isSingleKnown = false;
    spend(1);
    for (let end = start; end < count; end++) {
      node = node.children?.get(characters[end]!);
      if (node === undefined) break;
      if (end > start + shortest) spend(1);
      if (node.id < 0) continue;
      offer(start, end + 1, node.id, scoreOf(node.id));
      if (end === start) isSingleKnown = true;
    }
    if (!isSingleKnown) offer(start, start + 1, -1, unknownScore);
  }
  const parts: PartOfWord[] = [];
  for (let end = count; end > 0; end = from[end]!) {
    const [start, id] = [from[end]!, tokenAt[end]!];
    const isUnknown = id < 0 || id === unknown;
    const following = parts.at(-1);
    if (isUnknown && following !== undefined && following.id === undefined) following.start = start;
    else parts.push({ start, end, id: isUnknown ? undefined : id });
  }
  return parts.reverse();
}
