import { wordsOf } from "./content.ts";
import { type Fields, fieldsList, fieldsOf, isFields, numberOr, textOr } from "./fields.ts";
import {
  CALLS,
  type CallKind,
  type Item,
  type ItemStatus,
  incompleteReason,
  itemObject,
  type Part,
  type PartKind,
  partObject,
  responseAnnotations,
  responseLogprobs,
  responseUsage,
  TEXT_EVENTS,
} from "./responses-output.ts";
import type { AskedResponse } from "./responses-request.ts";
import { NOTHING_TOLD, type ToldItem, type ToldResponse } from "./responses-told.ts";
import { formatSse } from "./sse.ts";

type TextItem = Item & { readonly kind: "message" | "reasoning" };
type CallItem = Item & { readonly kind: CallKind };

/**
 * One answer in the shape of `/v1/responses`, fed with the chunks of a chat stream (or with a whole
 * answer as a single one). Of several choices only the first is told.
 *
 * The lifecycle events (`response.created`, `response.in_progress`) are held back until there is
 * something real to tell. A caller that has seen no event has seen nothing of the answer, so that a
 * failure before that is one to retry and not half an answer.
 */
export class ResponseTeller {
  readonly #id: string;
  readonly #asked: AskedResponse;
  readonly #items: Item[];
  #events: string[] = [];
  #sequence: number;
  #begun: boolean;
  #created = 0;
  #model = "";
  #finish: string | null = null;
  /** Log probabilities of tokens whose text has still to come. */
  #textless: readonly Fields[] = [];
  #usage: Fields | null = null;

  /**
   * @param id of the request, from which all ids of the answer are made: no region changes them.
   * @param told what its caller has of it already: only what follows is told.
   */
  constructor(asked: AskedResponse, id: string, told: ToldResponse = NOTHING_TOLD) {
    this.#asked = asked;
    this.#id = id;
    this.#sequence = told.sequence;
    this.#begun = told.items.length > 0;
    const last = told.items.length - 1;
    this.#items = told.items.map((item, index) => restored(item, id, index, index === last));
  }

  /** The response object of a whole chat completion. */
  whole(chat: Fields): Fields {
    const choices = fieldsList(chat.choices).map((choice) => ({
      ...choice,
      delta: choice.message,
    }));
    this.chunk({ ...chat, choices });
    this.done();
    return this.#response(this.#status());
  }

  chunk(chat: Fields): string {
    this.#created ||= numberOr(chat.created, 0);
    this.#model = textOr(chat.model, this.#model) || this.#model;
    this.#usage = responseUsage(chat.usage) ?? this.#usage;
    for (const choice of fieldsList(chat.choices)) {
      if (numberOr(choice.index, 0) === 0) this.#choice(choice);
    }
    return this.#take();
  }

  /** The stream is whole. */
  done(): string {
    // An answer of nothing is an answer, and this API says so with an empty text.
    if (this.#items.length === 0) this.#openPart("message", "output_text");
    const status = this.#status();
    for (const [index, item] of this.#items.entries()) {
      // A bound on the length cuts what comes last; what came before it is whole.
      const isLast = index === this.#items.length - 1;
      this.#closeItem(item, index, isLast ? status : "completed");
    }
    this.#emit(`response.${status}`, { response: this.#response(status) });
    return this.#take();
  }

  /** The stream was cut: what came stays unfinished, and the response has failed. */
  failed(error: Fields): string {
    this.#begin();
    const message = textOr(error.message, "the answer was cut");
    const failure = { code: "server_error", message };
    this.#emit("response.failed", { response: this.#response("failed", failure) });
    return this.#take();
  }

  #choice(choice: Fields): void {
    const delta = fieldsOf(choice.delta);
    const { text, thoughts } = wordsOf(delta.content);
    const reasoning = delta.reasoning_content ?? delta.reasoning ?? thoughts;
    this.#text("reasoning", "reasoning_text", reasoning);
    this.#text("message", "output_text", text, this.#logprobsOf(choice, delta));
    this.#annotations(responseAnnotations(delta.annotations));
    this.#text("message", "refusal", delta.refusal);
    for (const [position, call] of fieldsList(delta.tool_calls).entries()) {
      this.#call(numberOr(call.index, position), call);
    }
    this.#finish = textOr(choice.finish_reason) || this.#finish;
  }

  /** A token may be a part of a character: servers tell it with no text, before the one that ends it. */
  #logprobsOf(choice: Fields, { content, reasoning_content, reasoning }: Fields): Fields[] {
    const logprobs = [...this.#textless, ...responseLogprobs(choice.logprobs)];
    // Those of thoughts have no place in this API.
    const isText = content === "" && !reasoning_content && !reasoning;
    this.#textless = isText ? logprobs : [];
    return logprobs;
  }

  #text(kind: TextItem["kind"], part: PartKind, delta: unknown, logprobs: Fields[] = []): void {
    if (typeof delta !== "string" || delta === "") return;
    const { item, index, open } = this.#openPart(kind, part);
    open.text += delta;
    open.logprobs.push(...logprobs);
    const told = part === "output_text" ? { delta, logprobs } : { delta };
    this.#emit(`${TEXT_EVENTS[part]}.delta`, {
      item_id: item.id,
      output_index: index,
      content_index: item.parts.indexOf(open),
      ...told,
    });
  }

  #annotations(given: readonly Fields[]): void {
    for (const annotation of given) {
      const { item, index, open } = this.#openPart("message", "output_text");
      open.annotations.push(annotation);
      this.#emit("response.output_text.annotation.added", {
        item_id: item.id,
        output_index: index,
        content_index: item.parts.indexOf(open),
        annotation_index: open.annotations.length - 1,
        annotation,
      });
    }
  }

  /** The part that text of this kind goes into: the open one, or a new one behind it. */
  #openPart(kind: TextItem["kind"], part: PartKind) {
    const item = this.#openText(kind);
    const index = this.#items.indexOf(item);
    const last = item.parts.at(-1);
    if (last?.open === true && last.kind === part) return { item, index, open: last };
    if (last !== undefined) this.#closePart(item, index, last);
    const open: Part = { kind: part, text: "", logprobs: [], annotations: [], open: true };
    item.parts.push(open);
    this.#emit("response.content_part.added", {
      item_id: item.id,
      output_index: index,
      content_index: item.parts.length - 1,
      part: partObject(open),
    });
    return { item, index, open };
  }

  #openText(kind: TextItem["kind"]): TextItem {
    const last = this.#items.at(-1);
    if (last?.kind === kind && last.status === "in_progress") return last;
    if (last !== undefined && !isCall(last)) this.#closeItem(last, this.#items.length - 1);
    const id = textItemId(kind, this.#id, this.#items.length);
    return this.#add({ kind, id, parts: [], status: "in_progress" });
  }

  #call(position: number, call: Fields): void {
    const kind: CallKind = isFields(call.custom) ? "custom_tool_call" : "function_call";
    const { name, arguments: given, input } = fieldsOf(call.custom ?? call.function);
    const known = this.#items.findLast(
      (item): item is CallItem => isCall(item) && item.position === position,
    );
    const item =
      known === undefined || isAnother(known, call.id, name)
        ? this.#openCall(kind, position, textOr(call.id), textOr(name))
        : known;
    const piece = kind === "custom_tool_call" ? input : given;
    if (typeof piece !== "string" || piece === "") return;
    item.argumentText += piece;
    this.#emit(`${CALLS[item.kind].events}.delta`, {
      item_id: item.id,
      output_index: this.#items.indexOf(item),
      delta: piece,
    });
  }

  /** Calls stay open to the end: servers may mix the pieces of several that run in parallel. */
  #openCall(kind: CallKind, position: number, given: string, name: string): CallItem {
    const last = this.#items.at(-1);
    if (last !== undefined && !isCall(last)) this.#closeItem(last, this.#items.length - 1);
    const id = `${CALLS[kind].id}_${this.#id}_${this.#items.length}`;
    const callId = given === "" ? `call_${this.#id}_${this.#items.length}` : given;
    return this.#add({
      kind,
      id,
      callId,
      name,
      position,
      argumentText: "",
      status: "in_progress",
    });
  }

  #add<I extends Item>(item: I): I {
    this.#begin();
    this.#items.push(item);
    this.#emit("response.output_item.added", {
      output_index: this.#items.length - 1,
      item: itemObject(item),
    });
    return item;
  }

  #closeItem(item: Item, index: number, status: ItemStatus = "completed"): void {
    if (item.status !== "in_progress") return;
    item.status = status;
    if (isCall(item)) {
      const { events, text } = CALLS[item.kind];
      this.#emit(`${events}.done`, {
        item_id: item.id,
        output_index: index,
        ...(item.kind === "function_call" ? { name: item.name } : {}),
        [text]: item.argumentText,
      });
    } else {
      for (const part of item.parts) this.#closePart(item, index, part);
    }
    this.#emit("response.output_item.done", { output_index: index, item: itemObject(item) });
  }

  #closePart(item: TextItem, index: number, part: Part): void {
    if (!part.open) return;
    part.open = false;
    const at = {
      item_id: item.id,
      output_index: index,
      content_index: item.parts.indexOf(part),
    };
    const { kind, text, logprobs } = part;
    const told = kind === "refusal" ? { refusal: text } : { text };
    this.#emit(`${TEXT_EVENTS[kind]}.done`, {
      ...at,
      ...told,
      ...(kind === "output_text" ? { logprobs } : {}),
    });
    this.#emit("response.content_part.done", { ...at, part: partObject(part) });
  }

  #begin(): void {
    if (this.#begun) return;
    this.#begun = true;
    this.#emit("response.created", { response: this.#response("in_progress") });
    this.#emit("response.in_progress", { response: this.#response("in_progress") });
  }

  #status(): "completed" | "incomplete" {
    return incompleteReason(this.#finish) === null ? "completed" : "incomplete";
  }

  #response(status: string, error: Fields | null = null): Fields {
    const reason = status === "incomplete" ? incompleteReason(this.#finish) : null;
    const ended = status !== "in_progress";
    return {
      id: `resp_${this.#id}`,
      object: "response",
      created_at: this.#created,
      status,
      error,
      incomplete_details: reason === null ? null : { reason },
      ...this.#asked,
      model: this.#model,
      // What is still open when the response ends was cut.
      output: ended
        ? this.#items.map((item) =>
            itemObject(item, item.status === "in_progress" ? "incomplete" : item.status),
          )
        : [],
      usage: ended ? this.#usage : null,
    };
  }

  #emit(type: string, fields: Fields): void {
    this.#events.push(
      formatSse(JSON.stringify({ type, sequence_number: this.#sequence, ...fields }), type),
    );
    this.#sequence += 1;
  }

  #take(): string {
    const text = this.#events.join("");
    this.#events = [];
    return text;
  }
}

function isCall(item: Item): item is CallItem {
  return "callId" in item;
}

/**
 * Some servers give every call the index 0, each whole and in its own piece: taken for one, their
 * arguments would run together. An id alone tells nothing, as others make a new one for each piece.
 */
function isAnother({ callId }: CallItem, id: unknown, name: unknown): boolean {
  return textOr(id, callId) !== callId && textOr(id) !== "" && textOr(name) !== "";
}

function textItemId(kind: TextItem["kind"], id: string, index: number): string {
  return `${kind === "message" ? "msg" : "rs"}_${id}_${index}`;
}

function restored(item: ToldItem, id: string, index: number, isLast: boolean): TextItem {
  const { kind } = item;
  const parts = item.parts.map((part, at) => ({
    ...part,
    logprobs: [...part.logprobs],
    annotations: [],
    open: isLast && at === item.parts.length - 1,
  }));
  const status = isLast ? "in_progress" : "completed";
  return { kind, id: textItemId(kind, id, index), parts, status };
}
