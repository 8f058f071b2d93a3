import { isMap, isScalar, isSeq, type Node, parseDocument } from "yaml";

interface Spot {
  readonly start: number;
  readonly end: number;
  readonly port: number;
}

/**
 * The same spec on other ports: rewrites the port of every address and of every reference runtime's
 * URL on 127.0.0.1 or localhost, each old port once, in the order of the text. Comments, quotes and
 * everything else stay as they are. Text that is not YAML comes back unchanged, to be judged later.
 */
export function specWithPorts(text: string, allocate: (old: number) => number): string {
  const document = parseDocument(text, { uniqueKeys: false });
  if (document.errors.length > 0) return text;
  const spots = listeningNodes(document.contents).flatMap((node) => spotOf(node, text));
  const ports = new Map<number, number>();
  for (const { port } of spots.sort((a, b) => a.start - b.start))
    if (!ports.has(port)) ports.set(port, allocate(port));
  // From the end, so that a longer port does not shift the spots that are still to come.
  return spots
    .toReversed()
    .reduce(
      (out, { start, end, port }) =>
        `${out.slice(0, start)}${ports.get(port) ?? port}${out.slice(end)}`,
      text,
    );
}

function listeningNodes(root: Node | null): Node[] {
  const regions = itemsOf(member(root, "regions"));
  return [
    ...itemsOf(member(root, "controllers")),
    ...regions.flatMap((region) => [member(region, "gateway"), member(region, "agent")]),
    ...regions.flatMap((region) => {
      const runtime = member(member(region, "components"), "runtime");
      return itemsOf(member(runtime, "targets"))
        .filter((target) => member(target, "reference") !== null)
        .map((target) => member(target, "url"));
    }),
  ].filter((node) => node !== null);
}

function member(node: Node | null, key: string): Node | null {
  if (!isMap(node)) return null;
  const pair = node.items.find((item) => isScalar(item.key) && item.key.value === key);
  return (pair?.value as Node | null | undefined) ?? null;
}

function itemsOf(node: Node | null): Node[] {
  if (isSeq(node)) return node.items as Node[];
  if (!isMap(node)) return [];
  return node.items.flatMap((item) => (item.value === null ? [] : [item.value as Node]));
}

const LOCAL = /((?:127\.0\.0\.1|localhost):)(\d{1,5})/;

function spotOf(node: Node, text: string): Spot[] {
  const [from, to] = node.range ?? [0, 0];
  const match = isScalar(node) ? LOCAL.exec(text.slice(from, to)) : null;
  if (match === null) return [];
  const [, host = "", digits = ""] = match;
  const start = from + match.index + host.length;
  return [{ start, end: start + digits.length, port: Number(digits) }];
}
