// npx tsx scripts/draw-tokens.ts RUN ROW... > docs/tokens.svg
//
// Draws rows of a run's tokens.json as one SVG for light and dark pages, with the colours of the report.
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { hex, ramps, rampStep, rampSteps } from "../src/report/colors.ts";
import { tokenPicture, type PicturedToken, type ScoredRow } from "../src/report/token-picture.ts";
import { displayWidth } from "../src/system/visible-text.ts";

const width = 880;
const margin = 16;
const [advance, lineHeight, boxHeight, padding] = [7.8, 30, 22, 3];

const [run, ...rowIds] = process.argv.slice(2);
if (run === undefined || rowIds.length === 0) throw new Error("usage: draw-tokens.ts RUN ROW...");
const { rows } = JSON.parse(readFileSync(join(run, "tokens.json"), "utf8")) as { rows: ScoredRow[] };
process.stdout.write(draw(rowIds.map((rowId) => rows.find((row) => row.rowId === Number(rowId))!)));

function draw(chosen: readonly ScoredRow[]): string {
  const shapes: string[] = [];
  let y = margin + boxHeight;
  for (const row of chosen) {
    let x = margin;
    let before: PicturedToken["state"] | undefined;
    for (const token of tokenPicture(row).tokens) {
      const wide = textWidth(token) + 2 * padding;
      const responseBegins = before === "prompt" && token.state !== "prompt";
      if (responseBegins || x + wide > width - margin) [x, y] = [margin, y + lineHeight];
      before = token.state;
      shapes.push(tokenShape(token, x, y));
      x += wide + 2;
      if (token.endsLine) [x, y] = [margin, y + lineHeight];
    }
    y += 1.5 * lineHeight;
  }
  shapes.push(legend(y));
  const height = y + margin;
  return `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${width} ${height}" width="${width}" height="${height}" role="img">
<title>Tokens of ${chosen.length} training rows: the prompt pale, the response coloured by its score, dropped tokens struck through</title>
<style>${style()}</style>
<rect width="100%" height="100%" rx="6" class="page"/>
${shapes.join("\n")}
</svg>
`;
}

function tokenShape(token: PicturedToken, x: number, y: number): string {
  const { parts, state, place, noise } = token;
  const text = escaped(parts.map((part) => part.text).join(""));
  const long = round(textWidth(token));
  const left = round(x + padding);
  const words = `<text x="${left}" y="${y - 6}" textLength="${long}" class="${state}">${text}</text>`;
  if (state === "prompt") return words;
  const box = `<rect x="${round(x)}" y="${y - boxHeight}" width="${round(long + 2 * padding)}" height="${boxHeight}" rx="2" class="${place === undefined ? "plain" : `s${rampStep(place)}`}"/>`;
  const line = (kind: string, at: number) => `<path d="M${left} ${y - at}h${long}" class="${kind}"/>`;
  return [
    box,
    words,
    state === "dropped" ? line("struck", 10.5) : line("under", 0.5),
    noise ? line("noise", 3) : "",
  ].join("");
}

function legend(y: number): string {
  const ramp = Array.from({ length: rampSteps }, (_, step) => {
    return `<rect x="${margin + 86 + 14 * step}" y="${y - 16}" width="14" height="14" class="s${step}"/>`;
  });
  const words = (x: number, text: string) => `<text x="${margin + x}" y="${y - 5}" class="note">${text}</text>`;
  const line = (x: number, at: number, kind: string) => `<path d="M${margin + x} ${y - at}h26" class="${kind}"/>`;
  return [
    words(0, "score: low"),
    ...ramp,
    words(230, "high"),
    `${line(300, 3, "under")}${words(332, "kept")}`,
    `${line(400, 9, "struck")}${words(432, "dropped")}`,
    `${line(525, 5, "noise")}${words(557, "labelled as wrong in the data")}`,
  ].join("");
}

function style(): string {
  const theme = (mode: "light" | "dark", page: string, quiet: string, plain: string, noise: string): string => {
    const text = hex(ramps[mode].text);
    const shades = ramps[mode].shades.map((shade, step) => `.s${step}{fill:${hex(shade)}}`).join("");
    return `.page{fill:${page}}text{fill:${text}}.prompt,.note{fill:${quiet}}.under,.struck{stroke:${text}}.plain{fill:${plain}}.noise{stroke:${noise}}${shades}`;
  };
  const font = "font:13px ui-monospace,SFMono-Regular,Menlo,Consolas,'Liberation Mono',monospace;white-space:pre";
  const light = theme("light", "#fff", "#5b6470", "#eef0f2", "#b3261e");
  const dark = theme("dark", "#15181d", "#9aa4b1", "#2b2f36", "#ff9a8f");
  return `text{${font}}.under{stroke-width:1.5}.struck{opacity:.7}.noise{stroke-width:2;stroke-dasharray:3 1.5}${light}@media (prefers-color-scheme:dark){${dark}}`;
}

function textWidth({ parts }: PicturedToken): number {
  return advance * parts.reduce((sum, part) => sum + displayWidth(part.text), 0);
}

function escaped(text: string): string {
  return text.replace(/[&<>]/g, (sign) => `&#${sign.charCodeAt(0)};`);
}

function round(value: number): number {
  return Math.round(value * 10) / 10;
}
