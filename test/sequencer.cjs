const { default: Sequencer } = require("@jest/test-sequencer");

/** What takes longest: begun last, one of them would run alone at the end. */
const longest = ["/recipes/", "/data/", "/model/", "/cli/", "/tensor/", "/training/", "/test/every", "/bench/"];

module.exports = class extends Sequencer {
  sort(tests) {
    const rank = ({ path }) => {
      const found = longest.findIndex((part) => path.includes(part));
      return found < 0 ? longest.length : found;
    };
    return tests.toSorted((a, b) => rank(a) - rank(b) || (a.path < b.path ? -1 : 1));
  }
};
