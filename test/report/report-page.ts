import { createHash } from "node:crypto";
import { expect } from "@jest/globals";
import { parseHTML } from "linkedom";

export const flat = (text: string | null | undefined): string => (text ?? "").replace(/\s+/g, " ").trim();

/** A page's parts, as text. */
export function page(markup: string) {
  const { document } = parseHTML(markup);
  const section = (title: string) =>
    [...document.querySelectorAll("section")].find((part) => flat(part.querySelector("h2")?.textContent) === title);
  const cells = (title: string, table = 0) =>
    [...(section(title)?.querySelectorAll("table")[table]?.querySelectorAll("tbody tr") ?? [])].map((row) =>
      [...row.querySelectorAll("th, td")].map((cell) => flat(cell.textContent)),
    );
  const facts = () => [...document.querySelectorAll("dl div")].map((fact) => flat(fact.textContent));
  const titles = () => [...document.querySelectorAll("section h2")].map((title) => flat(title.textContent));
  return { document, section, cells, facts, titles, text: flat(document.body.textContent) };
}

/**
 * Expects a page that asks for nothing from elsewhere, runs nothing but what its policy names, and shows no number that is
 * none.
 */
export function expectSelfContained(whole: string): void {
  const scripts = [...whole.matchAll(/<script( type="application\/json" id="[\w-]+")?>(.*?)<\/script>/gs)];
  const markup = scripts.reduce((rest, [script]) => rest.replace(script, () => ""), whole);
  for (const [, isData, text] of scripts) {
    if (isData) expect(text).not.toContain("<");
    else expect(whole).toContain(`script-src 'sha256-${createHash("sha256").update(text!).digest("base64")}'"`);
    expect(
      /fetch\(|XMLHttpRequest|WebSocket|EventSource|sendBeacon|import\(|\beval\(|new Function/.exec(text!),
    ).toBeNull();
  }
  const { document } = page(markup);
  expect(document.querySelector("script, iframe, object, embed, img, base, form")).toBeNull();
  expect(/(src|href|action|srcset)\s*=\s*(?:["'](?!data:,)|[^"'\s])/i.exec(markup)).toBeNull();
  expect(/@import|url\(|https?:/i.exec(markup)).toBeNull();
  expect(markup.includes("default-src 'none'")).toBe(true);
  expect(/undefined|NaN|\[object/.exec(markup)).toBeNull();
}

/** Expects every element to be closed in its turn. */
export function expectNested(markup: string): void {
  const empty = new Set(["meta", "link"]);
  const open: string[] = [];
  const crossed: string[] = [];
  for (const [, end, name, selfClosed] of markup.matchAll(/<(\/?)([a-z][a-z0-9]*)\b(?:"[^"]*"|[^">])*?(\/?)\s*>/gi)) {
    if (end) {
      const last = open.pop();
      if (last !== name) crossed.push(`${last} by ${name}`); // `expect` takes its time, and a page has thousands of elements
    } else if (!selfClosed && !empty.has(name!)) open.push(name!);
  }
  expect({ crossed, open }).toEqual({ crossed: [], open: [] });
}

/** What must never stand in a page as it stands here. */
export const evil = `<script>alert(1)</script><img src=x onerror=alert(1)>"'\u202e`;

/** Expects hostile text to be shown as text. */
export function expectEscaped(markup: string): void {
  expect(page(markup).document.querySelector("script, img")).toBeNull();
  expect(/<script|<img|\u202e/.exec(markup)).toBeNull();
  expect(markup.includes("&lt;script&gt;")).toBe(true);
}
