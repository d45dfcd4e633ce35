import { headerHtml, type Head } from "./header.ts";
import { type Content, html, trusted } from "./html.ts";
import { reportStyle } from "./style.ts";
import { tokenPictureStyle } from "./token-picture-html.ts";

/** One HTML page that asks for no other file and runs nothing but the scripts it is made with. */
export function documentOf(
  head: Head,
  {
    command,
    warnings,
    main,
    footer,
    scripts = [],
  }: {
    command?: string | undefined;
    warnings?: Content;
    main: Content;
    footer: string;
    /** Hashes of the only scripts that may run; default none. */
    scripts?: readonly string[];
  },
): string {
  return html`<!doctype html>
    <html lang="en">
      <head>
        <meta charset="utf-8" />
        <meta name="viewport" content="width=device-width, initial-scale=1" />
        <meta name="color-scheme" content="light dark" />
        <meta
          http-equiv="Content-Security-Policy"
          content="default-src 'none'; style-src 'unsafe-inline'; img-src data:${trusted(scripts.length > 0 ? `; script-src ${scripts.join(" ")}` : "")}"
        />
        <link rel="icon" href="data:," />
        <title>${head.title}</title>
        <style>
          ${trusted(reportStyle)}${trusted(tokenPictureStyle)}
        </style>
      </head>
      <body>
        ${headerHtml(head, command)} ${warnings}
        <main>${main}</main>
        <footer>${footer}</footer>
      </body>
    </html> `.markup;
}
