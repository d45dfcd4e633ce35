import type { ParquetType } from "hyparquet";
import { repeatedName } from "../column-names.ts";
import { DamagedFile } from "../damaged.ts";
import { optionalNumber, structAt, textAt, wholeNumber, type ThriftStruct } from "./thrift.ts";

/**
 * How bytes become plain values: `text`, numbers, booleans; `none` for what there is no plain value for: bytes, dates,
 * decimals, maps, lists in forms that older writers used.
 */
export type LeafKind = "text" | "boolean" | IntegerKind | "float" | "half" | "none";
type IntegerKind = `${"" | "u"}int${8 | 16 | 32 | 64}`;

interface NodeBase {
  readonly name: string;
  /** The definition level at which the value is there. */
  readonly definition: number;
  /** How many lists it lies in. */
  readonly repetition: number;
}

/** A column of the file. */
export interface Leaf extends NodeBase {
  readonly form: "leaf";
  readonly kind: LeafKind;
  readonly type: ParquetType;
  readonly typeLength: number | undefined;
  readonly maxRepetition: number;
  /** Its place among the columns of a row group. */
  readonly index: number;
  readonly path: readonly string[];
}

export interface Struct extends NodeBase {
  readonly form: "struct";
  readonly children: readonly Node[];
}

export interface List extends NodeBase {
  readonly form: "list";
  readonly item: Node;
  /** The definition level at which the list has an entry, and the repetition level of every entry but the first. */
  readonly entryDefinition: number;
  readonly entryRepetition: number;
}

/** Something that has no plain value as a whole. */
export interface Unreadable extends NodeBase {
  readonly form: "unreadable";
  readonly children: readonly Node[];
}

export type Node = Leaf | Struct | List | Unreadable;

const MAX_DEPTH = 24;
const TYPES: readonly ParquetType[] = [
  "BOOLEAN",
  "INT32",
  "INT64",
  "INT96",
  "FLOAT",
  "DOUBLE",
  "BYTE_ARRAY",
  "FIXED_LEN_BYTE_ARRAY",
];
const [REQUIRED, REPEATED] = [0, 2] as const;
const CONVERTED = { UTF8: 0, LIST: 3, ENUM: 4, JSON: 19 };
/** Numbers of the fields of LogicalType. */
const LOGICAL = { STRING: 1, LIST: 3, ENUM: 4, INTEGER: 10, UNKNOWN: 11, JSON: 12, FLOAT16: 15 };

/** The columns of the table, from the flat list of elements that the footer has. */
export function readSchema(elements: readonly ThriftStruct[]): Node[] {
  let next = 0;
  let columns = 0;
  const take = (): ThriftStruct => {
    const element = elements[next++];
    if (element === undefined) throw new DamagedFile("the schema is cut short");
    return element;
  };
  const node = (above: number, aboveRepetition: number, path: readonly string[]): Node => {
    if (path.length > MAX_DEPTH) throw new DamagedFile(`a column is nested more than ${MAX_DEPTH} deep`);
    const element = take();
    const name = textAt(element, 4, "the name of a column");
    const here = [...path, name];
    const isList = isRepeated(element);
    const definition = above + (repetitionOf(element) === REQUIRED ? 0 : 1);
    const repetition = aboveRepetition + (isList ? 1 : 0);
    const base = { name, definition, repetition: aboveRepetition };
    const count = childrenOf(element, elements.length);
    if (count === 0) {
      const type = TYPES[wholeNumber(element, 1, "the type of a column", TYPES.length - 1)]!;
      const typeLength = optionalNumber(element, 2, "the length of a type", 2 ** 20);
      const kind = isList ? "none" : kindOf(element, type, typeLength);
      const rest = { kind, type, typeLength, maxRepetition: repetition, index: columns++, path: here };
      const leaf: Leaf = { ...base, form: "leaf", ...rest };
      return isList ? { ...base, form: "unreadable", children: [leaf] } : leaf;
    }
    if (!isList && count === 1 && isListOfItems(element, elements[next])) {
      const entries = textAt(take(), 4, "the name of a column");
      const item = node(definition + 1, repetition + 1, [...here, entries]);
      return { ...base, form: "list", item, entryDefinition: definition + 1, entryRepetition: repetition + 1 };
    }
    const children = Array.from({ length: count }, () => node(definition, repetition, here));
    const isStruct = !isList && !isAnnotated(element) && repeatedName(children.map(({ name }) => name)) === undefined;
    return { ...base, form: isStruct ? "struct" : "unreadable", children };
  };
  const count = childrenOf(take(), elements.length);
  const nodes = Array.from({ length: count }, () => node(0, 0, []));
  if (next !== elements.length) throw new DamagedFile("the schema has columns that belong nowhere");
  return nodes;
}

/** The leaves of a node, in the order of the file's columns. */
export function leavesOf(node: Node): Leaf[] {
  if (node.form === "leaf") return [node];
  return node.form === "list" ? leavesOf(node.item) : node.children.flatMap(leavesOf);
}

/** Whether a group is a list in the form that the format prescribes: a repeated group around one item. */
function isListOfItems(element: ThriftStruct, middle: ThriftStruct | undefined): boolean {
  const logical = structAt(element, 10);
  const isList = logical?.fields.has(LOGICAL.LIST) ?? optionalNumber(element, 6, "a converted type") === CONVERTED.LIST;
  if (!isList || middle === undefined || !isRepeated(middle) || structAt(middle, 10) !== undefined) return false;
  const name = textAt(middle, 4, "the name of a column");
  const isItem = name === "array" || name.endsWith("_tuple"); // of older writers, whose groups are the items
  return childrenOf(middle, 1) === 1 && !isItem;
}

function childrenOf(element: ThriftStruct, limit: number): number {
  return optionalNumber(element, 5, "the number of children", Math.max(limit, 2 ** 16)) ?? 0;
}

function repetitionOf(element: ThriftStruct): number {
  return optionalNumber(element, 3, "a repetition type", 2) ?? REQUIRED;
}

function isRepeated(element: ThriftStruct): boolean {
  return repetitionOf(element) === REPEATED;
}

/** Whether a group is more than a struct: a map, a list of another form, a variant. */
function isAnnotated(element: ThriftStruct): boolean {
  return element.fields.has(6) || element.fields.has(10);
}

function kindOf(element: ThriftStruct, type: ParquetType, typeLength: number | undefined): LeafKind {
  const logical = structAt(element, 10);
  const converted = optionalNumber(element, 6, "a converted type");
  if (logical?.fields.has(LOGICAL.UNKNOWN)) return type === "BOOLEAN" ? "boolean" : type === "INT32" ? "int32" : "none";
  switch (type) {
    case "BOOLEAN":
      return "boolean";
    case "BYTE_ARRAY": {
      const isText = [LOGICAL.STRING, LOGICAL.ENUM, LOGICAL.JSON].some((kind) => logical?.fields.has(kind));
      const wasText = converted !== undefined && [CONVERTED.UTF8, CONVERTED.ENUM, CONVERTED.JSON].includes(converted);
      return isText || (logical === undefined && wasText) ? "text" : "none";
    }
    case "FLOAT":
    case "DOUBLE":
      return logical === undefined && converted === undefined ? "float" : "none";
    case "FIXED_LEN_BYTE_ARRAY":
      return logical?.fields.has(LOGICAL.FLOAT16) && typeLength === 2 ? "half" : "none";
    case "INT32":
    case "INT64":
      return integerKind(type, logical, converted);
    default:
      return "none";
  }
}

/** Converted types 11 to 14 are unsigned integers of 8 to 64 bits, 15 to 18 signed ones. */
function integerKind(
  type: "INT32" | "INT64",
  logical: ThriftStruct | undefined,
  converted: number | undefined,
): LeafKind {
  const stored = type === "INT32" ? 32 : 64;
  const integer = logical && structAt(logical, LOGICAL.INTEGER);
  if (integer)
    return integerOf(optionalNumber(integer, 1, "a width") ?? stored, integer.fields.get(2) !== false, stored);
  if (logical !== undefined) return "none";
  if (converted === undefined) return integerOf(stored, true, stored);
  return converted >= 11 && converted <= 18 ? integerOf(8 << ((converted - 11) % 4), converted >= 15, stored) : "none";
}

/** A column of narrower integers is stored as one of 32 bits. */
function integerOf(width: number, isSigned: boolean, stored: 32 | 64): IntegerKind {
  const bits = stored === 32 && (width === 8 || width === 16) ? width : stored;
  return `${isSigned ? "" : "u"}int${bits}`;
}
