// The peer: the exchange as a Fastify route with undici and supabase-js, in three plain steps.
//
// It neither claims the code, encrypts nor writes a journal, and calls TikTok twice where the service
// calls it three times. It is made fast by fair means: undici.request in place of fetch, the keep-alive
// pool of undici, schemas for requests and responses, no request log. With LEAN set, supabase-js uses
// undici.request too.

import { createClient } from "@supabase/supabase-js";
import Fastify from "fastify";
import { request } from "undici";

const { TIKTOK_URL, SUPABASE_URL, SUPABASE_SERVICE_ROLE_KEY, PORT } = process.env;
const API = `${TIKTOK_URL}/open_api/v1.3/oauth2`;
const APP = { app_id: "7001", secret: "bench-secret" };

// Returns only the parts of a Response that supabase-js reads.
async function fetchWithUndici(address, { method, headers, body }) {
  const response = await request(address, { method, headers: Object.fromEntries(headers), body });
  return {
    ok: response.statusCode < 300,
    status: response.statusCode,
    statusText: "",
    headers: { get: (name) => response.headers[name.toLowerCase()] ?? null },
    text: () => response.body.text(),
  };
}

const supabase = createClient(SUPABASE_URL, SUPABASE_SERVICE_ROLE_KEY, {
  auth: { persistSession: false, autoRefreshToken: false },
  global: process.env.LEAN ? { fetch: fetchWithUndici } : {},
});

async function callTikTok(address, options) {
  const response = await request(address, options);
  const payload = await response.body.json();
  if (payload.code !== 0) throw new Error(payload.message);
  return payload.data;
}

const text = { type: "string", minLength: 1 };
const bodySchema = {
  type: "object",
  required: ["auth_code", "state"],
  properties: { auth_code: text, state: text },
};
const responseSchema = {
  200: {
    type: "object",
    properties: {
      success: { type: "boolean" },
      business_id: text,
      account_id: text,
      message: text,
    },
  },
};

const app = Fastify({ logger: false });

app.post("/oauth/exchange", { schema: { body: bodySchema, response: responseSchema } }, async (exchange) => {
  const { auth_code, state } = exchange.body;
  const { user_id } = JSON.parse(Buffer.from(state, "base64url").toString());
  const { access_token } = await callTikTok(`${API}/access_token/`, {
    method: "POST",
    headers: { "content-type": "application/json" },
    body: JSON.stringify({ ...APP, auth_code }),
  });
  const { list } = await callTikTok(
    `${API}/advertiser/get/?app_id=${APP.app_id}&secret=${APP.secret}`,
    { headers: { "access-token": access_token } },
  );
  const [{ advertiser_id, advertiser_name }] = list;
  const { error } = await supabase.from("user_accounts").upsert({
    id: user_id,
    tiktok_access_token: access_token,
    tiktok_account_id: advertiser_name,
    tiktok_business_id: advertiser_id,
  });
  if (error) throw error;
  return {
    success: true,
    business_id: advertiser_id,
    account_id: advertiser_name,
    message: "TikTok connected successfully",
  };
});

app.get("/readyz", async () => ({ ready: true }));

await app.listen({ port: Number(PORT), host: "127.0.0.1" });
