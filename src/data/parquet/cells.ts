import { DamagedFile } from "../damaged.ts";
import { halfFloat } from "../../system/half-float.ts";
import { exactInteger, textCell, UNREADABLE } from "../cell-values.ts";
import type { Column } from "./column.ts";
import { leavesOf, type Leaf, type LeafKind, type Node } from "./schema.ts";

/** Where the reading of a row stands in one column. */
interface Cursor {
  readonly column: Column;
  readonly leaf: Leaf;
  entry: number;
  readonly end: number;
  value: number;
}

/** Gives cells of a column of the table, as plain values: see `cell` of Arrow. */
export function cellsOf(node: Node, columns: ReadonlyMap<Leaf, Column>): (row: number) => unknown {
  if (!isReadable(node)) return () => UNREADABLE;
  const leaves = leavesOf(node);
  if (node.form === "leaf") {
    const column = columns.get(node)!;
    return (row) => next(cursorAt(node, column, row));
  }
  return (row) => {
    const cursors = new Map(leaves.map((leaf) => [leaf, cursorAt(leaf, columns.get(leaf)!, row)]));
    const value = read(node, cursors);
    for (const { entry, end } of cursors.values())
      if (entry !== end) throw new DamagedFile(`the columns of "${node.name}" do not nest alike`);
    return value;
  };
}

/** Whether any part of it has plain values; else its columns need not be decoded. */
export function isReadable(node: Node): boolean {
  return node.form !== "unreadable" && leavesOf(node).some(({ kind }) => kind !== "none");
}

function cursorAt(leaf: Leaf, column: Column, row: number): Cursor {
  const entry = column.rows?.[row] ?? row;
  return { column, leaf, entry, end: column.rows?.[row + 1] ?? row + 1, value: column.before?.[row] ?? entry };
}

function read(node: Node, cursors: ReadonlyMap<Leaf, Cursor>): unknown {
  if (node.form === "leaf") return next(cursors.get(node)!);
  const first = cursors.get(leavesOf(node)[0]!)!;
  const level = definitionAt(first);
  if (level < node.definition) return skip(node, cursors, null);
  switch (node.form) {
    case "struct":
      return Object.fromEntries(node.children.map((child) => [child.name, read(child, cursors)]));
    case "list": {
      if (level < node.entryDefinition) return skip(node, cursors, []);
      const items: unknown[] = [];
      for (;;) {
        items.push(read(node.item, cursors));
        if (first.entry >= first.end || first.column.repetition![first.entry] !== node.entryRepetition) break;
        if (definitionAt(first) < node.entryDefinition)
          throw new DamagedFile(`a list of "${first.leaf.path.join(".")}" goes on with what is no item`);
      }
      return items;
    }
    default:
      return skip(node, cursors, UNREADABLE, true);
  }
}

/** Passes over what a node has in each of its columns: one entry, or `whole` lists of them. */
function skip<T>(node: Node, cursors: ReadonlyMap<Leaf, Cursor>, value: T, whole = false): T {
  for (const leaf of leavesOf(node)) {
    const cursor = cursors.get(leaf)!;
    do pass(cursor);
    while (whole && cursor.entry < cursor.end && (cursor.column.repetition?.[cursor.entry] ?? 0) > node.repetition);
  }
  return value;
}

/** Goes on by an entry; whether it is a value. */
function pass(cursor: Cursor): boolean {
  if (cursor.entry >= cursor.end) throw new DamagedFile(`"${cursor.leaf.path.join(".")}" ends before its row does`);
  const isValue = definitionAt(cursor) === cursor.leaf.definition;
  cursor.entry++;
  if (isValue) cursor.value++;
  return isValue;
}

function next(cursor: Cursor): unknown {
  const { value } = cursor;
  return pass(cursor) ? plain(cursor.leaf.kind, cursor.column.values[value]) : null;
}

function definitionAt({ column, leaf, entry, end }: Cursor): number {
  return entry < end && column.definition ? column.definition[entry]! : leaf.definition;
}

function plain(kind: LeafKind, stored: unknown): unknown {
  switch (kind) {
    case "text":
      return textCell(stored as Uint8Array);
    case "int64":
      return exactInteger(stored as bigint);
    case "uint64":
      return exactInteger(BigInt.asUintN(64, stored as bigint));
    case "uint32":
      return (stored as number) >>> 0;
    case "half":
      return halfFloat((stored as Uint8Array)[0]! | ((stored as Uint8Array)[1]! << 8));
    case "none":
      return UNREADABLE;
    default:
      return narrow(kind, stored);
  }
}

const ranges: Partial<Record<LeafKind, readonly [least: number, most: number]>> = {
  int8: [-128, 127],
  int16: [-32_768, 32_767],
  uint8: [0, 255],
  uint16: [0, 65_535],
};

/** A value that its type holds: readers would cut off the bits of another, each in its way. */
function narrow(kind: LeafKind, stored: unknown): unknown {
  const range = ranges[kind];
  if (range === undefined || ((stored as number) >= range[0] && (stored as number) <= range[1])) return stored;
  throw new DamagedFile(`a column of ${kind} holds ${String(stored)}`);
}
