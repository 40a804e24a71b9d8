// The service's calls, /api/v1. What goes wrong becomes a `Refusal`, whose message is a sentence for the reader.

import type { Box, Size } from "./geometry";

export interface ServiceInfo {
  readonly picture: string | null;
  readonly limits: Readonly<Record<string, number | null>>;
  readonly version: string;
  readonly denoise: number | null; // that the reader starts with
  readonly deblur: number | null;
}

export interface Network {
  readonly name: string;
  readonly scale: number;
  readonly strategies: readonly string[];
  readonly default: boolean;
  readonly description: string;
  readonly default_strategy: string;
  readonly attention: boolean; // whether it can be asked where its context came from
  readonly conditioned: boolean; // whether it can be asked to denoise and to deblur
}

export interface Picture extends Size {
  readonly id: string;
  readonly name: string | null;
  readonly depth: number;
  readonly alpha: boolean;
  readonly notes: readonly string[]; // what is odd with its file
  readonly tiles: { readonly size: number; readonly levels: number };
  readonly clip: Clip | null;
}

/** How long a clip is; a moment of it is a picture of its own, whose id has the seconds behind a `~`. */
export interface Clip {
  readonly seconds: number;
  readonly rate: number;
}

/** What a frame beside a moment of a clip brings to a box. */
export interface Frame {
  readonly name: string;
  readonly used: boolean;
  readonly reason: string;
  readonly correlation: number;
  readonly motion: readonly [number, number];
  readonly picture: string; // a data URL, empty for a frame that is not used
}

/** How much is to be taken away, 0 to 100; null for as much as was measured. */
export interface Adjustment {
  readonly denoise: number | null;
  readonly deblur: number | null;
}

/** How regions are restored; the adjustment is for networks that can be told. */
export interface Method extends Partial<Adjustment> {
  readonly network: string;
  readonly strategy: string;
  readonly frames: number; // of a clip, from how many; 1 of a picture
  readonly scale: number | null; // null for as much as the network enlarges
}

/** How a picture was degraded, and the adjustment that stands for it. */
export interface Conditions {
  readonly denoise: number;
  readonly deblur: number;
  readonly described: string;
}

/** What came back for one box; the box is the one that the service used. */
export interface Restored {
  readonly file: Blob;
  readonly box: Box;
  readonly scale: number;
  readonly strategy: string;
  readonly network: string;
  readonly seconds: number;
  readonly gflops: number;
  readonly frames: number;
}

export interface CostEstimate {
  readonly gflops: number;
  readonly seconds: number;
  readonly megabytes: number;
}

export interface Patch extends Box {
  readonly weight: number;
  readonly radius: number; // of its circle, in pixels of the picture
}

export interface Pasting {
  readonly feather: number;
  readonly same_size: boolean;
}

export class Refusal extends Error {
  constructor(
    sentence: string,
    readonly status: number,
  ) {
    super(sentence);
  }
}

const BASE = "api/v1"; // relative: a proxy may serve the page below a path of its own
const MAX_TRIES = 6; // of a call that finds the queue full or a worker that is restarted
const NO_ANSWER = "The server does not answer. Is localsr still running?";

export const service = (): Promise<ServiceInfo> => json("/session");
export const networks = (): Promise<Network[]> => json("/networks");
export const picture = (id: string): Promise<Picture> => json(`/pictures/${id}`);

export const tile = async (id: string, place: string, signal: AbortSignal): Promise<Blob> =>
  body(await call(`/pictures/${id}/tiles/${place}.jpg`, { signal }));

export async function forget(id: string): Promise<void> {
  await call(`/pictures/${id}`, { method: "DELETE" });
}

export async function restore(
  id: string,
  box: Box,
  method: Method,
  format: string,
  signal?: AbortSignal,
): Promise<Restored> {
  const answer = await post(`/pictures/${id}/restorations`, { boxes: [box], ...method, format }, signal);
  const header = (name: string): string => answer.headers.get(`Localsr-${name}`) ?? "";
  const [left, top, right, bottom] = header("Box").split(",").map(Number);
  if (left === undefined || top === undefined || right === undefined || bottom === undefined) {
    throw new Refusal("The server did not say which box it restored; is it of another version?", answer.status);
  }
  return {
    file: await body(answer),
    box: { left, top, right, bottom },
    scale: Number(header("Scale")),
    strategy: header("Strategy"),
    network: header("Network"),
    seconds: Number(header("Seconds")),
    gflops: Number(header("Gflops")),
    frames: Number(header("Frames") || 1),
  };
}

export const restoreAll = async (id: string, boxes: readonly Box[], method: Method, format: string): Promise<Blob> =>
  body(await post(`/pictures/${id}/restorations`, { boxes, ...method, format }));

export const paste = async (
  id: string,
  boxes: readonly Box[],
  method: Method,
  how: Pasting,
  format: string,
): Promise<Blob> => {
  const { frames: _, ...own } = method; // the whole picture is one frame's
  return body(await post(`/pictures/${id}/paste`, { boxes, ...own, ...how, format }));
};

export const frames = async (id: string, box: Box, method: Method, signal?: AbortSignal): Promise<Frame[]> => {
  const asked = { box, network: method.network, frames: method.frames };
  return (await post(`/pictures/${id}/frames`, asked, signal)).json();
};

/** The id of a picture without its moment, if it is of one. */
export const clipOf = (id: string): string => id.split("~")[0]!;

/** The moment of a picture of a clip, null where its id has none. */
export const secondsOf = (id: string): number | null => (id.includes("~") ? Number(id.split("~")[1]) : null);

/** The id of a moment of a clip. */
export const momentOf = (id: string, seconds: number): string => `${clipOf(id)}~${seconds.toFixed(3)}`;

export async function bicubic(id: string, box: Box, scale: number, signal?: AbortSignal): Promise<Blob> {
  const query = new URLSearchParams(Object.entries({ ...box, scale }).map(([name, value]) => [name, String(value)]));
  return body(await call(`/pictures/${id}/bicubic?${query}`, signal ? { signal } : {}));
}

export const cost = async (id: string, boxes: readonly Box[], network: string): Promise<Record<string, CostEstimate>> =>
  (await post(`/pictures/${id}/cost`, { boxes, network })).json();

export async function attention(id: string, box: Box, network: string): Promise<Patch[]> {
  return (await (await post(`/pictures/${id}/attention`, { box, network })).json()).patches;
}

export const conditions = async (id: string, network: string): Promise<Conditions> =>
  (await post(`/pictures/${id}/conditions`, { network })).json();

/** Send a picture; `progress` hears the share that has gone, 0 to 1. */
export function upload(file: Blob, progress: (share: number) => void, signal: AbortSignal): Promise<Picture> {
  return new Promise((resolve, reject) => {
    const request = new XMLHttpRequest(); // fetch tells nothing of an upload's progress
    request.open("POST", `${BASE}/pictures`);
    request.responseType = "json";
    request.setRequestHeader("Content-Type", "application/octet-stream");
    request.upload.onprogress = (event) => progress(event.loaded / Math.max(event.total, 1));
    request.onload = () =>
      request.status === 201 ? resolve(request.response) : reject(refusal(request.status, request.response));
    request.onerror = () => reject(new Refusal(NO_ANSWER, 0));
    request.onabort = () => reject(new DOMException("stopped", "AbortError"));
    signal.addEventListener("abort", () => request.abort());
    request.send(file);
  });
}

const json = async <T>(path: string): Promise<T> => (await call(path)).json();

function post(path: string, value: unknown, signal?: AbortSignal): Promise<Response> {
  const headers = { "Content-Type": "application/json" };
  return call(path, { method: "POST", headers, body: JSON.stringify(value), ...(signal ? { signal } : {}) });
}

/** Make a call; while the service is full or mends itself, wait as long as it says and ask again. */
async function call(path: string, init: RequestInit = {}): Promise<Response> {
  for (let tried = 1; ; tried++) {
    const answer = await fetch(BASE + path, init).catch((error: unknown) => {
      throw error instanceof DOMException && error.name === "AbortError" ? error : new Refusal(NO_ANSWER, 0);
    });
    if (answer.ok) return answer;
    const full = answer.status === 429 || answer.status === 503;
    if (!full || tried === MAX_TRIES) throw refusal(answer.status, await answer.json().catch(() => null));
    await answer.body?.cancel();
    await pause(Number(answer.headers.get("Retry-After") ?? 1) || 1, init.signal ?? undefined);
  }
}

function pause(seconds: number, signal?: AbortSignal): Promise<void> {
  return new Promise((resolve, reject) => {
    const timer = setTimeout(resolve, Math.min(seconds, 10) * 1000);
    signal?.addEventListener("abort", () => {
      clearTimeout(timer);
      reject(signal.reason);
    });
  });
}

/** Read an answer to its end; a connection that breaks on the way is the server's silence, too. */
const body = (answer: Response): Promise<Blob> =>
  answer.blob().catch((error: unknown) => {
    throw error instanceof DOMException && error.name === "AbortError" ? error : new Refusal(NO_ANSWER, 0);
  });

function refusal(status: number, answer: unknown): Refusal {
  const sentence = answer !== null && typeof answer === "object" && "error" in answer ? answer.error : null;
  return new Refusal(typeof sentence === "string" ? sentence : `The server answered with status ${status}.`, status);
}

/** Whether an error is the end of a call that was stopped from here. */
export const stopped = (error: unknown): boolean => error instanceof DOMException && error.name === "AbortError";

/** What to tell the reader about an error. */
export const messageOf = (error: unknown): string =>
  error instanceof Refusal ? error.message : `Something unexpected happened in the page: ${String(error)}`;
