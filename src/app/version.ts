import about from "../../package.json" with { type: "json" };

/** Which Tideover this is: the package's number. */
export const VERSION: string = about.version;
