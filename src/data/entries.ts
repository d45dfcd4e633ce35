/** A list; of an object of lists that are equally long, which a Hugging Face sequence becomes, its objects. */
export function listOfEntries(value: unknown): unknown[] | undefined {
  return Array.isArray(value) ? (value as unknown[]) : rowsOfColumns(value);
}

function rowsOfColumns(value: unknown): unknown[] | undefined {
  if (typeof value !== "object" || value === null || ArrayBuffer.isView(value)) return undefined;
  const columns = Object.entries(value).filter(([, list]) => list !== null);
  const isList = (list: unknown): list is ArrayLike<unknown> =>
    Array.isArray(list) || (ArrayBuffer.isView(list) && !(list instanceof DataView));
  const length = isList(columns[0]?.[1]) ? columns[0][1].length : -1;
  if (!columns.every(([, list]) => isList(list) && list.length === length)) return undefined;
  return Array.from({ length: Math.max(0, length) }, (_, i) =>
    Object.fromEntries(columns.map(([key, list]) => [key, (list as ArrayLike<unknown>)[i]])),
  );
}
