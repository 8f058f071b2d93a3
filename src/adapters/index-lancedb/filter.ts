import { type DigestKey, rangeBounds, rangeKey } from "../../core/reconcile/digest.ts";
import type { RangeRef } from "../../model/record.ts";
import type { IndexQuery } from "../../ports/index.ts";

/** Conditions in Lance's SQL. */

export function anyOf(column: string, values: readonly string[]): string {
  const known = literals(values);
  return known.length === 0 ? "false" : `${column} IN (${known.join(", ")})`;
}

/** Numbers are quicker to compare than ids; some other record may stand at the same place. */
export function atPlacesOf(ids: readonly string[], key: DigestKey): string {
  const places = ids.filter((id) => id.isWellFormed()).map((id) => rangeKey(id, key));
  return places.length === 0 ? "false" : `place IN (${places.join(", ")})`;
}

/** By Lance's own numbers, which hold for one version. */
export function atRows(rows: readonly bigint[]): string {
  return `_rowid IN (${rows.join(", ")})`;
}

/** The records whose range keys are in one of these ranges. */
export function within(ranges: readonly RangeRef[]): string {
  if (ranges.some(({ bits }) => bits === 0)) return "true";
  const each = ranges.map((range) => {
    const { from, below } = rangeBounds(range);
    return `(place >= ${from} AND place <= ${below - 1})`;
  });
  return each.length === 0 ? "false" : each.join(" OR ");
}

/** The records that the caller may see: whose audience is his, and every label of which he holds. */
export function visible({
  audiences,
  labels = [],
}: Pick<IndexQuery, "audiences" | "labels">): string {
  const held = literals(labels);
  const free = "cardinality(labels) = 0";
  const mine = held.length === 0 ? free : `array_has_all(make_array(${held.join(", ")}), labels)`;
  return `${anyOf("audience", audiences)} AND ${mine}`;
}

/** Half a character is in no column, and would be sent as another one. */
function literals(values: readonly string[]): string[] {
  return values.filter((value) => value.isWellFormed()).map(literal);
}

function literal(value: string): string {
  return `'${value.replaceAll("'", "''")}'`;
}
