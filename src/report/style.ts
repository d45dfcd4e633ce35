/** The report's own style sheet. Everything is inline: a report is one file that asks for nothing. */
export const reportStyle = `
:root{--sans:system-ui,-apple-system,"Segoe UI",Roboto,"Noto Sans","Liberation Sans",sans-serif;--page:#fff;--ink:#1a1d21;--quiet:#5d6570;--line:#d9dde2;--soft:#f5f6f8;--warn:#8a4b00;--warn-page:#fff6e5;--arm-0:#1b5fa8;--arm-1:#b45309;--arm-2:#5b6470;--arm-3:#7a3e9d;--arm-4:#0f766e;--arm-5:#a3195b;color-scheme:light dark}
@media screen and (prefers-color-scheme:dark){:root{--page:#14171b;--ink:#e6e8eb;--quiet:#9aa3ae;--line:#323840;--soft:#1c2026;--warn:#ffc46b;--warn-page:#2a2213;--arm-0:#78b4f2;--arm-1:#f0a35a;--arm-2:#a9b2bd;--arm-3:#c99be8;--arm-4:#5fc9bd;--arm-5:#f28cb8}}
*{box-sizing:border-box}
html{background:var(--page);color:var(--ink);font:15px/1.5 var(--sans);-webkit-text-size-adjust:100%}
body{max-width:80rem;margin:0 auto;padding:2rem 1.5rem 4rem}
h1{font-size:1.7rem;line-height:1.2;font-weight:650;letter-spacing:-.012em;margin:0 0 .4rem;overflow-wrap:anywhere}
h2{font-size:1.12rem;font-weight:650;margin:0 0 .3rem}
h3{font-size:1rem;font-weight:600;margin:1.5rem 0 .2rem}
p{max-width:46rem;margin:.2rem 0 .8rem}
section{border-top:1px solid var(--line);margin-top:2rem;padding-top:1rem}
section>p,h3+p,figcaption,.row .about{color:var(--quiet);font-size:.9rem}
header p{font-size:1.06rem;margin:.3rem 0 1rem}
.facts{display:grid;grid-template-columns:repeat(auto-fill,minmax(11.5rem,1fr));gap:.55rem 1.5rem;margin:0}
.facts dt{color:var(--quiet);font-size:.78rem}
.facts dd{margin:0;overflow-wrap:anywhere;line-height:1.35}
.warnings{border-left:3px solid var(--warn);background:var(--warn-page);padding:.6rem 1rem;margin:1.4rem 0 0;max-width:none}
.warnings h2{font-size:1rem;color:var(--warn)}
.warnings ul{margin:0;padding-left:1.1rem}
.warnings li{overflow-wrap:anywhere}
.facts .wide{grid-column:1/-1}
.scroll{overflow-x:auto}
table{border-collapse:collapse;font-variant-numeric:tabular-nums;font-size:.92rem;margin:.2rem 0 .6rem}
th,td{padding:.24rem .65rem;text-align:left;white-space:nowrap;vertical-align:baseline;font-weight:400}
th:first-child,td:first-child{padding-left:0}
thead th{white-space:normal;color:var(--quiet);font-size:.82rem;vertical-align:bottom;padding-bottom:.15rem}
thead tr:last-child th,thead th[rowspan]{border-bottom:1px solid var(--line)}
tbody tr+tr>*{border-top:1px solid color-mix(in srgb,var(--line) 55%,transparent)}
table.arms tbody tr:first-child th{font-weight:600}
.n{text-align:right}.c{text-align:center}
.from{color:var(--quiet)}.to{font-weight:600}
small{color:var(--quiet);font-size:.85em}
.wrap{white-space:normal;min-width:11rem}
.bar{display:block;align-self:center;position:relative;top:2px}
table.heat{display:table;font:inherit;font-size:.92rem}
table.heat td{text-align:right}
table.heat .s{display:inline-block;min-width:3.4rem;padding:1px 6px;box-shadow:none}
.whisker{display:block;align-self:center;position:relative;top:2px}
.honest{border-left:3px solid var(--line);padding-left:.8rem;color:var(--ink)!important}
.figures{display:grid;grid-template-columns:repeat(auto-fit,minmax(min(100%,26rem),1fr));gap:1.1rem 1.6rem;margin-top:.6rem}
figure{margin:0;min-width:0;max-width:36rem}
figure svg{display:block;width:100%;height:auto;overflow:visible}
figure svg text{white-space:pre}
.answers{margin-top:1.2rem}
.answers h3{margin:0;font-size:.92rem}
.prompt{color:var(--quiet);font-size:.9rem;max-width:60rem}
.answers dl{display:grid;grid-template-columns:repeat(auto-fit,minmax(min(100%,16rem),1fr));gap:.4rem 1.4rem;margin:.3rem 0 0}
.answers dt{color:var(--quiet);font-size:.82rem}
.answers dd{margin:0;font-size:.9rem}
.answers :is(dd,.prompt){white-space:pre-wrap;overflow-wrap:anywhere}
mark{background:color-mix(in srgb,var(--arm-1) 22%,transparent);color:inherit;border-bottom:1.5px solid var(--arm-1)}
.row{max-width:none;margin-top:1.1rem}
.row figcaption{margin-bottom:.25rem}
.row .about{margin:-.25rem 0 .25rem}
.explorer{display:flex;flex-wrap:wrap;align-items:center;gap:.4rem 1.2rem;margin:.4rem 0;font-size:.9rem}
.explorer[hidden],.token[hidden]{display:none}
.explorer .controls{display:flex;flex-wrap:wrap;gap:.4rem 1.2rem}
.explorer output{display:inline-block;min-width:2.6em;font-variant-numeric:tabular-nums}
.explorer :is(select,button){font:inherit;color:inherit;background:var(--soft);border:1px solid var(--line);border-radius:4px;padding:.15rem .5rem}
.token{position:sticky;top:0;z-index:1;max-width:none;display:flex;flex-wrap:wrap;gap:.1rem 1.1rem;background:var(--page);border-bottom:1px solid var(--line);padding:.35rem 0;min-height:2.2rem;font-variant-numeric:tabular-nums}
.tokens span:focus-visible{outline:2px solid var(--arm-1);outline-offset:1px}
.legend{background:var(--soft);padding:.45rem .7rem;border-radius:4px}
summary{cursor:pointer;font-weight:600}
pre{overflow-x:auto;background:var(--soft);padding:.8rem 1rem;border-radius:4px;font-size:12.5px;line-height:1.45}
code,pre{font-family:ui-monospace,"SF Mono",Menlo,Consolas,"Liberation Mono",monospace}
footer{color:var(--quiet);font-size:.82rem;margin-top:2.5rem}
@media (max-width:40rem){body{padding:1.2rem 1rem 3rem}.facts{grid-template-columns:repeat(auto-fill,minmax(8.5rem,1fr))}th,td{padding-inline:.5rem}}
@media print{:root{color-scheme:light}html{font-size:11px}body{max-width:none;padding:0}.explorer,.token{display:none}.scroll{overflow:visible}table{font-size:.85rem}th,td{white-space:normal;padding-inline:.35rem}.axis{display:none}.tokens{font-size:10px}.tokens,mark,.warnings{print-color-adjust:exact}figure,article,aside,tr{break-inside:avoid}h2,h3{break-after:avoid}}
`;
