import type { ReleaseFinding, ReleaseRule } from "./rule.ts";

/** A route names a prompt that is in the same release: it is activated whole, or not at all. */
export const references: ReleaseRule = ({ release }) => {
  const { prompts, routes = {} } = release.body;
  return Object.entries(routes).flatMap(([workflow, { prompt }]): ReleaseFinding[] => {
    if (prompt === undefined || Object.hasOwn(prompts, prompt)) return [];
    return [
      {
        rule: "references",
        file: `routes/${workflow}.yaml`,
        at: ["prompt"],
        message: "is not a prompt of this release",
        instead: `write one of ${Object.keys(prompts).join(", ")}, or add prompts/${prompt}.md`,
        unlikely: false,
      },
    ];
  });
};
