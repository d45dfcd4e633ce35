/** Characters for private use that a text does not have, so many of them. */
export function unusedSigns(text: string, count: number): string[] {
  const free: string[] = [];
  for (let code = 0xf0001; free.length < count; code++) {
    const sign = String.fromCodePoint(code);
    if (!text.includes(sign)) free.push(sign);
  }
  return free;
}
