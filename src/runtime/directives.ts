/**
 * What a system prompt can ask of the reference runtime, one directive a line, in any case:
 *
 *     Answer style: brief | full      how much is said, and how it opens
 *     Cite sources: yes | no          `[id]` after each sentence, or nothing
 *     Persona: <name>                 the answer opens with `<name>: `
 *     Use tool: <name>                ask that tool first, if the request offers it
 *
 * A directive that is absent (or has an unknown value) gives a third answer, different from each of
 * its values. That is the point: a region that renders an old, empty or foreign prompt is caught by
 * looking at its answers.
 */
export interface Directives {
  readonly style: "brief" | "full" | undefined;
  readonly cite: boolean | undefined;
  readonly persona: string | undefined;
  readonly tool: string | undefined;
}

const MAX_NAME = 60;

/**
 * Reads the author's part of a prompt, never the text of a document: a document that could say
 * `Persona: …` would be a prompt injection. The last line of a kind wins.
 */
export function parseDirectives(instructions: string): Directives {
  const said = new Map<string, string>();
  for (const line of instructions.split("\n")) {
    const colon = line.indexOf(":");
    const value = line.slice(colon + 1).trim();
    if (colon > 0 && value !== "") said.set(line.slice(0, colon).trim().toLowerCase(), value);
  }
  const style = said.get("answer style")?.toLowerCase();
  const cite = said.get("cite sources")?.toLowerCase();
  return {
    style: style === "brief" || style === "full" ? style : undefined,
    cite: cite === "yes" ? true : cite === "no" ? false : undefined,
    persona: said.get("persona")?.slice(0, MAX_NAME),
    tool: said.get("use tool")?.slice(0, MAX_NAME),
  };
}
