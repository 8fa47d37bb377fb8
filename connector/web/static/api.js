// Requests to the service's own API.

const TIMEOUT_MS = 20_000;

/** What a page shows as an error: the API's error response, or a code that only the pages use. */
export class ApiError extends Error {
  constructor({ status = 0, code, message = "", retryable = false, retryAfter = null, facts = {} }) {
    super(message);
    Object.assign(this, { status, code, retryable, retryAfter, facts });
  }
}

export async function request(method, path, { body, bearer, timeoutMs = TIMEOUT_MS } = {}) {
  const headers = { Accept: "application/json" };
  if (body !== undefined) headers["Content-Type"] = "application/json";
  if (bearer) headers.Authorization = `Bearer ${bearer}`;
  let response, text;
  try {
    response = await fetch(path, {
      method,
      headers,
      body: body === undefined ? undefined : JSON.stringify(body),
      cache: "no-store",
      signal: AbortSignal.timeout(timeoutMs),
    });
    text = await response.text();
  } catch {
    throw new ApiError({ code: navigator.onLine ? "unreachable" : "offline", retryable: true });
  }
  const payload = parseJson(text);
  if (response.ok && payload) return payload;
  throw apiError(response, payload ?? {});
}

function parseJson(text) {
  try {
    return JSON.parse(text);
  } catch {
    return text === "" ? {} : null;
  }
}

function apiError(response, payload) {
  const seconds = Number(response.headers.get("Retry-After"));
  return new ApiError({
    status: response.status,
    // A gateway between the browser and the service has its own error format: only its status counts.
    code: payload.code ?? (response.status >= 502 ? "unreachable" : "other"),
    message: payload.error,
    retryable: payload.retryable ?? response.status >= 502,
    retryAfter: seconds > 0 ? seconds : null,
    facts: {
      code: payload.code,
      message: payload.error,
      request_id: payload.request_id ?? response.headers.get("X-Request-Id"),
      tiktok_code: payload.tiktok?.code,
      tiktok_message: payload.tiktok?.message,
      tiktok_request_id: payload.tiktok?.request_id,
    },
  });
}
