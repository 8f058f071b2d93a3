import type { Spec } from "../../model/spec.ts";
import { type Path, pathText } from "../faults.ts";
import { type Finding, type Rule, regionsOf } from "./rule.ts";

/** Rules about who listens where, and about who may come in. */

interface Listener {
  readonly path: Path;
  readonly host: string;
  readonly port: number;
}

/** Every place where a process of this estate listens. Targets of others are not ours to judge. */
function listenersOf(spec: Spec): Listener[] {
  const controllers = spec.controllers.map((address, at) => listener(address, ["controllers", at]));
  const regions = regionsOf(spec).flatMap(([name, { gateway, agent, components }]) => [
    listener(gateway, ["regions", name, "gateway"]),
    ...(agent === undefined ? [] : [listener(agent, ["regions", name, "agent"])]),
    ...components.runtime.targets.flatMap(({ url, reference }, at) => {
      const path = ["regions", name, "components", "runtime", "targets", at, "url"];
      return reference === undefined ? [] : [runtimeListener(url, path)];
    }),
  ]);
  return [...controllers, ...regions];
}

function listener(address: string, path: Path): Listener {
  const at = address.lastIndexOf(":");
  return { path, host: sameHost(address.slice(0, at)), port: Number(address.slice(at + 1)) };
}

function runtimeListener(url: string, path: Path): Listener {
  const { hostname, port, protocol } = new URL(url);
  const implied = protocol === "https:" ? 443 : 80;
  return { path, host: sameHost(hostname), port: port === "" ? implied : Number(port) };
}

/** `localhost` and `127.0.0.1` are one host: two processes on them still want one port. */
function sameHost(host: string): string {
  const lower = host.toLowerCase();
  return lower === "localhost" ? "127.0.0.1" : lower;
}

export const portsAreInRange: Rule = (spec) =>
  listenersOf(spec)
    .filter(({ port }) => port < 1 || port > 65_535)
    .map(({ path, port }) => ({
      path,
      message:
        port === 0
          ? "uses port 0, which nobody else could find"
          : "uses a port that does not exist",
      instead: "write a port from 1 to 65535",
    }));

export const addressesDiffer: Rule = (spec) => {
  const taken = new Map<string, Listener>();
  return listenersOf(spec).flatMap((one): Finding[] => {
    const key = `${one.host}:${one.port}`;
    const first = taken.get(key);
    if (first === undefined) {
      taken.set(key, one);
      return [];
    }
    const message = `is already taken by ${pathText(first.path)}`;
    const instead = `write another port, such as ${freePort(listenersOf(spec), one)}`;
    return [{ path: one.path, involves: [first.path], message, instead }];
  });
};

function freePort(listeners: readonly Listener[], near: Listener): number {
  const ports = new Set(listeners.map(({ port }) => port));
  let port = near.port;
  while (ports.has(port)) port = port >= 65_535 ? 1_024 : port + 1;
  return port;
}

/** A key of two tenants would open one tenant's documents to the other. */
export const keysDiffer: Rule = (spec) => {
  const owners = new Map<string, string>();
  return Object.entries(spec.tenants).flatMap(([tenant, { keys }]) =>
    keys.flatMap((key, at): Finding[] => {
      const owner = owners.get(key);
      if (owner === undefined) {
        owners.set(key, tenant);
        return [];
      }
      const message =
        owner === tenant
          ? "stands in this list twice"
          : `is a key of tenant ${owner} too: its holder could be either`;
      const instead = "make another key with `tideover key`, or remove one";
      return [{ path: ["tenants", tenant, "keys", at], message, instead }];
    }),
  );
};
