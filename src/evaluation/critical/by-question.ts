/** What belongs to answers of one question, in order of the questions' first appearance. */
export function byQuestion<T>(list: readonly T[], questionOf: (each: T) => number): T[][] {
  const groups = new Map<number, T[]>();
  for (const each of list) {
    const group = groups.get(questionOf(each));
    if (group) group.push(each);
    else groups.set(questionOf(each), [each]);
  }
  return [...groups.values()];
}
