const { default: Sequencer } = require("@jest/test-sequencer");

/** Suites that train whole recipes, or start many processes: begun last, one of them would run alone at the end. */
const longest = ["/recipes/every-recipe", "/recipes/", "/public-api", "/bench/", "/training/", "/model/"];

module.exports = class extends Sequencer {
  sort(tests) {
    const rank = ({ path }) => {
      const found = longest.findIndex((part) => path.includes(part));
      return found < 0 ? longest.length : found;
    };
    return tests.toSorted((a, b) => rank(a) - rank(b) || (a.path < b.path ? -1 : 1));
  }
};
