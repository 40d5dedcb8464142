// The gateway's API as any other client calls it, with the key that whoever sits here has typed.

const base = new URL(".", document.baseURI);
// Behind a proxy two gateways may share a host and so the storage; neither may get the other's key.
const KEY = `pointsman-key ${base.pathname}`;

export const key = {
  get: () => sessionStorage.getItem(KEY) ?? "",
  set: (value) => sessionStorage.setItem(KEY, value),
  forget: () => sessionStorage.removeItem(KEY),
};

// What the gateway said, or that it can't be reached (status 0).
export class ApiError extends Error {
  constructor(status, code, message, { retryAfterS = 0, requestId = "" } = {}) {
    super(message);
    Object.assign(this, { status, code, retryAfterS, requestId });
  }

  // For people: what happened, with the id to look up.
  get words() {
    return this.requestId ? `${this.message} (${this.code}; request ${this.requestId})` : this.message;
  }
}

export const isAbort = (error) => error?.name === "AbortError";

// The response of any request; throws ApiError for one that can't be made or isn't a success.
export async function send(path, { body, headers = {}, signal, timeoutS } = {}) {
  const said = { ...headers };
  if (key.get()) said.authorization = `Bearer ${key.get()}`;
  if (body !== undefined) said["content-type"] = "application/json";
  if (timeoutS) said["x-request-timeout"] = String(timeoutS);
  let response;
  try {
    response = await fetch(new URL(path, base), {
      method: body === undefined ? "GET" : "POST",
      body: body === undefined ? undefined : JSON.stringify(body),
      headers: said, signal, cache: "no-store", credentials: "omit", redirect: "error",
    });
  } catch (error) {
    if (isAbort(error)) throw error;
    throw new ApiError(0, "unreachable", "The gateway can't be reached. Is it running?");
  }
  if (!response.ok) throw await failure(response);
  return response;
}

export const ask = async (path, options) => (await send(path, options)).json();

async function failure(response) {
  const told = await response.json().catch(() => null);
  const error = typeof told?.error === "object" && told.error ? told.error : {};
  const more = {
    retryAfterS: Number(response.headers.get("retry-after")) || 0,
    requestId: response.headers.get("x-pointsman-request-id") ?? "",
  };
  if (response.status === 401) dispatchEvent(new Event("pointsman-key-needed"));
  return new ApiError(response.status, error.code ?? String(response.status), error.message ?? `The gateway answered ${response.status}.`, more);
}

// What /readyz says, also where it is 503; null where the gateway can't be reached.
export async function readyz() {
  try {
    const response = await fetch(new URL("readyz", base), { cache: "no-store", credentials: "omit", signal: AbortSignal.timeout(4000) });
    return await response.json();
  } catch {
    return null;
  }
}
