// The service's own API, as the pages speak it.

const PATIENCE = 20_000;

/** A failure in the API's one shape; `offline` and `unreachable` are ours, when nothing came back. */
export class Problem extends Error {
  constructor({ status = 0, code, message = "", retryable = false, retryAfter = null, facts = {} }) {
    super(message);
    Object.assign(this, { status, code, retryable, retryAfter, facts });
  }
}

export async function call(method, path, { body, bearer, patience = PATIENCE } = {}) {
  const headers = { Accept: "application/json" };
  if (body !== undefined) headers["Content-Type"] = "application/json";
  if (bearer) headers.Authorization = `Bearer ${bearer}`;
  let answer, text;
  try {
    answer = await fetch(path, {
      method,
      headers,
      body: body === undefined ? undefined : JSON.stringify(body),
      cache: "no-store",
      signal: AbortSignal.timeout(patience),
    });
    text = await answer.text();
  } catch {
    throw new Problem({ code: navigator.onLine ? "unreachable" : "offline", retryable: true });
  }
  const said = parsed(text);
  if (answer.ok && said) return said;
  throw refusal(answer, said ?? {});
}

function parsed(text) {
  try {
    return JSON.parse(text);
  } catch {
    return text === "" ? {} : null;
  }
}

function refusal(answer, said) {
  const seconds = Number(answer.headers.get("Retry-After"));
  return new Problem({
    status: answer.status,
    // A gateway in between answers in its own way; only the number tells then.
    code: said.code ?? (answer.status >= 502 ? "unreachable" : "other"),
    message: said.error,
    retryable: said.retryable ?? answer.status >= 502,
    retryAfter: seconds > 0 ? seconds : null,
    facts: {
      code: said.code,
      message: said.error,
      request_id: said.request_id ?? answer.headers.get("X-Request-Id"),
      tiktok_code: said.tiktok?.code,
      tiktok_message: said.tiktok?.message,
      tiktok_request_id: said.tiktok?.request_id,
    },
  });
}
