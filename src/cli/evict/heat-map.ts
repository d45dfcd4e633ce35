import type { ComparedCache } from "../../evaluation/caches/compare.ts";
import { type Html, html } from "../../report/html.ts";
import { nameOf } from "./results.ts";

const cell = { width: 22, least: 4, most: 12 };
const left = 44;
const mostLines = 512;
/** Shades of what is kept. */
const shades = 10;

/** What a cache keeps, a line for each layer and key-value head, from a prompt's first stretch to its last. */
export function heatMap(cache: ComparedCache): Html {
  const lines = cache.retention.flatMap((heads, layer) => heads.map((shares, head) => ({ layer, head, shares })));
  const shown = lines.slice(0, mostLines);
  const heads = cache.retention[0]!.length;
  const height = Math.max(cell.least, Math.min(cell.most, Math.floor(360 / shown.length)));
  const width = left + cell.width * shown[0]!.shares.length;
  const every = Math.max(1, Math.ceil((14 * cache.retention.length) / (height * shown.length)));
  // One path for each shade: a square of its own for each place would make the page many times as large.
  const paths = Array.from({ length: shades + 1 }, () => "");
  for (const [line, { shares }] of shown.entries())
    for (const [place, share] of shares.entries()) {
      const shade = Number.isNaN(share) ? 0 : Math.round(shades * share);
      paths[shade] += `M${left + place * cell.width} ${line * height}h${cell.width}v${height}h-${cell.width}z`;
    }
  const named = shown.filter(({ layer, head }) => head === 0 && layer % every === 0);
  return html`<figure>
    <svg
      role="img"
      aria-label="Share kept by layer, head and place in the prompt: ${nameOf(cache)}"
      viewBox="0 0 ${width} ${height * shown.length + 4}"
      style="font:10px var(--sans)"
    >
      ${named.map(
        ({ layer }) =>
          html`<text x="${left - 6}" y="${layer * heads * height + 9}" text-anchor="end" fill="currentColor">
            ${layer + 1}
          </text>`,
      )}
      ${paths.map((path, shade) =>
        path === "" || shade === 0
          ? undefined
          : html`<path d="${path}" fill="var(--arm-0)" fill-opacity="${shade / shades}" />`,
      )}
    </svg>
    <figcaption>
      ${nameOf(cache)}: layers from the top${heads > 1 ? `, ${heads} key-value heads each` : ""}, the prompt from left
      to right; the darker, the more is kept.
    </figcaption>
  </figure> `;
}
