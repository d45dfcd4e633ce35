/** Letters that name a variable in LaTeX: `\theta`. `\pi` is a number. */
export const greekLetters: readonly string[] = (
  "alpha beta gamma delta epsilon varepsilon zeta eta theta vartheta iota kappa lambda mu nu xi rho varrho sigma tau " +
  "upsilon phi varphi chi psi omega Gamma Delta Theta Lambda Xi Phi Psi Omega"
).split(" ");
