/** A running role, whichever it is: what the command line and the supervisor know of it. */
export interface Role {
  readonly url: string;
  close(): Promise<void>;
}

interface Closable {
  close(): Promise<void>;
}

/** The role, with what it was composed of closed after it, in this order. */
export function closing(role: Role, parts: readonly Closable[]): Role {
  return {
    url: role.url,
    close: async () => {
      await role.close();
      for (const part of parts) await part.close();
    },
  };
}
